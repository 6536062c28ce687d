"""Each verb of `python -m pipeline` knows its own flags and no others."""

import json
import subprocess
import sys

import pytest

# In a process of its own: flags are global, and other tests' modules have theirs.
_DESCRIBE = """
import json
from pipeline.__main__ import VERBS
from pipeline.verbs.help import help_of
print(json.dumps({name: [sorted(verb.flags), help_of(name, verb)] for name, verb in VERBS.items()}))
"""
NAMES = ["init", "run", "tune", "ablation", "compare", "tensorboard", "score"]
NAMES += ["serve", "rollback", "compile", "component", "simulate"]


@pytest.fixture(scope="module")
def verbs() -> dict[str, list]:
    return json.loads(subprocess.check_output([sys.executable, "-c", _DESCRIBE]))


def call(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "pipeline", *arguments], capture_output=True, text=True)


def test_these_are_all(verbs):
    assert list(verbs) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_the_verbs_own_flags_alone(verbs, name):
    own, text = verbs[name]
    described = [line.split()[0] for line in text.split("\n\n")[2].splitlines() if line.startswith("  --")]
    assert [flag.partition("=")[0].replace("[no]", "").removeprefix("--") for flag in described] == own
    assert ("Keys of the configuration" in text) == ("set" in own)


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_of_another_verb_is_refused(verbs, name):
    foreign = sorted({flag for own, _ in verbs.values() for flag in own} - set(verbs[name][0]))
    for flag in (foreign[0], foreign[-1]):
        process = call(name, f"--{flag}=1")
        assert process.returncode == 2
        assert process.stderr.startswith(f"{name}: ")
        assert f"--{flag}" in process.stderr.splitlines()[0]
        assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--sed=1"], "run: there is no flag --sed; is --set meant?"),
        (["--nothing", "run"], "run: there is no flag --nothing"),
        (["serve", "--port=http"], "serve: flag --port=http: invalid literal"),
        (["train"], "unknown: train"),
    ],
)
def test_what_is_not_there_is_refused(arguments, said):
    process = call(*arguments)
    assert process.returncode == 2
    assert process.stderr.startswith(said)


def test_help_of_one_verb_from_the_command_line():
    text = call("rollback", "--help").stdout
    assert text.startswith("python -m pipeline rollback: ")
    assert "\n  --[no]list" in text
    assert "--variants" not in text
    assert "--variants" in call("--help").stdout

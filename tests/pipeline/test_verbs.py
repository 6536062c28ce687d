"""Each verb of `python -m pipeline` knows its own flags and no others."""

import json
import subprocess
import sys

import pytest

# In a process of its own, without the global flags of other tests' modules.
_DESCRIBE = """
import json
from pipeline.__main__ import VERBS, make_parser
[verbs] = [action.choices for action in make_parser()._actions if action.choices]
print(json.dumps({name: verb.format_help() for name, verb in verbs.items()}))
"""
FLAGS_OF_A_RUN = ["config", "data", "runs", "set"]
FLAGS = {
    "init": ["header", "log", "name", "out", "sample_rows"],
    "run": FLAGS_OF_A_RUN,
    "tune": FLAGS_OF_A_RUN,
    "ablation": sorted([*FLAGS_OF_A_RUN, "among", "baselines", "held_out_leaves", "seeds", "variants"]),
    "compare": ["out"],
    "tensorboard": sorted([*FLAGS_OF_A_RUN, "host", "port"]),
    "score": sorted([*FLAGS_OF_A_RUN, "input", "output", "overwrite", "version"]),
    "serve": sorted([*FLAGS_OF_A_RUN, "backend", "host", "port", "rest_port"]),
    "rollback": sorted([*FLAGS_OF_A_RUN, "list", "to"]),
    "compile": sorted(
        [*FLAGS_OF_A_RUN, "image", "image_schema", "out", "pipeline_root", "resolvers", "resources", "target"]
    ),
    "component": sorted([*FLAGS_OF_A_RUN, "id", "run_id", "span"]),
    "simulate": [
        "category_taste",
        "days",
        "drift",
        "format",
        "inheritance",
        "new_categories",
        "out",
        "rows",
        "seed",
        "user_taste",
    ],
}


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    return json.loads(subprocess.check_output([sys.executable, "-c", _DESCRIBE]))


def call(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "pipeline", *arguments], capture_output=True, text=True)


def test_these_are_all(helps):
    assert list(helps) == list(FLAGS)


@pytest.mark.parametrize("name", FLAGS)
def test_help_shows_the_verbs_own_flags_alone(helps, name):
    text = helps[name]
    options = text.partition("options:")[2].partition("\n\n")[0]
    described = [line.split()[0].strip(",") for line in options.splitlines() if line.startswith("  --")]
    assert sorted(flag.removeprefix("--") for flag in described if flag != "--helpfull") == FLAGS[name]
    assert ("Keys of the configuration" in text) == ("set" in FLAGS[name])


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_of_another_verb_is_refused(name):
    foreign = sorted({flag for own in FLAGS.values() for flag in own} - set(FLAGS[name]))
    for flag in (foreign[0], foreign[-1]):
        process = call(name, f"--{flag}=1")
        assert process.returncode == 2
        assert process.stderr.startswith(f"{name}: there is no flag --{flag}")
        assert process.stderr.endswith(f"`python -m pipeline {name} --help` lists what there is\n")
        assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--sed=1"], "run: there is no flag --sed; is --set meant?"),
        (["run", "--conf=a.yaml"], "run: there is no flag --conf; is --config meant?"),
        (["run", "monday"], "run: takes no monday"),
        (["--nothing", "run"], "pipeline: there is no flag --nothing"),
        (["serve", "--port=http"], "serve: argument --port: invalid int value: 'http'"),
        (["serve", "--port=70000"], "serve: argument --port: must be from 0 to 65535. Received: 70000"),
        (["simulate", "--rows=0"], "simulate: argument --rows: must be at least 1. Received: 0"),
        (["train"], "pipeline: argument <verb>: invalid choice: 'train'"),
        ([], "pipeline: the following arguments are required: <verb>"),
    ],
)
def test_what_is_not_there_is_refused(arguments, said):
    process = call(*arguments)
    assert process.returncode == 2
    assert process.stderr.startswith(said)


def test_repeated_flags_lists_and_booleans():
    code = """
from pipeline.__main__ import parse
flags = parse(["pipeline", "compile", "--set=a=1", "--set", "b=2", "--resources=A=1:2, B=3:4", "--noresolvers"])
assert (flags.set, flags.resources, flags.resolvers) == (["a=1", "b=2"], ["A=1:2", "B=3:4"], False)
flags = parse(["pipeline", "rollback", "--list"])
assert (flags.set, flags.list, flags.to) == ([], True, None)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_from_the_command_line():
    text = call("rollback", "--help").stdout
    assert text.startswith("usage: python -m pipeline rollback ")
    assert "\n  --list, --nolist" in text
    assert "--variants" not in text
    overview = call("--help").stdout
    assert all(f"\n    {name}" in overview for name in FLAGS)

"""Three runs of one log with one seed, in processes with hash seeds of their own, compared bit by bit on one thread:
one undisturbed, one that was ended in four places and started again, one of the log in other files."""

import json
import pathlib
import re
import shlex
import signal

import pytest

from tests.attempts import (
    ONE_THREAD,
    SETS,
    Attempt,
    attempt,
    fork,
    fork_on_terminal,
    later,
    new_process,
    once_there,
    while_writing,
)
from tests.run_state import differences, digests, inconsistencies

# Where, by what, and what the process leaves as its exit code.
ENDS = [
    ("ClickLogExampleGen", signal.SIGTERM, once_there("artifacts/ClickLogExampleGen/examples/*/Split-train")),
    ("StatisticsGen", signal.SIGKILL, while_writing("StatisticsGen", 0.5)),
    # On a terminal, and not while it says that there is a checkpoint.
    ("RankerTrainer", signal.SIGINT, later(once_there("checkpoints/ranker/*/last/checkpoint"), 0.1)),
    ("RankerPusher", signal.SIGKILL, while_writing("RankerPusher", 0.0)),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def undisturbed(runs) -> pathlib.Path:
    # The others' hash seed is that of the tests.
    done = attempt(runs / "1", environment={**ONE_THREAD, "PYTHONHASHSEED": "1"}, start=new_process)
    assert done.code == 0, done.output
    assert not done.halves
    return runs / "1" / "demo"


@pytest.fixture(scope="module")
def attempts(runs) -> list[Attempt]:
    """All starts of the run that was ended, the last of which came to its end."""
    moments = [(moment, number) for _, number, moment in ENDS]
    starts = zip((*moments, ()), (fork, fork, fork_on_terminal, fork, fork), strict=True)
    return [attempt(runs / "2", *ends, start=start) for ends, start in starts]


@pytest.fixture(scope="module")
def killed(runs, attempts) -> pathlib.Path:
    assert attempts[-1].code == 0, attempts[-1].output
    return runs / "2" / "demo"


def test_a_signal_ends_the_run_at_once_and_it_says_how_to_go_on(attempts):
    assert [(one.at, one.killed) for one in attempts[:-1]] == [(component, True) for component, _, _ in ENDS]
    assert [one.code for one in attempts] == [143, -9, 130, -9, 0]
    for one in (attempts[0], attempts[2]):
        *_, said, how, command = one.output.replace("\r", "").strip().split("\n")
        assert f", {one.at} was at work." in said
        assert how == "The same command goes on from here:"
        assert shlex.split(command)[1:4] == ["-m", "pipeline", "run"]
        assert "--set=simulate.rows=8000" in command
        assert "Traceback" not in one.output


def test_plain_lines_have_no_control_characters(attempts):
    output = attempts[0].output
    assert re.search(r"^\[1/\d+\] ClickLogExampleGen$", output, re.MULTILINE)
    assert all(character.isprintable() or character == "\n" for character in output)


def test_a_terminal_shows_all_components_and_is_left_in_order(attempts, killed):
    output = attempts[2].output
    last_drawing = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", output[output.rindex("ClickLogExampleGen") :]).split("\n")
    assert last_drawing[0].split() == ["ClickLogExampleGen", "unchanged,", "reused"]
    assert [line.split()[1] for line in last_drawing if line.startswith("✗")] == ["RankerTrainer"]
    assert [line.split()[0] for line in last_drawing[8:11]] == [
        "RankerSplitScorer",
        "RankerEvaluator",
        "RankerPusher",
    ]
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")  # the cursor is shown
    # What it says of the checkpoint is where the next run went on.
    [step] = re.findall(r"RankerTrainer goes on from the checkpoint of step (\d+)\.", output)
    assert int(step) == json.loads((killed / "summary.json").read_text())["training"]["resumed_from_step"]


def test_after_four_kills_it_ends_with_what_an_undisturbed_run_ends_with(undisturbed, killed):
    assert differences(digests(undisturbed), digests(killed)) == []


def test_after_four_kills_nothing_half_done_is_left(attempts, undisturbed, killed):
    assert inconsistencies(undisturbed) == []
    assert inconsistencies(killed) == []
    assert not any(one.halves for one in attempts)


def test_what_was_finished_is_reused_and_the_training_resumed(killed):
    summary = json.loads((killed / "summary.json").read_text())
    assert [name for name, cached in summary["cached"].items() if not cached] == ["RankerPusher"]
    assert 0 < summary["training"]["resumed_from_step"] < summary["training"]["steps"]


def test_the_log_in_other_files_and_another_order_gives_the_same(runs, undisturbed, tmp_path):
    [log] = undisturbed.glob("log-*/impressions-*.csv")
    header, *rows = log.read_text().splitlines(keepends=True)
    request = header.split(",").index("request_id")
    of_request = [row.split(",")[request] for row in rows]
    begins = [i for i in range(len(rows)) if i == 0 or of_request[i] != of_request[i - 1]]
    cuts = [0, begins[len(begins) // 5], begins[len(begins) // 2], len(rows)]
    for name, begin, end in zip("cba", cuts, cuts[1:], strict=False):  # read last first
        (tmp_path / f"impressions-{name}.csv").write_text(header + "".join(rows[begin:end]))
    sets = (*SETS, "stop_after=transform")
    done = attempt(runs / "3", sets=sets, data=str(tmp_path), start=fork)
    assert done.code == 0, done.output
    expected, found = digests(undisturbed), digests(runs / "3" / "demo")
    outputs = ["ClickLogExampleGen/examples", "CategoryHierarchyGen/hierarchy", "Transform/transformed_examples"]
    outputs.append("Transform/transform_graph")  # with the vocabularies
    assert {name: found[name] for name in outputs} == {name: expected[name] for name in outputs}

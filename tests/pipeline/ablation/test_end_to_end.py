"""`python -m pipeline ablation` on a small demo log, as a user runs it: stopped, resumed, and called once more."""

import json
import os
import pathlib
import signal
import time

import numpy as np
import pytest

from tests.attempts import fork
from tests.pipeline.commands import call

SMALL = ["simulate.rows=6000", "train.epochs=1", "model.hidden=[8]", "model.embedding_size=4"]


def flags(runs: pathlib.Path, *arguments: str) -> list[str]:
    return [f"--runs={runs}", "--seeds=1,2", *(f"--set={override}" for override in SMALL), *arguments]


VARIANTS = "--variants=dnn,few=moe;experts=4;top_k=2,wild=moe;train.learning_rate=1e30"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Interrupted when the first member is finished and the second has written a checkpoint."""
    runs = tmp_path_factory.mktemp("runs")
    members = runs / "demo" / "ablation" / "members"
    output = runs / "output"
    process = fork(["ablation", *flags(runs, VARIANTS)], {}, str(output), str(output))
    deadline = time.monotonic() + 600  # of a busy machine
    while not list(members.glob("moe-*.unfinished/checkpoints/last/checkpoint")):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    code = process.wait()
    return runs, code, output.read_text(), sorted(path.name for path in members.iterdir())


def test_an_interrupted_ablation_says_how_to_go_on(stopped):
    _, code, error, members = stopped
    assert code == 130
    assert "The same command goes on from here" in error
    assert [name.endswith(".unfinished") for name in members] == [False, True]


@pytest.fixture(scope="module")
def finished(stopped):
    runs = stopped[0]
    process = call("ablation", *flags(runs, VARIANTS))
    assert process.returncode == 0, process.stdout + process.stderr + (runs / "demo" / "run.log").read_text()[-5000:]
    folder = runs / "demo" / "ablation"
    return folder, process.stdout, json.loads((folder / "ablation.json").read_text(encoding="utf-8"))


def test_it_goes_on_where_it_was_stopped(stopped, finished):
    folder, output, result = finished
    lines = output.splitlines()
    starts = {line.partition(" (")[0]: place for place, line in enumerate(lines) if line.startswith("[")}
    assert lines[starts["[7/7] Transform"] + 1].strip() == "done: unchanged, reused"
    assert lines[starts["[1/6] dnn, seed 1"] + 1].strip() == "done: trained before, reused"
    assert "reused" not in lines[starts["[2/6] few, seed 1"] + 1]
    trainings = result["trainings"]
    assert trainings["dnn"]["1"]["resumed_from_step"] == 0
    assert trainings["few"]["1"]["resumed_from_step"] > 0
    unfinished = list((folder / "members").glob("*.unfinished"))
    assert len(unfinished) == 1  # of the variant that diverges
    assert len(list((folder / "members").iterdir())) == 4 + len(unfinished)


def test_it_writes_reports(finished):
    folder, output, result = finished
    assert result["baselines"] == ["dnn"]
    few = result["variants"]["few"]
    assert few["differences"]["dnn"]["session_auc"]["low"] < few["differences"]["dnn"]["session_auc"]["high"]
    assert few["parameters"] > result["variants"]["dnn"]["parameters"]
    assert few["silhouette"]["mean"] < 1
    assert 0.5 < result["oracle_session_auc"] <= 1
    assert set(result["slices"]) == {
        "top category",
        "length of history",
        "length of the list",
        "leaf category in training",
    }
    files = {path.name for path in folder.iterdir()}
    assert files >= {"report.html", "overall.csv", "slices.csv", "ablation.json"}
    assert result["marks"] == ["The log is simulated: its figures say nothing of a real shop."]
    assert "minus dnn" in output
    assert output.splitlines()[-1] == str(folder / "report.html")


def test_gates_of_a_member_are_the_weights_of_its_experts(finished):
    folder, _, _ = finished
    [member] = (folder / "members").glob("moe-seed-1-????????????????")
    gates = np.load(member / "gates.npy")
    assert gates.shape[1] == 4
    np.testing.assert_allclose(gates.sum(axis=1), 1, rtol=1e-5)
    assert ((gates > 0).sum(axis=1) == 2).all()


def test_a_second_call_trains_nothing_whatever_the_label(finished):
    folder, _, result = finished
    members = {path.name: path.stat().st_mtime_ns for path in (folder / "members").iterdir()}
    process = call("ablation", *flags(folder.parents[1], "--variants=dnn,other=moe;experts=4;top_k=2"))
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("trained before, reused") == 4
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "members").iterdir()} == members
    again = json.loads((folder / "ablation.json").read_text(encoding="utf-8"))
    assert again["variants"]["other"] == result["variants"]["few"]


def test_a_variant_that_diverges_is_left_out_and_the_others_are_compared(finished):
    folder, output, result = finished
    assert result["variants"].keys() == {"dnn", "few"}
    [(title, why)] = result["failed"].items()
    assert title == "wild, seed 1"
    assert why.startswith("the training has diverged at step 2: ")
    assert "wild, seed 1 failed, and its variant is left out" in output
    variants = "--variants=dnn,wild=moe;train.learning_rate=1e30"
    process = call("ablation", *flags(folder.parents[1], variants, "--baselines=wild"))
    assert process.returncode == 1
    assert process.stderr.startswith("nothing can be compared without wild; what was trained is kept.\nwild, seed 1: ")


def test_a_wrong_variant_is_refused_before_anything_starts(tmp_path):
    process = call("ablation", *flags(tmp_path, "--variants=dnn,few=moe;expert=4"))
    assert process.returncode == 2
    assert "unknown key `model.expert`. Did you mean `experts`?" in process.stderr
    assert not list(tmp_path.iterdir())

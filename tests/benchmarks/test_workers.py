import sys

import pytest
import tensorflow as tf

from benchmarks.workers import Program, interleaved, median_figures

WORKER = """
import os, sys, time
from benchmarks.workers import answer

def prepare(settings):
    print("a library that prints")
    turns = []
    def measure():
        with open(settings["turns"], "a") as file:
            file.write(settings["name"])
        turns.append(0)
        if len(turns) == settings.get("dies_in"):
            sys.exit(1)
        return {"turn": len(turns), "cores": len(os.sched_getaffinity(0))}
    return measure

answer(prepare)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "made_up_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(name, **settings):
        settings = {"name": name, "turns": str(tmp_path / "turns"), "threads": 1} | settings
        return Program(name, "made_up_worker", settings, sys.executable)

    return make


def test_they_take_turns_and_the_first_round_does_not_count(tmp_path, program):
    figures = interleaved([program("a"), program("b")], 3, tmp_path / "log")
    assert figures == {name: {"turn": [2, 3, 4], "cores": [1, 1, 1]} for name in "ab"}
    assert (tmp_path / "turns").read_text() == "abababab"
    assert median_figures(figures)["a"] == {"turn": 3, "cores": 1}
    assert "a library that prints" in (tmp_path / "log").read_text()


def test_one_that_fails_is_named(tmp_path, program):
    with pytest.raises(RuntimeError, match=r"'b' ended early; see .*log"):
        interleaved([program("a"), program("b", dies_in=2)], 3, tmp_path / "log")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error(tmp_path, program):
    with pytest.raises(RuntimeError, match="'a' ended early"):
        interleaved([program("a", device="gpu")], 1, tmp_path / "log")
    assert "--device gpu: TensorFlow sees no GPU" in (tmp_path / "log").read_text()

"""Trains for real, and asks a real TensorBoard for what it shows of it."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins import projector

from common.files import TRAINING_FILE
from components.model_report.curves import training_curves
from models.inputs.features import ranker_inputs
from models.inputs.hierarchy import build_hierarchy
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.config import TrainConfig
from models.training.entry import KEPT, write_kept
from models.training.loop import fit
from models.training.result import write_result
from models.training.tensorboard.pictures import Inside
from models.training.tensorboard.projector import write_projector
from tests.pipeline.commands import PROJECT, call

TRAIN = TrainConfig(epochs=2, validations_per_epoch=1, batch_requests=16, max_session_auc=1)
SMALL = {"experts": 5, "top_k": 2, "hidden": [8], "embedding_size": 4}
HOSTILE = ["a\tb", "\x1b[2J\u2028", " ", "<img src=x onerror=alert(1)>", b"\xff".decode("utf-8", "surrogateescape")]
COLUMNS = ["category", "level", "top category", "training requests"]


@pytest.fixture(scope="module")
def trained(small_log) -> Ranker:
    tf.keras.utils.set_random_seed(1)
    return Ranker(small_log.schema, small_log.inputs, ModelConfig(**SMALL))


@pytest.fixture(scope="module")
def runs(small_log, trained, tmp_path_factory) -> pathlib.Path:
    """A folder of runs, in whose run `demo` one training is finished, as the Trainer's, and another has begun."""
    runs, log = tmp_path_factory.mktemp("runs"), small_log
    trainings = runs / "demo" / "artifacts" / "RankerTrainer" / "model_run"
    result = fit(
        trained,
        log.train_files,
        log.valid_files,
        log.feature_spec,
        TRAIN,
        checkpoint_dir=str(runs / "checkpoints"),
        log_dir=str(trainings / "9"),
        inspect=Inside(log.hierarchy),
    )
    rows = warm_start.rows_of(trained, log.schema, log.transform_output, log.hierarchy)
    write_kept(result, trained, rows, log.schema, log.hierarchy, str(trainings / "9" / KEPT))
    write_result(result, trained, {}, str(trainings / "9" / TRAINING_FILE))
    (trainings / "10" / "train").mkdir(parents=True)
    [events] = (trainings / "9" / "train").iterdir()
    (trainings / "10" / "train" / events.name).write_bytes(events.read_bytes())
    (trainings / "11").mkdir()  # has not come to its first log
    return runs


def points(folder: pathlib.Path) -> dict[str, tuple[np.ndarray, list[list[str]]]]:
    """What the projector's files hold, read as its configuration says: vectors, and the lines of their names."""
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    found = {}
    for entry in config.embeddings:
        vectors = np.loadtxt(folder / entry.tensor_path, delimiter="\t", ndmin=2)
        assert list(vectors.shape) == list(entry.tensor_shape)
        lines = (folder / entry.metadata_path).read_text(encoding="utf-8").split("\n")[:-1]
        assert len(lines) == len(vectors) + 1
        found[entry.tensor_name] = vectors, [line.split("\t") for line in lines]
    return found


def test_the_projector_has_a_named_point_for_each_category_and_item(runs, trained, small_log):
    found = points(runs / "demo/artifacts/RankerTrainer/model_run/9/kept")
    assert list(found) == ["gates of click", "leaf categories", "items"]
    gates, (header, *names) = found["gates of click"]
    assert header == COLUMNS
    top, leaf = small_log.hierarchy.levels
    assert len(gates) == len(top.keys) + len(leaf.keys)  # the constraint gates' level and the leaves'
    np.testing.assert_allclose(gates.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal((gates > 0).sum(axis=1), 2)
    parents = [top.keys[parent - 1] for parent in leaf.parents]
    of_leaves = [
        [f"{parent} > {key}", "2", parent, str(count)]
        for parent, key, count in zip(parents, leaf.keys, leaf.counts, strict=True)
    ]
    assert names == [[key, "1", key, str(count)] for key, count in zip(top.keys, top.counts, strict=True)] + of_leaves
    assert found["leaf categories"][1][1:] == of_leaves
    table = trained.encoder.category_tables[-1].embeddings
    np.testing.assert_allclose(found["leaf categories"][0], table[1:], rtol=1e-5)
    vocabulary = [name.decode() for name in small_log.transform_output.vocabulary_by_name("item_id")]
    items = found["items"][1]
    assert items == [["item", "place by frequency"], *([name, str(n)] for n, name in enumerate(vocabulary, 1))]


@pytest.mark.parametrize("variant", ["hsc_moe", "aw_moe", "mmoe", "dnn"])
def test_hostile_names_stay_a_row_each_under_every_variant(small_log, tmp_path, variant, monkeypatch):
    counts = {("top\t", name): 9 - place for place, name in enumerate(HOSTILE)}
    counts |= {("other", "rest"): 2, ("", "an orphan"): 1}
    hierarchy = build_hierarchy(counts, ["top_category", "sub_category"])
    log = small_log
    ranker = Ranker(
        log.schema,
        ranker_inputs(log.schema, log.transform_output, hierarchy),
        ModelConfig(**SMALL, variant=variant),
    )
    [batch] = read_requests(log.valid_files, log.feature_spec, 8).take(1)
    ranker(batch)
    rows = warm_start.rows_of(ranker, log.schema, log.transform_output, hierarchy)
    rows.names["table item_id"][:3] = [b"\xff\t\n", b"  ", "\u202e".encode()]
    write_projector(ranker, rows, log.schema, hierarchy, str(tmp_path))
    found = points(tmp_path)
    gated = variant in ("hsc_moe", "aw_moe")
    assert list(found) == ["gates of click"] * gated + ["leaf categories", "items"]
    escaped = [r"a\tb", r"\x1b[2J\u2028", " ", "<img src=x onerror=alert(1)>", r"\xff"]
    leaves = [[rf"top\t > {name}", "2", r"top\t", str(9 - place)] for place, name in enumerate(escaped)]
    leaves += [["other > rest", "2", "other", "2"], ["an orphan", "2", "(unknown)", "1"]]
    assert found["leaf categories"][1] == [COLUMNS, *leaves]
    assert [name for name, _ in found["items"][1][1:4]] == [r"\xff\t\n", "  ", r"\u202e"]
    monkeypatch.setattr("models.training.tensorboard.projector._CATEGORIES", 2)
    write_projector(ranker, rows, log.schema, hierarchy, str(tmp_path / "busiest"))
    busiest = points(tmp_path / "busiest")
    assert busiest["leaf categories"][1] == [COLUMNS, *leaves[:2]]
    if gated:  # two of each level that routes, the upper first
        all_vectors, all_names = found["gates of click"]
        vectors, (_, *names) = busiest["gates of click"]
        assert names == [*[row for row in all_names if row[1] == "1"][:2], *leaves[:2]]
        np.testing.assert_array_equal(vectors, all_vectors[[all_names.index(name) - 1 for name in names]])
    if gated:
        assert found["gates of click"][1][-7:] == leaves
        np.testing.assert_array_equal((found["gates of click"][0] > 0).sum(axis=1), 2)


def test_the_reports_curves_are_the_scalars_alone(runs):
    names = {curve.name for curve in training_curves(str(runs / "demo/artifacts/RankerTrainer/model_run/9"))}
    assert {"train/loss/ranking_loss", "valid/session_auc"} < names
    assert all(name.startswith(("train/loss/", "train/gate/", "valid/")) for name in names)


@contextlib.contextmanager
def tensorboard(runs: pathlib.Path, home: pathlib.Path):
    """The process of the verb on a free port, and its address; killed at the end if it has not ended."""
    command = [sys.executable, "-m", "pipeline", "tensorboard", f"--runs={runs}", "--port=0"]
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(home.parent)}
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As a terminal starts it: what a shell starts in the background ignores SIGINT, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        said = ""
        for line in process.stdout:
            said += line
            if address := re.search(r" at (http://127\.0\.0\.1:\d+/) ", line):
                yield process, address[1], said
                return
        pytest.fail(said)
    finally:
        process.kill()
        process.wait()


def get(address: str, path: str, **parameters: str) -> bytes:
    with urllib.request.urlopen(f"{address}data/{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
        return answer.read()


def wait_for(address: str, path: str, enough) -> list | dict:
    """The answer in JSON, once it is `enough`: TensorBoard reads logs while it serves."""
    end = time.monotonic() + 60
    while not enough(found := json.loads(get(address, path))):
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def test_tensorboard_shows_the_trainings_and_ends_on_ctrl_c(runs, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with tensorboard(runs, home) as (process, address, said):
        assert re.match(r"training 9, .*: 24 steps, the best of them \d+, session AUC 0\.\d+\n", said)
        assert re.search(r"\ntraining 10, .*: not finished\n", said)
        assert "training 11" not in said
        ours = {"9/train", "9/valid", "9/inside", "9/kept", "10/train"}
        assert set(wait_for(address, "runs", lambda found: len(found) == 5)) == ours
        scalars = wait_for(address, "plugin/scalars/tags", lambda found: len(found) > 3)
        assert "loss/ranking_loss" in scalars["9/train"]
        assert "experts/mean_distance" in scalars["9/inside"]
        wait_for(address, "plugin/images/tags", lambda found: "9/inside" in found)
        one = {"run": "9/inside", "tag": "gates/click", "sample": "0"}
        images = json.loads(get(address, "plugin/images/images", **one))
        assert [image["step"] for image in images] == [12, 24]  # one a validation
        picture = get(address, f"plugin/images/individualImage?{images[-1]['query']}&")
        assert picture.startswith(b"\x89PNG")
        wait_for(address, "plugin/projector/runs", lambda found: found == ["9/kept"])
        config = json.loads(get(address, "plugin/projector/info", run="9/kept"))
        for entry in config["embeddings"]:
            name = {"run": "9/kept", "name": entry["tensorName"]}
            vectors = np.frombuffer(get(address, "plugin/projector/tensor", **name), np.float32)
            names = get(address, "plugin/projector/metadata", **name).decode().split("\n")[:-1]
            assert [len(names) - 1, len(vectors) / (len(names) - 1)] == entry["tensorShape"]
        port = urllib.parse.urlparse(address).port
        taken = call("tensorboard", f"--runs={runs}", f"--port={port}")
        assert (taken.returncode, taken.stdout) == (2, "")
        assert taken.stderr.startswith(f"tensorboard: --port={port} is taken by another program. Give another, as ")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert (process.returncode, rest.strip()) == (0, "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("there", "flags", "said"),
    [
        ([], [], r"demo: there is no such run\. `make run CONFIG=.*demo\.yaml` makes it"),
        (["demo/artifacts"], [], r"demo: nothing was trained yet\. `make run CONFIG=.*demo\.yaml` trains"),
        ([], ["--config=none.yaml"], r"none\.yaml"),
        (["demo"], ["--set=name=../x"], r"`name`|name"),
    ],
)
def test_what_cannot_be_shown_is_told(tmp_path, there, flags, said):
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    process = call("tensorboard", f"--runs={tmp_path}", *flags)
    assert process.returncode == 2
    assert re.search(said, process.stderr)
    assert "Traceback" not in process.stderr


def test_an_address_of_another_machine_is_told(runs):
    process = call("tensorboard", f"--runs={runs}", "--host=192.0.2.1", "--port=0")
    assert process.returncode == 2
    assert "tensorboard: --host=192.0.2.1 --port=0 cannot be opened: " in process.stderr

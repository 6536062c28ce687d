import json
import os
import signal
import subprocess
import sys
import threading
import types
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from common.files import TRAINING_FILE
from common.progress import LOGGER
from models.distributed import cluster
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.entry import run_fn
from models.training.errors import TrainingFault
from models.training.loop import fit
from models.training.optimizers import make_optimizer
from models.training.placement import new_ranker
from schemas.parsing import parse_schema
from tests.models.conftest import SCHEMA_PATH

SMALL = {"experts": 4, "top_k": 2, "hidden": [8], "embedding_size": 4}
TRAIN = {"epochs": 1, "batch_requests": 17, "validations_per_epoch": 1}
CASES = {
    # By gradients alone: Adam makes a whole step of a gradient that differs from 0 in its last digit only.
    "all auxiliary losses": (
        {"variant": "adv_hsc_moe", "tasks": ["click", "purchase"]},
        {},
        lambda config, steps: tf.keras.optimizers.SGD(0.1, global_clipnorm=0.05),
    ),
    "a list-wise loss, positions, lazy Adam": (
        {"variant": "dnn", "loss": "softmax", "position_tower": True, "batch_norm": False},
        {"optimizer": "lazy_adam"},
        make_optimizer,
    ),
}
MIRRORED = """
import json, sys
import tensorflow as tf
from tests.models.distributed.test_workers import fitted
devices = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
log, folder = json.loads(sys.argv[1]), sys.argv[2]
fitted(log, folder, "mirrored")
"""


def fitted(log: dict, folder, strategy: str) -> None:
    """Trains all cases; writes their weights and the means of their losses."""
    schema = parse_schema(SCHEMA_PATH.read_text(encoding="utf-8"))
    data = TrainingData(schema, log["graph"], log["train"], log["valid"])
    for place, (model, train, optimizer) in enumerate(CASES.values()):
        model, train = ModelConfig(**SMALL | model), TrainConfig(strategy=strategy, **TRAIN | train)
        ranker = new_ranker(data, model, train)
        logs = f"{folder}/{place}"
        with mock.patch("models.training.loop.make_optimizer", optimizer):
            fit(ranker, data.train_files, data.valid_files, data.feature_spec, train, f"{logs}/checkpoints", logs)
        weights = [variable.numpy() for variable in ranker.trainable_variables]
        layers = (ranker.encoder, *ranker.position_towers)
        moving = [variable.numpy() for layer in layers for variable in layer.non_trainable_variables]
        np.savez(f"{folder}/{place}.npz", *weights, *moving, np.array(sorted(scalars(logs).items()), object))


def scalars(folder: str) -> dict[str, float]:
    """What TensorBoard shows of the last step."""
    found = {}
    for split in ("train", "valid"):
        files = tf.io.gfile.glob(f"{folder}/{split}/*")  # one for each time that it was started, in any order
        events = [event for file in files for event in tf.compat.v1.train.summary_iterator(file)]
        for event in sorted(events, key=lambda event: event.step):
            found |= {f"{split} {value.tag}": float(tf.make_ndarray(value.tensor)) for value in event.summary.value}
    return found


def test_two_replicas_take_the_steps_of_one(small_log, tmp_path):
    log = {"graph": small_log.transform_graph, "train": small_log.train_files, "valid": small_log.valid_files}
    for strategy in ("default", "mirrored"):
        (tmp_path / strategy).mkdir()
    other = subprocess.Popen([sys.executable, "-c", MIRRORED, json.dumps(log), str(tmp_path / "mirrored")])
    fitted(log, tmp_path / "default", "default")
    assert other.wait() == 0
    for place, case in enumerate(CASES):
        one, two = (np.load(tmp_path / name / f"{place}.npz", allow_pickle=True) for name in ("default", "mirrored"))
        *weights, means = one.files
        for name in weights:
            if one[name].size == 1:  # a shift of all scores, which no list-wise loss sees: its gradient is rounding
                continue
            np.testing.assert_allclose(one[name], two[name], rtol=1e-3, atol=2e-5, err_msg=case)
        one, two = dict(one[means]), dict(two[means])
        assert one.keys() == two.keys()
        for name, value in one.items():
            if name != "valid session_auc":
                assert float(two[name]) == pytest.approx(float(value), rel=2e-3, abs=1e-5), f"{case}: {name}"


def _fn_args(small_log, folder, model: ModelConfig, train: TrainConfig) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        train_files=small_log.train_files,
        eval_files=small_log.valid_files,
        transform_graph_path=small_log.transform_graph,
        serving_model_dir=str(folder / "model"),
        model_run_dir=str(folder / "run"),
        hyperparameters=None,
        base_model=None,
        custom_config={
            "schema": SCHEMA_PATH.read_text(encoding="utf-8"),
            "model": model.model_dump(),
            "train": train.model_dump(),
            "checkpoints": str(folder / "checkpoints"),
            "code": "1",
        },
    )


def test_of_two_workers_one_is_killed_and_they_end_where_one_process_does(small_log, tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    caplog.set_level("INFO", LOGGER)
    started, enter = [], cluster._Worker.__enter__

    def record(worker):
        started.append(enter(worker))
        return started[-1]

    def kill_the_second_after_the_first_checkpoint():
        while not list(tmp_path.glob("checkpoints/*/last/checkpoint")):
            finished.wait(0.02)
        os.kill(started[1].process.pid, signal.SIGKILL)

    monkeypatch.setattr(cluster._Worker, "__enter__", record)
    finished = threading.Event()
    threading.Thread(target=kill_the_second_after_the_first_checkpoint, daemon=True).start()
    train = TrainConfig(**TRAIN | {"epochs": 4, "validations_per_epoch": 2, "patience": 10}, strategy="multi_worker")
    model = ModelConfig(variant="moe", **SMALL)
    run_fn(_fn_args(small_log, tmp_path, model, train))

    result = json.loads((tmp_path / "run" / TRAINING_FILE).read_text())
    assert len(started) == 4
    assert 0 < result["resumed_from_step"] < result["steps"] == 40
    assert "worker 1 died (signal 9); all start again from the last checkpoint, restart 1 of 3" in caplog.text
    assert "step 40 of 40, validation: session AUC" in caplog.text
    assert not list(tmp_path.glob("checkpoints/*/*"))
    alone = train.model_copy(update={"strategy": "default"})
    ranker = new_ranker(small_log, model, alone)
    files = small_log.train_files, small_log.valid_files
    expected = fit(ranker, *files, small_log.feature_spec, alone, str(tmp_path / "one"), str(tmp_path / "logs"))
    assert result["steps"] == expected.steps
    of_two, of_one = scalars(tmp_path / "run"), scalars(tmp_path / "logs")
    for name in ("train loss/ranking_loss", "train loss/load_balance", "valid log_loss"):
        assert of_two[name] == pytest.approx(of_one[name], rel=5e-3), name
    # The chief alone shows TensorBoard what is inside: a file for each time that it was started.
    assert len(list((tmp_path / "run" / "inside").iterdir())) == 2
    assert (tmp_path / "run" / "kept" / "projector_config.pbtxt").exists()
    model = tf.saved_model.load(str(tmp_path / "model"))
    assert "rank" in model.signatures


def test_workers_that_diverge_end_with_the_reason_alone(small_log, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    train = TrainConfig(**TRAIN | {"learning_rate": 1e30}, strategy="multi_worker")
    with pytest.raises(TrainingFault, match=r"^the training has diverged at step 2: ranking_loss") as error:
        run_fn(_fn_args(small_log, tmp_path, ModelConfig(variant="dnn", **SMALL), train))
    assert "Traceback" not in str(error.value)
    assert "lower `train.learning_rate` (now 1e+30)" in str(error.value)
    assert not list(tmp_path.glob("checkpoints/*/*/*.index"))
    assert not (tmp_path / "model").exists()


def test_a_worker_that_fails_by_itself_is_not_started_again(tmp_path):
    with pytest.raises(cluster.WorkerFailed, match=r"(?s)worker \d died \(exit code 1\).*FileNotFoundError"):
        cluster.supervise(str(tmp_path / "job.json"), 2, TrainingFault)


def test_a_batch_that_leaves_a_worker_without_a_request_is_refused():
    with pytest.raises(ValueError, match=r"must be at least workers=4\. Received: batch_requests=3"):
        TrainConfig(strategy="multi_worker", workers=4, batch_requests=3)

"""Each fault is made for real, in a training of `fit` on transformed requests."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from common.progress import LOGGER, progress
from common.warnings import keep_warnings, read_warnings
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.errors import LabelLeak, TrainingFault
from models.training.leaks import leaking_features
from models.training.loop import fit

TRAIN = TrainConfig(epochs=1, batch_requests=16, validations_per_epoch=2, shuffle_requests=1)
MODEL = ModelConfig(variant="moe", experts=3, top_k=1, hidden=[8], embedding_size=4)


def _fit(log, folder, model=None, change=None, **train):
    config = TRAIN.model_copy(update=train)
    tf.keras.utils.set_random_seed(config.seed)
    ranker = Ranker(log.schema, log.inputs, MODEL.model_copy(update=model or {}), config.seed)
    if change:
        [batch] = read_requests(log.valid_files, log.feature_spec, 1).take(1)
        ranker(batch)  # creates the variables
        change(ranker)
    folders = str(folder / "checkpoints"), str(folder / "logs")
    result = fit(ranker, log.train_files, log.valid_files, log.feature_spec, config, *folders)
    return ranker, result


def _changed(log, folder, change):
    """The log with ``change(example's lists by transformed feature, place in the split)`` done to each request."""
    keys = {name: getattr(spec, "value_key", None) or name for name, spec in log.feature_spec.items()}
    files = {}
    for split in ("train_files", "valid_files"):
        [path] = getattr(log, split)
        files[split] = [str(folder / f"{split}.gz")]
        with tf.io.TFRecordWriter(files[split][0], "GZIP") as writer:
            for place, record in enumerate(tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator()):
                example = tf.train.Example.FromString(record)
                lists = {}
                for name, key in keys.items():
                    of = example.features.feature[key]
                    lists[name] = getattr(of, of.WhichOneof("kind") or "int64_list").value
                change(lists, place if split == "train_files" else None)
                writer.write(example.SerializeToString())
    return dataclasses.replace(log, **files)


def _checkpoints(folder) -> set[str]:
    return {path.name for path in folder.glob("checkpoints/*/*.index")}


def _warnings(caplog) -> list[str]:
    """Ours: TensorFlow warns of retracing, by what else has run in the process."""
    return [record.getMessage() for record in caplog.records if record.name == LOGGER and record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("train", "found"),
    [
        ({"learning_rate": 1e30}, r"step 2: ranking_loss is (nan|inf).* \(the step before: ranking_loss 0\.\d+, .*"),
        # One step a stretch: its loss is fine, and what it made of the weights is not.
        ({"learning_rate": 1e39, "batch_requests": 200, "validations_per_epoch": 1}, r"step 1: "),
    ],
)
def test_a_training_that_diverges_says_where_and_leaves_no_checkpoint(small_log, tmp_path, train, found):
    remedy = re.escape(f"lower `train.learning_rate` (now {train['learning_rate']:g}), cut gradients by")
    with pytest.raises(TrainingFault, match=rf"(?s)the training has diverged at {found}.*\nTo go on: {remedy}"):
        _fit(small_log, tmp_path, **train)
    assert not _checkpoints(tmp_path)


def test_a_last_stretch_that_goes_nan_names_the_feature_and_the_next_run_goes_on_from_before(small_log, tmp_path):
    def poison(lists, place):
        if place == 150:
            lists["price"][0] = float("inf")

    with pytest.raises(TrainingFault, match=r"Values of the train split that are not finite: price has 1\.\n") as error:
        _fit(_changed(small_log, tmp_path, poison), tmp_path)
    assert 6 < int(re.search(r"diverged at step (\d+): ranking_loss is nan", str(error.value))[1]) <= 12
    assert _checkpoints(tmp_path) == {"ckpt-6.index"}
    ranker, result = _fit(small_log, tmp_path)
    assert (result.resumed_from_step, result.steps) == (6, 12)
    assert all(np.isfinite(variable).all() for variable in ranker.own_variables if variable.dtype.is_floating)


def test_disagreement_that_explodes_on_logits_stops_the_training(small_log, tmp_path, caplog):
    model = {"variant": "adv_moe", "adv_space": "logit", "adv_weight": 1.0}
    with pytest.raises(
        TrainingFault, match=r"(?s)adversarial term has taken over: in the steps .* times the ranking loss.*"
        r"To go on: set `model.adv_space: probability`.*; or lower `model.adv_weight` \(now 1\)"
    ):  # fmt: skip
        _fit(small_log, tmp_path, model, epochs=20, learning_rate=0.03)
    _, result = _fit(small_log, tmp_path / "bounded", model | {"adv_space": "probability"})
    assert result.steps == 12
    assert not _warnings(caplog)


def _biased(ranker):
    ranker.gates[0].leaf_gate.bias.assign([50.0, 0.0, 0.0])


def test_a_collapsed_gate_warns_once_or_stops_the_training(small_log, tmp_path, caplog):
    model = {"load_balance_weight": 0.0}
    _, result = _fit(small_log, tmp_path / "warns", model, change=_biased)
    assert result.steps == 12
    [message] = _warnings(caplog)
    assert "the gate has collapsed: since the last validation, up to step 6, expert 0 scores 100.0% of" in message
    assert "`train.max_expert_share` is 66.7%; evenly spread, each would score 33.3%; 2 of the 3 score less" in message
    with pytest.raises(TrainingFault, match="the gate has collapsed"):
        _fit(small_log, tmp_path / "stops", model, change=_biased, on_collapse="stop")
    assert not _checkpoints(tmp_path / "stops")


def _price(lists, _):
    lists["price"][:] = [float(click) for click in lists["click"]]


def _brand(lists, _):
    lists["brand_id"][:] = [2 if click else 1 for click in lists["click"]]


def _history(lists, _):
    clicked = {item for item, click in zip(lists["item_id_id"], lists["click"], strict=True) if click}
    lists["history_item_id"][:] = sorted(clicked)


def test_a_leaked_label_stops_the_training_with_the_name_of_the_feature(small_log, tmp_path):
    log = _changed(small_log, tmp_path, _price)
    with pytest.raises(LabelLeak) as error:
        _fit(log, tmp_path, epochs=20, learning_rate=0.03)
    assert re.search(r"session AUC of the validation split is (1\.0|0\.99\d)\d+ over 40 requests", str(error.value))
    assert "the label click has leaked" in str(error.value)
    assert "Session AUC by itself: price 1.0000" in str(error.value)
    assert "so that price holds what was known before the request was shown" in str(error.value)


@pytest.mark.parametrize(
    ("leak", "name"),
    [(_price, "price"), (_brand, "brand_id"), (_history, "history_item_id (holds the item)"), (None, None)],
)
def test_the_feature_that_leaks_is_found_whatever_its_kind(small_log, tmp_path, leak, name):
    log = _changed(small_log, tmp_path, leak or (lambda lists, place: None))
    batches = [read_requests(files, log.feature_spec, 16) for files in (log.train_files, log.valid_files)]
    found = {feature: auc for auc, feature in leaking_features(log.inputs, "click", *batches)}
    assert {feature for feature, auc in found.items() if auc > 0.9} == ({name} if name else set())


def test_a_warning_is_kept_once_and_nothing_without_one(tmp_path):
    with keep_warnings(str(tmp_path / "some")):
        for text in ("one", "two\nlines", "one"):
            progress.warning("%s", text)
        progress.info("three")
    with keep_warnings(str(tmp_path / "none")):
        progress.info("one")
    progress.warning("later")
    assert read_warnings(str(tmp_path / "some")) == ["one", "two\nlines"]
    assert read_warnings(str(tmp_path / "none")) == []
    assert not (tmp_path / "none").exists()

"""What decides how a ranker is trained and which weights are kept, seen after a real `fit`."""

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.loop import fit
from tests.models.metrics.reference import requests_of, session_auc

ONE_STEP = {"epochs": 1, "validations_per_epoch": 1, "batch_requests": 200}


def _fit(log, folder, prepare=None, inspect=None, model=None, **train):
    config = TrainConfig(**{"batch_requests": 16, "shuffle_requests": 1, "max_session_auc": 1, "patience": 100} | train)
    tf.keras.utils.set_random_seed(config.seed)
    model = ModelConfig(**{"variant": "dnn", "hidden": [8], "embedding_size": 4} | (model or {}))
    ranker = Ranker(log.schema, log.inputs, model, config.seed)
    folders = str(folder / "checkpoints"), str(folder / "logs")
    result = fit(
        ranker, log.train_files, log.valid_files, log.feature_spec, config, *folders, prepare=prepare, inspect=inspect
    )
    return ranker, result


def test_of_several_tasks_the_first_is_validated(small_log, tmp_path):
    def purchases_are_the_items_without_a_click(batch):
        clicks = batch["click"]
        return batch | {"purchase": clicks.with_flat_values(1 - clicks.flat_values)}

    model = {"tasks": ["click", "purchase"], "score_weights": [0.9, 0.1]}
    ranker, result = _fit(
        small_log, tmp_path, purchases_are_the_items_without_a_click, model=model, epochs=6, learning_rate=1e-2
    )
    [batch] = read_requests(small_log.valid_files, small_log.feature_spec, 40).take(1)
    expected = session_auc(requests_of(batch["click"].to_list(), ranker(batch).to_list()))
    assert expected > 0.6  # by purchases it would be below 0.4
    assert result.session_auc == pytest.approx(expected, abs=1e-5)


def test_the_weights_of_the_best_validation_are_kept(small_log, tmp_path, monkeypatch):
    aucs, seen = {6: 0.6, 12: 0.7, 18: 0.5, 24: 0.65}, {}

    def validation_means(ranker):
        return {"ranking_loss": 0.5, "log_loss": 0.5, "session_auc": aucs[int(ranker.optimizer.iterations)]}

    def inspect(ranker, _):
        seen[int(ranker.optimizer.iterations)] = [weight.numpy() for weight in ranker.trainable_variables]

    monkeypatch.setattr(Ranker, "validation_means", validation_means)
    ranker, result = _fit(small_log, tmp_path, inspect=inspect, epochs=2, validations_per_epoch=2)
    assert (result.steps, result.best_step, result.session_auc) == (24, 12, 0.7)
    for weight, best, last in zip(ranker.trainable_variables, seen[12], seen[24], strict=True):
        np.testing.assert_array_equal(weight, best, err_msg=weight.name)
        assert (best != last).any(), weight.name


def test_a_cosine_schedule_ends_at_a_learning_rate_of_0(small_log, tmp_path):
    rates = {}  # by the number of steps, that of the last one

    def inspect(ranker, _):
        rates[int(ranker.optimizer.iterations)] = float(ranker.optimizer.learning_rate)

    _fit(small_log, tmp_path, inspect=inspect, epochs=2, validations_per_epoch=1, schedule="cosine", learning_rate=0.01)
    assert rates == {
        steps: pytest.approx(0.005 * (1 + np.cos(np.pi * (steps - 1) / 24)), rel=1e-3) for steps in (12, 24)
    }


def test_the_global_norm_of_the_gradients_is_clipped(small_log, tmp_path):
    norms = []
    for clip_norm in (None, 1e-3):
        ranker, _ = _fit(small_log, tmp_path / str(clip_norm), **ONE_STEP, clip_norm=clip_norm)
        # After one step Adam's m is (1 - beta_1) times the gradient.
        norms.append(float(tf.linalg.global_norm(ranker.optimizer._momentums)) / 0.1)
    # Not 1e-3 exactly: an item that a batch holds twice has two gradients, and their norm is not that of their sum.
    assert norms[1] < 5e-3 < 5e-2 < norms[0]


@pytest.mark.parametrize(("optimizer", "all_move"), [("adam", True), ("lazy_adam", False)])
def test_only_adam_moves_the_embeddings_that_a_batch_does_not_look_up(small_log, tmp_path, optimizer, all_move):
    tables = []

    def inspect(ranker, _):
        tables.append(ranker.encoder.tables["item_id"].embeddings.numpy())

    def only_the_first_requests(batch):
        keep = tf.range(tf.shape(batch["price"].row_lengths())[0]) < 2
        return {name: tf.ragged.boolean_mask(values, keep) for name, values in batch.items()}

    # Four steps of two requests each, a validation after each step.
    train = {"batch_requests": 50, "epochs": 1, "validations_per_epoch": 4, "optimizer": optimizer}
    _fit(small_log, tmp_path, only_the_first_requests, inspect, **train)
    first, *_, before, last = tables
    moved_earlier, moved_last = (before != first).any(axis=1), (last != before).any(axis=1)
    assert moved_earlier.any()
    assert moved_last[moved_earlier].all() == all_move

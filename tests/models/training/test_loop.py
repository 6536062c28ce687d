import shutil

import numpy as np
import pytest
import tensorflow as tf

from common.warnings import keep_warnings, read_warnings
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.checkpoints import discard_checkpoints
from models.training.config import TrainConfig
from models.training.loop import fit
from models.training.progress_callback import ProgressCallback

TRAIN = TrainConfig(epochs=3, batch_requests=16, validations_per_epoch=2, learning_rate=3e-3, shuffle_requests=50)


class Killed(Exception):
    pass


MODEL = ModelConfig(experts=3, top_k=1, hidden=[8], embedding_size=4)


def _fit(small_log, folder, config=TRAIN, model=MODEL, inspect=None):
    tf.keras.utils.set_random_seed(config.seed)
    ranker = Ranker(small_log.schema, small_log.inputs, model, config.seed)
    result = fit(
        ranker,
        small_log.train_files,
        small_log.valid_files,
        small_log.feature_spec,
        config,
        checkpoint_dir=str(folder / "checkpoints"),
        log_dir=str(folder / "logs"),
        inspect=inspect,
    )
    return ranker, result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture(scope="module")
def undisturbed(small_log, folder):
    return _fit(small_log, folder)


def test_it_learns_what_differs_by_category(undisturbed):
    _, result = undisturbed
    assert result.steps == 36
    assert result.requests == 200
    assert 0 < result.best_step <= 36
    assert result.session_auc > 0.6
    assert result.items_per_second > 0


def test_a_killed_training_resumes_and_ends_with_the_same_weights(small_log, undisturbed, tmp_path, monkeypatch):
    on_epoch_end = ProgressCallback.on_epoch_end

    def die_after_the_third_validation(self, epoch, logs=None):
        if epoch == 3:
            raise Killed
        on_epoch_end(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressCallback, "on_epoch_end", die_after_the_third_validation)
        with pytest.raises(Killed):
            _fit(small_log, tmp_path)

    def no_picture(*_):
        raise OSError("no font")

    with keep_warnings(str(tmp_path)):
        ranker, result = _fit(small_log, tmp_path, inspect=no_picture)  # which is no matter of the training
    assert read_warnings(str(tmp_path)) == [
        "goes on without TensorBoard's pictures of this validation: OSError: no font"
    ]
    expected, undisturbed_result = undisturbed
    assert result.resumed_from_step == 18
    assert result.steps == undisturbed_result.steps
    assert result.session_auc == pytest.approx(undisturbed_result.session_auc, abs=1e-6)
    for variable, other in zip(ranker.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_allclose(variable, other, rtol=1e-4, atol=1e-5, err_msg=variable.name)


def _assert_same(ranker, expected):
    for variable, other in zip(ranker.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_array_equal(variable, other, err_msg=variable.name)


def test_the_best_weights_are_those_of_the_best_step_and_not_the_newest(small_log, folder, undisturbed, tmp_path):
    # As a run leaves it that was killed after it wrote the best checkpoint and before the last.
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    other = Ranker(small_log.schema, small_log.inputs, MODEL, seed=5)
    newest = tf.train.Checkpoint(ranker=other)
    tf.train.CheckpointManager(newest, str(tmp_path / "checkpoints" / "best"), 2).save(checkpoint_number=99)
    ranker, result = _fit(small_log, tmp_path)
    assert (result.resumed_from_step, result.best_step) == (36, undisturbed[1].best_step)
    _assert_same(ranker, undisturbed[0])


def test_a_state_that_is_half_removed_is_not_taken_for_that_of_a_killed_training(
    small_log, folder, undisturbed, tmp_path, monkeypatch
):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)

    def die_half_way(path):
        shutil.rmtree(f"{path}/best")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "rmtree", die_half_way)
        with pytest.raises(Killed):
            discard_checkpoints(str(tmp_path / "checkpoints"))
    ranker, result = _fit(small_log, tmp_path)
    assert result.resumed_from_step == 0
    _assert_same(ranker, undisturbed[0])


def test_it_stops_early_keeps_the_best_and_is_not_trained_further(small_log, tmp_path):
    # A learning rate of almost nothing never betters the first validation by more than noise.
    config = TRAIN.model_copy(update={"learning_rate": 1e-12, "patience": 1, "epochs": 5})
    first, result = _fit(small_log, tmp_path, config)
    assert result.best_step < result.steps < 60
    second, again = _fit(small_log, tmp_path, config)
    assert (again.resumed_from_step, again.steps, again.best_step) == (result.steps, result.steps, result.best_step)
    for variable, other in zip(first.trainable_variables, second.trainable_variables, strict=True):
        np.testing.assert_array_equal(variable, other)


def test_it_learns_as_much_in_bfloat16(small_log, undisturbed, tmp_path):
    _, result = _fit(small_log, tmp_path, model=MODEL.model_copy(update={"bfloat16": True}))
    assert result.steps == 36
    assert result.session_auc == pytest.approx(undisturbed[1].session_auc, abs=0.05)

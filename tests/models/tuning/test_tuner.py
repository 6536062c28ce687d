import json
import types

import pytest

from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.errors import LabelLeak, TrainingFault
from models.training.loop import fit
from models.training.progress_callback import ProgressCallback
from models.training.tuned_values import decode, with_values
from models.tuning import tuner
from models.tuning.search_space import TuneConfig
from tests.models.conftest import SCHEMA_PATH

MODEL = ModelConfig(experts=3, top_k=1, hidden=[8], embedding_size=4, hsc_weight=0.01)
TRAIN = TrainConfig(epochs=1, batch_requests=16, validations_per_epoch=2, shuffle_requests=50)
TUNE = TuneConfig(
    trials=2,
    space={
        "model": {"hidden": [[8], [4, 4]], "top_k": [1, 2, 3], "hsc_weight": {"min": 0, "max": 1}},
        "train": {"learning_rate": {"min": 1e-3, "max": 1e-2, "log": True}},
    },
)


class Killed(BaseException):
    pass


def _search(small_log, folder, tune=TUNE):
    """Searches as TFX's executor does: each trial's values and score, and the best values as the Trainer gets them."""
    fn_args = types.SimpleNamespace(
        base_model=None,
        train_files=small_log.train_files,
        eval_files=small_log.valid_files,
        transform_graph_path=small_log.transform_graph,
        working_dir=str(folder / "working"),
        custom_config={
            "schema": SCHEMA_PATH.read_text(encoding="utf-8"),
            "model": MODEL.model_dump(),
            "train": TRAIN.model_dump(),
            "tune": tune.model_dump(),
            "checkpoints": str(folder / "checkpoints"),
            "code": "1",
        },
    )
    found = tuner.tuner_fn(fn_args)
    found.tuner.search(**found.fit_kwargs)
    trials = [(trial.hyperparameters.values, trial.score) for trial in found.tuner.oracle.trials.values()]
    return trials, json.loads(json.dumps(found.tuner.get_best_hyperparameters()[0].get_config()))["values"]


@pytest.fixture(scope="module")
def undisturbed(small_log, tmp_path_factory):
    return _search(small_log, tmp_path_factory.mktemp("undisturbed"))


def test_it_finds_the_values_with_the_best_session_auc_of_the_validation_split(small_log, undisturbed, tmp_path):
    trials, best = undisturbed
    assert len(trials) == 2
    # The first is the configuration's own.
    assert trials[0][0] == {
        "model.hidden": "[8]",
        "model.top_k": 1,
        "model.hsc_weight": 0.01,
        "train.learning_rate": 1e-3,
    }
    assert best == max(trials, key=lambda trial: trial[1])[0]
    model, train = with_values(MODEL, TRAIN, decode(trials[1][0]))
    ranker = tuner.new_ranker(small_log, model, train)
    files = small_log.train_files, small_log.valid_files
    result = fit(ranker, *files, small_log.feature_spec, train, str(tmp_path / "c"), str(tmp_path / "l"))
    assert result.session_auc == pytest.approx(trials[1][1], abs=1e-4)


def test_a_killed_search_keeps_its_trials_and_goes_on_in_the_middle_of_one(
    small_log, undisturbed, tmp_path, monkeypatch
):
    on_epoch_end, epochs, results = ProgressCallback.on_epoch_end, [], []

    def die_in_the_second_trial(self, epoch, logs=None):
        epochs.append(epoch)
        if epochs == [0, 1, 0, 1]:
            raise Killed
        on_epoch_end(self, epoch, logs)

    def recorded_fit(*arguments, **keywords):
        results.append(fit(*arguments, **keywords))
        return results[-1]

    with monkeypatch.context() as patch:
        patch.setattr(ProgressCallback, "on_epoch_end", die_in_the_second_trial)
        with pytest.raises(Killed):
            _search(small_log, tmp_path)
    monkeypatch.setattr(tuner, "fit", recorded_fit)
    trials, best = _search(small_log, tmp_path)
    assert [result.resumed_from_step for result in results] == [6]
    assert [values for values, _ in trials] == [values for values, _ in undisturbed[0]]
    assert [score for _, score in trials] == pytest.approx([score for _, score in undisturbed[0]], abs=1e-4)
    assert best == undisturbed[1]
    # Of a finished trial only its figure stays, and more trials go on from there.
    assert {path.name for path in (tmp_path / "checkpoints" / "trials").glob("*/*")} == {"result.json"}
    more, _ = _search(small_log, tmp_path, TUNE.model_copy(update={"trials": 3}))
    assert more[:2] == trials
    assert len(results) == 2


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_it_proposes_nothing_twice_and_nothing_that_cannot_be(algorithm, tmp_path):
    # Three of the eight combinations cannot be: it needs top_k + 1 <= experts.
    space = {"model": {"experts": [2, 3, 4, 5], "top_k": [2, 3]}}
    tune = TuneConfig(trials=20, algorithm=algorithm, space=space)
    model = ModelConfig(experts=4, top_k=3)

    def configuration(values):
        return with_values(model, TRAIN, values)

    oracle = tuner.make_oracle(tune, tuner._hyperparameters(tune, model, TRAIN), configuration)
    search = tuner.RankerTuner(
        oracle, lambda values: values["model.experts"] / 10, directory=str(tmp_path), overwrite=True
    )
    search.search()
    tried = [tuple(trial.hyperparameters.values.values()) for trial in oracle.trials.values()]
    assert tried[0] == (4, 3)
    assert sorted(tried) == [(3, 2), (4, 2), (4, 3), (5, 2), (5, 3)]
    assert search.get_best_hyperparameters()[0].values["model.experts"] == 5


def test_bayesian_optimization_comes_closer_than_chance(tmp_path):
    space = {"train": {"learning_rate": {"min": 1e-4, "max": 1e-1, "log": True}, "clip_norm": {"min": 0.5, "max": 9}}}
    best = {}
    for algorithm in ("random", "bayesian"):
        tune = TuneConfig(trials=16, algorithm=algorithm, space=space)
        oracle = tuner.make_oracle(tune, tuner._hyperparameters(tune, MODEL, TRAIN), lambda values: ())
        search = tuner.RankerTuner(oracle, _hill, directory=str(tmp_path / algorithm))
        search.search()
        best[algorithm] = _hill(search.get_best_hyperparameters()[0].values)
    assert best["bayesian"] > max(best["random"], 0.99)


def _hill(values) -> float:
    """One at a learning rate of 0.05 and a norm of 7."""
    return 1 - (values["train.learning_rate"] - 0.05) ** 2 * 100 - (values["train.clip_norm"] - 7) ** 2 / 50


def test_a_space_without_a_possible_combination_is_an_error(small_log, tmp_path):
    tune = TuneConfig(space={"model": {"experts": [1, 2], "top_k": [2]}})
    with pytest.raises(ValueError, match=r"(?s)`tune.space`: no combination .* `disagreeing` must be in"):
        _search(small_log, tmp_path, tune)


def test_a_training_that_fails_ends_the_search(tmp_path):
    def fail(values):
        raise OSError("the disk is full")

    oracle = tuner.make_oracle(TUNE, tuner._hyperparameters(TUNE, MODEL, TRAIN), lambda values: ())
    with pytest.raises(tuner.keras_tuner.errors.FatalError, match="trial 1 of 2 failed") as error:
        tuner.RankerTuner(oracle, fail, directory=str(tmp_path)).search()
    assert "disk is full" in str(error.value.__cause__)


def test_a_trial_that_diverges_fails_alone_and_is_not_trained_again(small_log, tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO", tuner.progress.name)
    tune = TuneConfig(trials=2, space={"train": {"learning_rate": [1e-3, 1e30]}})
    trials, best = _search(small_log, tmp_path, tune)
    assert [values["train.learning_rate"] for values, score in trials if score is None] == [1e30]
    assert best == {"train.learning_rate": 1e-3}
    assert "trial 2 of 2 failed: the training has diverged at step 2: " in caplog.text

    def no_fit(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(tuner, "fit", no_fit)
    assert _search(small_log, tmp_path, tune) == (trials, best)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (TrainingFault, TrainingFault, r"all 5 trials failed, the first of them trial 1 of 5 \(experts 3\): it is so"),
        (LabelLeak, tuner.keras_tuner.errors.FatalError, r"trial 1 of 5 failed \(experts 3\)"),
    ],
)
def test_a_fault_of_all_trials_and_a_leaked_label_end_the_search(tmp_path, fault, error, message):
    def fail(values):
        raise fault("it is so")

    tune = TuneConfig(trials=5, space={"model": {"experts": [3, 4, 5, 6, 7]}})
    oracle = tuner.make_oracle(tune, tuner._hyperparameters(tune, MODEL, TRAIN), lambda values: ())
    with pytest.raises(error, match=message):
        tuner.RankerTuner(oracle, fail, directory=str(tmp_path)).search()

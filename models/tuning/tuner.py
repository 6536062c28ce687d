"""TFX Tuner's entry point: trials of KerasTuner, each a training evaluated on the validation split."""

import gc
import json
import logging
import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import keras_tuner
import tensorflow as tf

from common.progress import part, progress
from common.threads import use_cores
from models.ranker.config import ModelConfig
from models.training.checkpoints import training_key
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.errors import LabelLeak, TrainingFault
from models.training.loop import fit
from models.training.placement import new_ranker
from models.training.settings import read_settings
from models.training.tuned_values import decode, encode, with_values
from models.tuning.search_space import Range, TuneConfig, searched, show

OBJECTIVE = "session_auc"
_RESULT_FILE = "result.json"
_DRAWS = 1000
# Above the lines that tell how far a training is: these stay on the screen.
_TRIAL_LINE = logging.INFO + 5


class TunerFnResult(NamedTuple):
    """What TFX's Tuner takes: a KerasTuner tuner and the arguments of its ``search``."""

    tuner: keras_tuner.Tuner
    fit_kwargs: dict[str, Any]


def tuner_fn(fn_args) -> TunerFnResult:
    """The search for the ranker's hyperparameters.

    A trial's result is kept below ``checkpoints`` under a key of all that it follows from. The search
    itself is a function of its seed and of the results, so a killed one is simply begun anew: it proposes
    the same trials, and those that are finished are not trained again.

    Args:
      fn_args: TFX's FnArgs. ``custom_config`` is that of `models.training.entry.run_fn`, and ``tune`` (`TuneConfig`
        as a dictionary).
    """
    use_cores()
    settings = read_settings(fn_args.custom_config)
    tune = TuneConfig.model_validate(fn_args.custom_config["tune"])
    data = TrainingData(settings.schema, fn_args.transform_graph_path, fn_args.train_files, fn_args.eval_files)
    train = settings.train.in_one_process
    if tune.epochs:
        train = train.model_copy(update={"epochs": tune.epochs})

    def configuration(values: dict[str, Any]) -> tuple[ModelConfig, TrainConfig]:
        return with_values(settings.model, train, decode(values))

    def train_trial(values: dict[str, Any]) -> float:
        model, train = configuration(values)
        folder = os.path.join(settings.checkpoints, "trials", training_key(data, model, train, settings.code))
        return _train(data, model, train, folder)

    oracle = make_oracle(tune, _hyperparameters(tune, settings.model, train), configuration)
    return TunerFnResult(
        RankerTuner(
            oracle,
            train_trial,
            directory=fn_args.working_dir,
            project_name="tuner",
            overwrite=True,
        ),
        {},
    )


class RankerTuner(keras_tuner.Tuner):
    """A search whose trials train rankers.

    Args:
      oracle: proposes the values.
      train: trains a ranker with a trial's values and returns its best session AUC of the validation split.
      **kwargs: for keras_tuner.Tuner.
    """

    def __init__(self, oracle: keras_tuner.Oracle, train: Callable[[dict[str, Any]], float], **kwargs):
        super().__init__(oracle, **kwargs)
        self._train = train
        self._failed: list[str] = []

    def search(self, *args, **kwargs) -> None:
        """Searches.

        Raises:
          TrainingFault: if all trials failed.
        """
        super().search(*args, **kwargs)
        if len(self._failed) == len(self.oracle.trials):
            raise TrainingFault(f"all {len(self._failed)} trials failed, the first of them {self._failed[0]}")

    def run_trial(self, trial) -> dict[str, float]:
        """Trains once.

        Raises:
          keras_tuner.errors.FailedTrialError: if the training has a fault, as it has with some values and not others.
          keras_tuner.errors.FatalError: if it fails otherwise, which ends the search. KerasTuner would go on and spend
            the budget on an error: what cannot be has not been proposed, and a leaked label is in all trials.
        """
        name = f"trial {int(trial.trial_id) + 1} of {self.oracle.max_trials}"
        values = decode(trial.hyperparameters.values)
        described = ", ".join(f"{key.partition('.')[2]} {show(value)}" for key, value in values.items())
        progress.log(_TRIAL_LINE, "%s: %s", name, described)
        try:
            with part(int(trial.trial_id) + 1, self.oracle.max_trials, name):
                session_auc = self._train(trial.hyperparameters.values)
        except Exception as error:
            if isinstance(error, TrainingFault) and not isinstance(error, LabelLeak):
                progress.log(_TRIAL_LINE, "%s failed: %s", name, error)
                self._failed.append(f"{name} ({described}): {error}")
                raise keras_tuner.errors.FailedTrialError(str(error)) from error
            raise keras_tuner.errors.FatalError(f"{name} failed ({described})") from error
        finished = [other.score for other in self.oracle.trials.values() if other.score is not None]
        best = max([session_auc, *finished])
        said = (name, session_auc, best)
        progress.log(_TRIAL_LINE, "%s: session AUC %.4f, best so far %.4f", *said, extra={"kept": f"the end of {name}"})
        return {OBJECTIVE: session_auc}


def make_oracle(
    tune: TuneConfig, hyperparameters: keras_tuner.HyperParameters, configuration: Callable[[dict[str, Any]], tuple]
) -> keras_tuner.Oracle:
    """KerasTuner's oracle of that algorithm, which never proposes what ``configuration`` refuses.

    The first trial has the defaults of ``hyperparameters``. Bayesian optimization begins with random trials,
    one more than there are hyperparameters but at most half of all [D]; KerasTuner's own rule, three times
    as many as hyperparameters, would often leave none to its model.
    """
    arguments = {
        "configuration": configuration,
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "max_trials": tune.trials,
        "seed": tune.seed,
        "hyperparameters": hyperparameters,
        "max_consecutive_failed_trials": tune.trials + 1,  # however many fail, the others may not
    }
    if tune.algorithm == "random":
        return _RandomSearch(**arguments)
    initial = max(1, min(len(hyperparameters.space) + 1, tune.trials // 2))
    return _BayesianOptimization(num_initial_points=initial, **arguments)


class _OnlyThePossible:
    """For an oracle: begins with the defaults, and proposes nothing twice and nothing that cannot be."""

    def __init__(self, configuration: Callable[[dict[str, Any]], tuple], **kwargs):
        super().__init__(**kwargs)
        self._configuration = configuration

    def populate_space(self, trial_id: str) -> dict:
        """A proposal as KerasTuner's oracles give it; the status STOPPED if nothing new is found."""
        if self.trials:
            proposal = super().populate_space(trial_id)
        else:
            values = {parameter.name: parameter.default for parameter in self.hyperparameters.space}
            proposal = {"status": "RUNNING", "values": values}
        refusal = None
        for _ in range(_DRAWS):
            values = proposal["values"]
            if values is None:
                break
            refusal = self._refusal(values)
            if refusal is None and not self._duplicate(values):
                return proposal
            proposal = {"status": "RUNNING", "values": self._random_values()}
        if not self.trials:
            raise ValueError(f"`tune.space`: no combination was found that can be: {refusal}")
        return {"status": "STOPPED", "values": None}

    def _refusal(self, values: dict[str, Any]) -> ValueError | None:
        try:
            self._configuration(values)
        except ValueError as error:
            return error
        return None


class _RandomSearch(_OnlyThePossible, keras_tuner.oracles.RandomSearchOracle):
    pass


class _BayesianOptimization(_OnlyThePossible, keras_tuner.oracles.BayesianOptimizationOracle):
    pass


def _hyperparameters(tune: TuneConfig, model: ModelConfig, train: TrainConfig) -> keras_tuner.HyperParameters:
    """The space in KerasTuner's terms.

    A default is the configuration's own value; if that is not searched, the nearest of a range, the first of a list.
    """
    result = keras_tuner.HyperParameters()
    own = {"model": model, "train": train}
    for key, values in searched(tune.space, model).items():
        section, _, name = key.partition(".")
        default = getattr(own[section], name)
        if isinstance(values, Range):
            whole = isinstance(values.low, int) and isinstance(values.high, int)
            result_of = result.Int if whole else result.Float
            default = values.low if default is None else min(max(default, values.low), values.high)
            sampling = "log" if values.log else "linear"
            result_of(key, values.low, values.high, sampling=sampling, default=default)
        else:
            default = values.index(default) if default in values else 0
            choices = encode(values)
            result.Choice(key, choices, default=choices[default])
    return result


def _train(data: TrainingData, model: ModelConfig, train: TrainConfig, folder: str) -> float:
    """The best session AUC of a training's validations; from a file in ``folder`` if it was trained before.

    Raises:
      TrainingFault: if the training must not go on. The file keeps this fault, too, unless it is a `LabelLeak`.
    """
    result_file = os.path.join(folder, _RESULT_FILE)
    if tf.io.gfile.exists(result_file):
        with tf.io.gfile.GFile(result_file) as file:
            result = json.load(file)
        if fault := result.get("fault"):
            raise TrainingFault(fault)
        return result[OBJECTIVE]
    # The graphs of the trials before would stay in memory.
    tf.keras.backend.clear_session()
    gc.collect()
    try:
        session_auc = fit(
            new_ranker(data, model, train),
            data.train_files,
            data.valid_files,
            data.feature_spec,
            train,
            checkpoint_dir=os.path.join(folder, "checkpoints"),
            log_dir=os.path.join(folder, "logs"),
        ).session_auc
    except LabelLeak:
        raise
    except TrainingFault as error:
        session_auc, fault = None, error
    else:
        fault = None
        if math.isnan(session_auc):
            raise ValueError(
                "no request of the validation split has a click and a non-click: nothing to judge trials by"
            )
    result = {OBJECTIVE: session_auc, "model": model.model_dump(), "train": train.model_dump()}
    with tf.io.gfile.GFile(f"{result_file}.tmp", "w") as file:
        json.dump(result | ({"fault": str(fault)} if fault else {}), file)
    tf.io.gfile.rename(f"{result_file}.tmp", result_file, overwrite=True)
    for name in ("checkpoints", "logs"):
        if tf.io.gfile.exists(os.path.join(folder, name)):
            tf.io.gfile.rmtree(os.path.join(folder, name))
    if fault:
        raise fault
    return session_auc

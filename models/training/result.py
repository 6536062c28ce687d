"""What a training did, and the file that says it."""

import dataclasses
import json
import os

import tensorflow as tf

from models.ranker.model import Ranker


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    Attributes:
      steps: of the optimizer, those before a resumption included.
      requests: in the training split.
      best_step: the step whose weights were kept.
      session_auc: of the validation split at that step; NaN if no request has a click and a non-click.
      seconds: of this process; a resumed run counts only its own.
      items_per_second: items trained on in these seconds, validation and start-up left out.
      resumed_from_step: 0 for a run that was not resumed.
    """

    steps: int
    requests: int
    best_step: int
    session_auc: float
    seconds: float
    items_per_second: float
    resumed_from_step: int


def write_result(
    result: TrainingResult, ranker: Ranker, tuned: dict, path: str, taken_over: dict | None = None
) -> None:
    """Writes what a training did, as JSON.

    Beside the fields of `TrainingResult`: ``parameters``, the number of trained ones; ``hyperparameters``, the tuned
    values; ``warm_start``, the report of `models.training.warm_start.take_over`, or {}.
    """
    parameters = int(sum(tf.size(variable).numpy() for variable in ranker.trainable_variables))
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        more = {"parameters": parameters, "hyperparameters": tuned, "warm_start": taken_over or {}}
        json.dump(dataclasses.asdict(result) | more, file, indent=2)

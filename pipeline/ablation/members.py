"""A member of an ablation: one variant trained with one seed, and what it says of the test split.

A finished member is a folder; what was finished is never trained again. One that was killed leaves a folder named
``*.unfinished`` with the checkpoints from which its training goes on.

===================  ====================================================================
``config.json``      the sections `model` and `train` it was trained with
``training.json``    what the training did, see `models.training.TrainingResult`
``scores.npz``       a `MemberScores`
``train``, ``valid`` TensorBoard's logs
===================  ====================================================================
"""

import dataclasses
import hashlib
import json
import pathlib
import shutil

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.config import ModelConfig, TrainConfig
from models.features import id_name
from models.hierarchy import CategoryHierarchy, read_hierarchy
from models.ranker import Ranker
from models.requests import read_requests
from models.trainer import RESULT_FILE, new_ranker, write_result
from models.training import fit
from schemas.reader import LogSchema

_CONFIG_FILE = "config.json"
_SCORES_FILE = "scores.npz"
_SCORING_BATCH = 256


@dataclasses.dataclass(frozen=True)
class TransformedLog:
    """What all members are trained and judged on.

    Attributes:
      schema: of the log.
      examples: folder of the transformed requests, ``Split-<name>`` each.
      transform_graph: folder of Transform's output.
      hierarchy: folder of the category hierarchy.
    """

    schema: LogSchema
    examples: str
    transform_graph: str
    hierarchy: str

    def files(self, split: str) -> list[str]:
        """Glob patterns of a split's files."""
        return [f"{self.examples}/Split-{split}/*"]

    def identity(self) -> list:
        """What tells this log from others: the folders, which TFX never uses twice, and the files' sizes."""
        sizes = [path.stat().st_size for path in sorted(pathlib.Path(self.examples).glob("Split-*/*"))]
        return [self.examples, self.transform_graph, self.hierarchy, sizes]


@dataclasses.dataclass(frozen=True)
class MemberScores:
    """What a member says of the R requests of the test split, in the files' order, with their T items.

    Attributes:
      lengths: [R] items of each request.
      grades: [T] of the label that is trained.
      probabilities: [T] float32, the scores.
      top: [R] ids of the top category, 0 for unknown.
      leaf: [R] ids of the leaf category, 0 for unknown.
      history: [R] length of the longest history; None if the log has none.
      gates: [C, N] weights of the experts for each known leaf category, in the order of `category_paths`, zeros
        but for the K that are active; None if the variant has no gate that sees the category alone.
    """

    lengths: np.ndarray
    grades: np.ndarray
    probabilities: np.ndarray
    top: np.ndarray
    leaf: np.ndarray
    history: np.ndarray | None
    gates: np.ndarray | None


class Member:
    """A member's folder.

    Args:
      parent: the folder of all members.
      log: what it is trained on.
      model, train: its configuration.
      code: a fingerprint of the code that trains and scores.
    """

    def __init__(self, parent: pathlib.Path, log: TransformedLog, model: ModelConfig, train: TrainConfig, code: str):
        self._log, self._model, self._train = log, model, train
        key = json.dumps([log.identity(), model.model_dump(), train.model_dump(), code], sort_keys=True)
        name = f"{model.variant}-seed-{train.seed}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self._folder = parent / name
        self._unfinished = parent / f"{name}.unfinished"

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self._folder.exists()

    def make(self) -> None:
        """Trains and scores, from the last checkpoint on if there is one."""
        # What the members before it have left in the process neither slows it down nor names its variables.
        tf.keras.backend.clear_session()
        self._unfinished.mkdir(parents=True, exist_ok=True)
        checkpoints = self._unfinished / "checkpoints"
        transform_output = tft.TFTransformOutput(self._log.transform_graph)
        ranker = new_ranker(self._log.schema, self._log.transform_graph, self._model, self._train)
        spec = transform_output.transformed_feature_spec()
        result = fit(
            ranker,
            self._log.files("train"),
            self._log.files("valid"),
            spec,
            self._train,
            checkpoint_dir=str(checkpoints),
            log_dir=str(self._unfinished),
        )
        write_result(result, ranker, {}, str(self._unfinished / RESULT_FILE))
        config = {"model": self._model.model_dump(), "train": self._train.model_dump()}
        (self._unfinished / _CONFIG_FILE).write_text(json.dumps(config, indent=2), encoding="utf-8")
        scores = score(ranker, self._log, spec)
        arrays = {name: value for name, value in vars(scores).items() if value is not None}
        np.savez_compressed(self._unfinished / _SCORES_FILE, **arrays)
        shutil.rmtree(checkpoints)
        self._unfinished.rename(self._folder)

    def training(self) -> dict:
        """What its training did."""
        return json.loads((self._folder / RESULT_FILE).read_text(encoding="utf-8"))

    def scores(self) -> MemberScores:
        """What it says of the test split."""
        with np.load(self._folder / _SCORES_FILE) as arrays:
            return MemberScores(**{field.name: arrays.get(field.name) for field in dataclasses.fields(MemberScores)})


def category_paths(hierarchy: CategoryHierarchy) -> np.ndarray:
    """[C, L] int64, the ids of the path of each known leaf category, top first; the leaf of id i is in row i - 1."""
    ids = [np.arange(1, hierarchy.size(hierarchy.depth - 1))]
    for level in reversed(hierarchy.levels[1:]):
        ids.insert(0, level.parent_ids[ids[0]])
    return np.stack(ids, axis=1)


def score(ranker: Ranker, log: TransformedLog, feature_spec: dict) -> MemberScores:
    """Scores the test split."""
    call = tf.function(ranker, autograph=False, reduce_retracing=True)
    top, leaf = id_name(log.schema.categories[0]), id_name(log.schema.categories[-1])
    histories = [id_name(feature) for feature in log.schema.histories]
    parts = []
    for batch in read_requests(log.files("test"), feature_spec, _SCORING_BATCH):
        grades = batch[ranker.labels[0].name]
        part = {
            "lengths": grades.row_lengths(),
            "grades": grades.flat_values,
            "probabilities": call(batch).flat_values,
            "top": batch[top],
            "leaf": batch[leaf],
        }
        if histories:
            part["history"] = tf.reduce_max(tf.stack([batch[name].row_lengths() for name in histories]), axis=0)
        parts.append({name: value.numpy() for name, value in part.items()})
    if not parts:
        raise ValueError("the split test has no request; see `data.split`")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return MemberScores(**({"history": None} | arrays), gates=_gates(ranker, log))


def _gates(ranker: Ranker, log: TransformedLog) -> np.ndarray | None:
    if not ranker.config.category_gated:
        return None
    paths = category_paths(read_hierarchy(log.hierarchy))
    return ranker.route([tf.constant(ids) for ids in paths.T]).weights.numpy()

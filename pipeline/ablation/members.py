"""A member of an ablation: one variant trained with one seed, and what it says of the test split.

A finished member is a folder; what was finished is never trained again. One that was killed leaves a folder named
``*.unfinished`` with the checkpoints from which its training goes on.

===================  ====================================================================
``config.json``      the sections `model` and `train` it was trained with
``training.json``    what the training did, see `models.training.result.write_result`
``scores.npz``       a `MemberScores`
``train``, ``valid`` TensorBoard's logs
===================  ====================================================================
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import shutil

import numpy as np
import tensorflow as tf

from common.files import TRAINING_FILE
from common.splits import EARLIER
from models.inputs.features import id_name
from models.inputs.hierarchy import CategoryHierarchy, read_hierarchy
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.gate_vectors import gate_vectors
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.loop import fit
from models.training.placement import new_ranker
from models.training.result import write_result
from schemas.log_schema import LogSchema

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
      held_out: ids of leaf categories that training must not see. If there are any, the members are judged on
        their requests alone, in which the leaf is the unknown one.
    """

    schema: LogSchema
    examples: str
    transform_graph: str
    hierarchy: str
    held_out: tuple[int, ...] = ()

    def files(self, split: str) -> list[str]:
        """Glob patterns of a split's files."""
        return [f"{self.examples}/Split-{split}/*"]

    @functools.cached_property
    def training_data(self) -> TrainingData:
        """What members are trained on."""
        files = [*self.files(EARLIER), *self.files("train")]  # a log without a window has none of the former
        return TrainingData(self.schema, self.transform_graph, files, self.files("valid"))

    def identity(self) -> list:
        """What tells this log from others: the folders, which TFX never uses twice, and the files' sizes."""
        sizes = [path.stat().st_size for path in sorted(pathlib.Path(self.examples).glob("Split-*/*"))]
        return [self.examples, self.transform_graph, self.hierarchy, sizes, self.held_out]

    def seen(self, batch: dict) -> dict:
        """The requests of a batch that training may see."""
        return _where(batch, ~self._is_held_out(batch)) if self.held_out else batch

    def judged(self, batch: dict) -> tuple[tf.Tensor, dict, dict]:
        """Which requests members are judged on, [B] bool; these requests; and what the ranker sees of them."""
        if not self.held_out:
            return tf.ones_like(batch[self.leaf], tf.bool), batch, batch
        judged = self._is_held_out(batch)
        batch = _where(batch, judged)
        return judged, batch, batch | {self.leaf: tf.zeros_like(batch[self.leaf])}

    @property
    def leaf(self) -> str:
        """The feature of the leaf category's ids."""
        return id_name(self.schema.categories[-1])

    def _is_held_out(self, batch: dict) -> tf.Tensor:
        return tf.reduce_any(batch[self.leaf][:, tf.newaxis] == tf.constant(self.held_out, tf.int64), axis=1)


@dataclasses.dataclass(frozen=True)
class MemberScores:
    """What a member says of the R requests of the test split, in the files' order, with their T items.

    Attributes:
      rows: [R] places of the requests in the split.
      lengths: [R] items of each request.
      grades: [T] of the label that is trained.
      probabilities: [T] float32, the scores.
      top: [R] ids of the top category, 0 for unknown.
      leaf: [R] ids of the leaf category, 0 for unknown.
      history: [R] length of the longest history; None if the log has none.
      gates: [C, N] weights of the experts for each known leaf category, in the order of `category_paths`, zeros
        but for the K that are active; None if the variant has no gate that sees the category alone.
    """

    rows: np.ndarray
    lengths: np.ndarray
    grades: np.ndarray
    probabilities: np.ndarray
    top: np.ndarray
    leaf: np.ndarray
    history: np.ndarray | None
    gates: np.ndarray | None

    def among(self, candidates: np.ndarray) -> "MemberScores":
        """The scores of some of the items, [T] bool; the requests stay, with fewer items each."""
        request = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return dataclasses.replace(
            self,
            lengths=np.bincount(request[candidates], minlength=len(self.lengths)),
            grades=self.grades[candidates],
            probabilities=self.probabilities[candidates],
        )


class Member:
    """A member's folder.

    Args:
      parent: the folder of all members.
      log: what it is trained on.
      model, train: its configuration.
      code: a fingerprint of the code that trains and scores.
    """

    def __init__(self, parent: pathlib.Path, log: TransformedLog, model: ModelConfig, train: TrainConfig, code: str):
        train = train.in_one_process
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
        data = self._log.training_data
        ranker = new_ranker(data, self._model, self._train)
        result = fit(
            ranker,
            data.train_files,
            data.valid_files,
            data.feature_spec,
            self._train,
            checkpoint_dir=str(checkpoints),
            log_dir=str(self._unfinished),
            prepare=self._log.seen,
        )
        write_result(result, ranker, {}, str(self._unfinished / TRAINING_FILE))
        config = {"model": self._model.model_dump(), "train": self._train.model_dump()}
        (self._unfinished / _CONFIG_FILE).write_text(json.dumps(config, indent=2), encoding="utf-8")
        scores = score(ranker, self._log, data.feature_spec)
        arrays = {name: value for name, value in vars(scores).items() if value is not None}
        np.savez_compressed(self._unfinished / _SCORES_FILE, **arrays)
        shutil.rmtree(checkpoints)
        self._unfinished.rename(self._folder)

    def training(self) -> dict:
        """What its training did."""
        return json.loads((self._folder / TRAINING_FILE).read_text(encoding="utf-8"))

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
    top = id_name(log.schema.categories[0])
    histories = [id_name(feature) for feature in log.schema.histories]
    parts, first_row = [], 0
    for batch in read_requests(log.files("test"), feature_spec, _SCORING_BATCH):
        judged, batch, seen = log.judged(batch)
        grades = batch[ranker.labels[0].name]
        part = {
            "rows": first_row + tf.where(judged)[:, 0],
            "lengths": grades.row_lengths(),
            "grades": grades.flat_values,
            "probabilities": call(seen).flat_values,
            "top": batch[top],
            "leaf": batch[log.leaf],
        }
        first_row += len(judged)
        if histories:
            part["history"] = tf.reduce_max(tf.stack([batch[name].row_lengths() for name in histories]), axis=0)
        parts.append({name: value.numpy() for name, value in part.items()})
    if not sum(len(part["rows"]) for part in parts):
        raise ValueError("there is no request to judge in the split test; see `data.split` and --held_out_leaves")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return MemberScores(**({"history": None} | arrays), gates=_gates(ranker, log))


def held_out_leaves(hierarchy: CategoryHierarchy, share: float) -> tuple[int, ...]:
    """Ids of a share of the leaf categories, evenly over the ranks of their traffic, large ones as well as small.

    Raises:
      ValueError: if that is none of them.
    """
    leaves = hierarchy.size(hierarchy.depth - 1) - 1
    count = round(share * leaves)
    if not 1 <= count < leaves:
        raise ValueError(f"`held_out_leaves` of {share} is {count} of the {leaves} leaf categories")
    return tuple(int((place + 0.5) * leaves / count) + 1 for place in range(count))


def _where(batch: dict, mask: tf.Tensor) -> dict:
    return {name: tf.ragged.boolean_mask(values, mask) for name, values in batch.items()}


def _gates(ranker: Ranker, log: TransformedLog) -> np.ndarray | None:
    if not ranker.config.category_gated:
        return None
    return gate_vectors(ranker, category_paths(read_hierarchy(log.hierarchy)))

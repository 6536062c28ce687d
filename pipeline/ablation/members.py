"""A member of an ablation: one variant trained with one seed, and what it says of the test split.

A finished member is a folder; what was finished is never trained again. One that was killed leaves a folder named
``*.unfinished`` with the checkpoints from which its training goes on.

===================  ====================================================================
``config.json``      the sections `model` and `train` it was trained with
``training.json``    what the training did, see `models.training.result.write_result`
``scores``           its scores of the test split, see `components.split_scorer.request_scores`
``gates.npy``        `MemberScores.gates`, unless they are None
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
import pyarrow.parquet as pq
import tensorflow as tf

from common.files import TRAINING_FILE
from common.splits import EARLIER, TEST
from components.split_scorer.reader import evaluation_columns, features_read
from components.split_scorer.request_scores import RequestScores, joined, read_parts, table
from models.inputs.features import id_name
from models.inputs.hierarchy import CategoryHierarchy, read_hierarchy
from models.inputs.reading import read_records
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.loop import fit
from models.training.placement import new_ranker
from models.training.result import write_result
from schemas.log_schema import LogSchema

_CONFIG_FILE = "config.json"
_SCORES, _SCORES_FILE, _GATES_FILE = "scores", "scores-00000-of-00001.parquet", "gates.npy"
_SCORING_BATCH = 256


@dataclasses.dataclass(frozen=True)
class TransformedLog:
    """What all members are trained and judged on.

    Attributes:
      schema: of the log.
      requests: folder of the raw requests, ``Split-<name>`` each.
      examples: folder of the transformed requests, ``Split-<name>`` each.
      transform_graph: folder of Transform's output.
      hierarchy: folder of the category hierarchy.
      held_out: ids of leaf categories that training must not see. If there are any, the members are judged on
        their requests alone, in which the leaf is the unknown one.
    """

    schema: LogSchema
    requests: str
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
        return [self.requests, self.examples, self.transform_graph, self.hierarchy, sizes, self.held_out]

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
    """What a member says of the test split.

    Attributes:
      by_request: its scores.
      gates: [C, N] weights of the experts for each known leaf category, in the order of `category_paths`, zeros
        but for the K that are active; None if the variant has no gate that sees the category alone.
    """

    by_request: RequestScores
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
        scores = score(ranker, self._log)
        (self._unfinished / _SCORES).mkdir(exist_ok=True)
        pq.write_table(table(scores.by_request), self._unfinished / _SCORES / _SCORES_FILE)
        if scores.gates is not None:
            np.save(self._unfinished / _GATES_FILE, scores.gates)
        shutil.rmtree(checkpoints)
        self._unfinished.rename(self._folder)

    def training(self) -> dict:
        """What its training did."""
        return json.loads((self._folder / TRAINING_FILE).read_text(encoding="utf-8"))

    def scores(self) -> MemberScores:
        """What it says of the test split."""
        gates = self._folder / _GATES_FILE
        by_request = joined(list(read_parts(str(self._folder / _SCORES))))
        return MemberScores(by_request, np.load(gates) if gates.exists() else None)


def category_paths(hierarchy: CategoryHierarchy) -> np.ndarray:
    """[C, L] int64, the ids of the path of each known leaf category, top first; the leaf of id i is in row i - 1."""
    ids = [np.arange(1, hierarchy.size(hierarchy.depth - 1))]
    for level in reversed(hierarchy.levels[1:]):
        ids.insert(0, level.parent_ids[ids[0]])
    return np.stack(ids, axis=1)


def score(ranker: Ranker, log: TransformedLog) -> MemberScores:
    """Scores the raw requests of the test split.

    Raises:
      ValueError: if the split has no request to judge.
    """
    transform_output = log.training_data.transform_output
    raw_spec, label = transform_output.raw_feature_spec(), ranker.labels[0]
    inputs = [feature.name for feature in log.schema.model_inputs]
    spec = {name: raw_spec[name] for name in {*inputs, *features_read(log.schema, label)}}
    transform = tf.function(transform_output.transform_features_layer(), reduce_retracing=True)
    call = tf.function(ranker, autograph=False, reduce_retracing=True)
    levels = tuple(level.name for level in log.schema.categories)
    parts = []
    for examples in read_records([f"{log.requests}/Split-{TEST}/*"], _SCORING_BATCH):
        raw = tf.io.parse_example(examples, spec)
        judged, features, seen = log.judged(transform({name: raw[name] for name in inputs}))
        columns = evaluation_columns(_where(raw, judged), features, log.schema, label)
        columns["scores"] = call(seen).flat_values
        found = {"positions": None, "history": None, "baseline": None, "levels": levels}
        parts.append(RequestScores(**found | {name: values.numpy() for name, values in columns.items()}))
    if not sum(len(part.requests) for part in parts):
        raise ValueError("there is no request to judge in the split test; see `data.split` and --held_out_leaves")
    return MemberScores(joined(parts), _gates(ranker, log))


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
    if not (ranker.gates and ranker.gates[0].sees_category_alone):
        return None
    return ranker.gates[0].category_vectors(category_paths(read_hierarchy(log.hierarchy)))

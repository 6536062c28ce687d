"""Scores files of requests with SavedModels: the loop that BulkScorer and SplitScorer share."""

import abc
import dataclasses
import itertools
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler
from tfx import types
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from common.progress import Meter, speed

SIGNATURE = "serving_default"
# A call's memory goes with its items: a batch of long lists is cut into several calls.
REQUESTS_A_CALL = 1024
ITEMS_A_CALL = 16_384
UNFINISHED = ".unfinished"  # how the name of a file ends that is being written
_ITEMS_A_GROUP = 1 << 19


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of requests (gzipped TFRecords), and the Parquet file of their scores."""

    requests: str
    scores: str


class Loaded(dict):
    """What a process has loaded, by name; Beam keeps a weak reference to it, which a plain dict does not allow."""


class ShardScorer(ModelHandler[Shard, dict, Loaded], abc.ABC):
    """Handler for Beam's RunInference, which keeps its models once a process: Shard -> {"requests", "items"}.

    Its elements are files, as in the other components: batches of requests are read and encoded in C++, a shard's
    scores never wait for those of another, and memory does not grow with the log.

    Args:
      models: folders of SavedModels by name.
      items_a_call: see `calls`.
    """

    def __init__(self, models: Mapping[str, str], items_a_call: int = ITEMS_A_CALL):
        super().__init__()
        self._models, self.items_a_call = dict(models), items_a_call
        self._meter, self._items = None, 0  # of this process, over all its shards

    def load_model(self) -> Loaded:
        """The SavedModels by name; a signature alone would not keep its variables alive."""
        return Loaded({name: tf.saved_model.load(folder) for name, folder in self._models.items()})

    @abc.abstractmethod
    def table(self, examples: np.ndarray, models: Loaded) -> tuple[pa.Table, int]:
        """The rows of some requests, in the order of the requests, and the number of their items.

        Args:
          examples: [B] bytes, serialized tf.Examples, at most `REQUESTS_A_CALL`; an empty batch has no row, and all
            columns.
          models: what `load_model` gives.
        """

    def batch_elements_kwargs(self) -> dict[str, int]:
        """One shard after the other."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def run_inference(self, batch: Sequence[Shard], model: Loaded, inference_args=None) -> Iterable[dict]:
        """Scores shards and writes each under another name first, so that there is never a half of one."""
        return [self._score(shard, model) for shard in batch]

    def _score(self, shard: Shard, models: Loaded) -> dict[str, int]:
        name = os.path.basename(shard.scores)
        # A name of its own: an attempt that was given up may still be writing.
        unfinished = os.path.join(os.path.dirname(shard.scores), f".{name}.{uuid.uuid4().hex}{UNFINISHED}")
        requests = items = items_waiting = 0
        waiting = [empty := self.table(np.zeros(0, object), models)[0]]
        with FileSystems.create(unfinished) as file, pa.parquet.ParquetWriter(file, empty.schema) as writer:
            for batch in tf.data.TFRecordDataset(shard.requests, "GZIP").batch(REQUESTS_A_CALL).prefetch(2):
                rows, of_batch = self.table(batch.numpy(), models)
                waiting.append(rows)
                requests, items, items_waiting = requests + len(batch), items + of_batch, items_waiting + of_batch
                if items_waiting >= _ITEMS_A_GROUP:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting, items_waiting = [empty], 0
                self._say(len(batch), of_batch)
            writer.write_table(pa.concat_tables(waiting))
        fileio.rename(unfinished, shard.scores, overwrite=True)
        return {"requests": requests, "items": items}

    def _say(self, requests: int, items: int) -> None:
        self._meter = self._meter or Meter("requests", doing="scored")
        self._items += items
        self._meter.add(requests, speed(self._items, self._meter.seconds, "items"))


def saved_model(model: types.Artifact) -> str:
    """The folder of the SavedModel in a Model artifact."""
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def shards(files: Sequence[str], folder: str) -> list[Shard]:
    """Each file of requests with the file of its scores in ``folder``."""
    return [
        Shard(path, os.path.join(folder, f"scores-{i:05d}-of-{len(files):05d}.parquet"))
        for i, path in enumerate(sorted(files))
    ]


def add(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of what `ShardScorer` gives for each shard."""
    total = {"requests": 0, "items": 0}
    for count in counts:
        total = {key: total[key] + count[key] for key in total}
    return total


def remove_unfinished(folder: str) -> None:
    """Removes the files of attempts that died with their worker."""
    for name in fileio.listdir(folder):
        if name.endswith(UNFINISHED):
            fileio.remove(os.path.join(folder, name))


def calls(sizes: np.ndarray, limit: int = ITEMS_A_CALL) -> np.ndarray:
    """Where to cut requests of ``sizes`` items into calls of about ``limit`` items: int64 [calls + 1].

    A request is never cut, since its items may be scored in view of each other; so a call holds at most
    ``limit`` items and one request more.
    """
    place = (np.cumsum(sizes) - 1) // limit
    return np.flatnonzero(np.diff(place, prepend=-2, append=-2))


def answers(
    model: Any, examples: np.ndarray, sizes: np.ndarray, items_a_call: int = ITEMS_A_CALL
) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
    """(first request, end, outputs of `serving_default` for these requests); a long list makes no call larger.

    Args:
      model: a SavedModel.
      examples: [B] bytes, serialized tf.Examples.
      sizes: [B] number of items of each.
      items_a_call: see `calls`.
    """
    for begin, end in itertools.pairwise(calls(sizes, items_a_call)):
        answer = model.signatures[SIGNATURE](examples=tf.constant(examples[begin:end]))
        yield begin, end, {name: value.numpy() for name, value in answer.items()}


def scores_of(model: Any, examples: np.ndarray, sizes: np.ndarray, items_a_call: int = ITEMS_A_CALL) -> np.ndarray:
    """[T] float32, the scores of all items; arguments as in `answers`."""
    parts = [
        without_padding(answer["scores"], sizes[begin:end])
        for begin, end, answer in answers(model, examples, sizes, items_a_call)
    ]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def without_padding(scores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """[B, n] padded -> [T], the scores of the items alone."""
    return scores[np.arange(scores.shape[1]) < sizes[:, np.newaxis]]

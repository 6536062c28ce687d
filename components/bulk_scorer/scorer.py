"""Scores a file of requests: the model, the items' ids, their ranks, and Parquet."""

import dataclasses
import itertools
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio
from tfx_bsl.coders import example_coder

from common.progress import Meter, speed

SIGNATURE = "serving_default"
SCORES = pa.schema(
    [
        ("request_id", pa.string()),
        ("item_id", pa.string()),
        ("score", pa.float32()),
        ("rank", pa.int32()),
        ("position", pa.int32()),
        ("model_version", pa.int64()),
    ]
)
"""The columns of the scores: `rank` is 1 for the highest score of a request, equal scores in the order of the list;
`position` is the item's place in the list, from 1."""

# A call's memory goes with its items: a batch of long lists is cut into several calls.
REQUESTS_A_CALL = 1024
ITEMS_A_CALL = 16_384
_ROWS_A_GROUP = 1 << 19
UNFINISHED = ".unfinished"  # how the name of a file ends that is being written


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of requests (gzipped TFRecords), and the Parquet file of their scores."""

    requests: str
    scores: str


class ShardScorer(ModelHandler[Shard, dict, Any]):
    """Handler for Beam's RunInference, which keeps one model a process: Shard -> {"requests", "items"}.

    Its elements are files, as in the other components: batches of requests are read and encoded in C++, a shard's
    scores never wait for those of another, and memory does not grow with the log.

    Args:
      model: the folder of the SavedModel.
      version: its number.
      item_id: the feature that names the item.
      items_a_call: see `calls`.
    """

    def __init__(self, model: str, version: int, item_id: str, items_a_call: int = ITEMS_A_CALL):
        super().__init__()
        self._model, self._version, self._item_id, self._items_a_call = model, version, item_id, items_a_call
        self._meter, self._items = None, 0  # of this process, over all its shards

    def load_model(self) -> Any:
        """The SavedModel; its signature alone would not keep its variables alive."""
        return tf.saved_model.load(self._model)

    def batch_elements_kwargs(self) -> dict[str, int]:
        """One shard after the other."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def run_inference(self, batch: Sequence[Shard], model: Any, inference_args=None) -> Iterable[dict]:
        """Scores shards and writes each under another name first, so that there is never a half of one."""
        return [self._score(shard, model.signatures[SIGNATURE]) for shard in batch]

    def _score(self, shard: Shard, signature) -> dict[str, int]:
        name = os.path.basename(shard.scores)
        # A name of its own: an attempt that was given up may still be writing.
        unfinished = os.path.join(os.path.dirname(shard.scores), f".{name}.{uuid.uuid4().hex}{UNFINISHED}")
        requests = items = 0
        with FileSystems.create(unfinished) as file, pa.parquet.ParquetWriter(file, SCORES) as writer:
            waiting: list[pa.Table] = []
            for table, count in self._tables(shard.requests, signature):
                waiting.append(table)
                requests, items = requests + count, items + len(table)
                if sum(map(len, waiting)) >= _ROWS_A_GROUP:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting = []
                self._say(count, len(table))
            writer.write_table(pa.concat_tables([SCORES.empty_table(), *waiting]))
        fileio.rename(unfinished, shard.scores, overwrite=True)
        return {"requests": requests, "items": items}

    def _say(self, requests: int, items: int) -> None:
        self._meter = self._meter or Meter("requests", doing="scored")
        self._items += items
        self._meter.add(requests, speed(self._items, self._meter.seconds, "items"))

    def _tables(self, path: str, signature) -> Iterator[tuple[pa.Table, int]]:
        """(scores, number of requests) of some requests after others, in the order of the file."""
        feature = schema_pb2.Feature(name=self._item_id, type=schema_pb2.BYTES)
        decoder = example_coder.ExamplesToRecordBatchDecoder(schema_pb2.Schema(feature=[feature]).SerializeToString())
        for batch in tf.data.TFRecordDataset(path, "GZIP").batch(REQUESTS_A_CALL).prefetch(2):
            examples = batch.numpy()
            lists = decoder.DecodeBatch(list(examples)).column(0)
            offsets = lists.offsets.to_numpy()
            bounds = calls(np.diff(offsets), self._items_a_call)
            for begin, end in itertools.pairwise(bounds):
                part = lists.slice(begin, end - begin)
                answer = signature(examples=tf.constant(examples[begin:end]))
                yield self._table(part, {key: value.numpy() for key, value in answer.items()}), len(part)

    def _table(self, item_ids: pa.Array, answer: dict[str, np.ndarray]) -> pa.Table:
        sizes = np.diff(item_ids.offsets.to_numpy())
        if (sizes != answer["lengths"]).any():
            raise RuntimeError(f"the model scored {answer['lengths'].sum()} items, the requests hold {sizes.sum()}")
        scores = answer["scores"][np.arange(answer["scores"].shape[1]) < sizes[:, np.newaxis]]  # without the padding
        owner = np.repeat(np.arange(len(sizes)), sizes)
        ranks, positions = ranks_of(scores, sizes)
        columns = [
            pa.array(answer["request_ids"], pa.string()).take(pa.array(owner)),
            item_ids.flatten().cast(pa.large_string()).cast(pa.string()),
            pa.array(scores),
            pa.array(ranks, pa.int32()),
            pa.array(positions, pa.int32()),
            pa.array(np.full(len(scores), self._version)),
        ]
        return pa.table(columns, schema=SCORES)


def calls(sizes: np.ndarray, limit: int) -> np.ndarray:
    """Where to cut requests of ``sizes`` items into calls of about ``limit`` items: int64 [calls + 1].

    A request is never cut, since its items may be scored in view of each other; so a call holds at most
    ``limit`` items and one request more.
    """
    place = (np.cumsum(sizes) - 1) // limit
    return np.flatnonzero(np.diff(place, prepend=-2, append=-2))


def ranks_of(scores: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rank, position) of each item in its request, both from 1; ties are ranked in the order of the list.

    Args:
      scores: [items], request after request.
      sizes: [requests], the items of each.
    """
    positions = np.arange(len(scores)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    owner = np.repeat(np.arange(len(sizes)), sizes)
    ranks = np.empty_like(positions)
    ranks[np.lexsort((-scores, owner))] = positions  # lexsort keeps the order of what is equal
    return ranks, positions

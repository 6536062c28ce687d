"""Scores a file of requests for `make score`: the items' ids, their ranks, and Parquet with a row an item."""

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from components import scoring

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


class ItemScorer(scoring.ShardScorer):
    """Scores shards by one model, a row an item.

    Args:
      model: the folder of the SavedModel.
      version: its number.
      item_id: the feature that names the item.
      items_a_call: see `components.scoring.calls`.
    """

    def __init__(self, model: str, version: int, item_id: str, items_a_call: int = scoring.ITEMS_A_CALL):
        super().__init__({"model": model}, items_a_call)
        self._version = version
        feature = schema_pb2.Feature(name=item_id, type=schema_pb2.BYTES)
        self._item_schema = schema_pb2.Schema(feature=[feature]).SerializeToString()

    def table(self, examples: np.ndarray, models: scoring.Loaded) -> tuple[pa.Table, int]:
        """See the base class."""
        if not len(examples):
            return SCORES.empty_table(), 0
        lists = example_coder.ExamplesToRecordBatchDecoder(self._item_schema).DecodeBatch(list(examples)).column(0)
        sizes = np.diff(lists.offsets.to_numpy())
        found = [
            self._table(lists.slice(begin, end - begin), answer)
            for begin, end, answer in scoring.answers(models["model"], examples, sizes, self.items_a_call)
        ]
        return pa.concat_tables(found), int(sizes.sum())

    def _table(self, item_ids: pa.Array, answer: dict[str, np.ndarray]) -> pa.Table:
        sizes = np.diff(item_ids.offsets.to_numpy())
        if (sizes != answer["lengths"]).any():
            raise RuntimeError(f"the model scored {answer['lengths'].sum()} items, the requests hold {sizes.sum()}")
        scores = scoring.without_padding(answer["scores"], sizes)
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

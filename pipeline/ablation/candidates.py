"""Candidates of the request's own kind: those whose item feature equals a feature of the request."""

import dataclasses

import numpy as np
import tensorflow as tf

from common.splits import TEST
from components.split_scorer.request_scores import RequestScores, item_places, places_of
from models.inputs.reading import name_hash, read_requests
from pipeline.ablation.compare import MembersDiffer
from schemas.log_schema import LogSchema

_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class OwnCandidates:
    """Which of the T items of R requests have the request's own value.

    Attributes:
      requests: [R] int64, hashes of the requests' ids.
      lengths: [R] number of items of each request.
      items: [T] int64, hashes of the items' ids.
      own: [T] bool.
    """

    requests: np.ndarray
    lengths: np.ndarray
    items: np.ndarray
    own: np.ndarray

    def of(self, scores: RequestScores) -> RequestScores:
        """The scores of these items alone; the requests stay, with fewer items each. Joined by the request's id.

        Raises:
          MembersDiffer: if a request is not among the raw ones, or has other items there.
        """
        places = places_of(self.requests, scores.requests)
        items = item_places(self.lengths, np.maximum(places, 0))
        if (places < 0).any() or not np.array_equal(self.items[items], scores.items):
            raise MembersDiffer("the members were scored on other requests or items than the log holds")
        return scores.where(self.own[items])


def own_candidates(examples: str, item_feature: str, request_feature: str, schema: LogSchema) -> OwnCandidates:
    """Which items of the test split have the request's own value, as of a query's category among all that is shown.

    Sampled negatives are often of another category, which makes them easy to tell from a click; the figure among the
    request's own says more of a ranker.

    Args:
      examples: folder of the Examples artifact.
      item_feature, request_feature: names of text features.
      schema: of the log.
    """
    request_id, item_id = schema.request_id.name, schema.item_id.name
    spec = {name: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64) for name in (item_feature, item_id)}
    spec |= {name: tf.io.FixedLenFeature([], tf.string, "") for name in (request_feature, request_id)}
    parts: dict[str, list[np.ndarray]] = {}
    for batch in read_requests([f"{examples}/Split-{TEST}/*"], spec, _BATCH):
        items = batch[item_feature]
        found = {
            "requests": name_hash(batch[request_id]),
            "lengths": items.row_lengths(),
            "items": name_hash(batch[item_id].flat_values),
            "own": items.flat_values == tf.gather(batch[request_feature], items.value_rowids()),
        }
        for name, values in found.items():
            parts.setdefault(name, []).append(values.numpy())
    return OwnCandidates(**{name: np.concatenate(values) for name, values in parts.items()})

"""What TensorBoard shows of a ranker's gates and experts while it is trained, beside the scalars."""

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from common.escaping import one_line
from models.inputs.hierarchy import CategoryHierarchy, as_path, path_names
from models.ranker.model import Ranker
from models.training.tensorboard.heat_map import HeatMap, png

_ROWS = 60  # of the heat map, the leaf categories of most traffic
_IN_HISTOGRAM = 1000  # likewise
_HISTOGRAMS = 64  # of experts
_REQUESTS, _ITEMS = 32, 500  # of the sample


class Inside:
    """Writes pictures and histograms of gates and experts to TensorFlow's default summary writer.

    ==================================  ==============================================================================
    ``gates/<label>``                   a picture: the weights of the experts in the 60 leaf categories of most
                                        traffic, in the order of the tree; of AW-MoE's gates those of a user without
                                        history; of MMoE's, the mean over a sample's items in each bucket
    ``gates/<label>/weights``           a histogram of the weights above 0 in a thousand categories, or the buckets
    ``gates/rows``                      text: the names of the pictures' rows, once
    ``experts/distance``                a picture: how far the click probabilities of each two experts are apart in
                                        a sample, the root of the mean square
    ``experts/mean_distance``           its mean over the pairs
    ``experts/probabilities/expert_e``  a histogram of expert e's click probabilities in the sample
    ==================================  ==============================================================================

    All of it is of weights as they serve, without noise, and of the first task where it says nothing of others. A
    ranker of one tower has a histogram of its scores in the sample. No variable is changed and no random number drawn.

    Args:
      hierarchy: of the data that the ranker is trained on.
    """

    def __init__(self, hierarchy: CategoryHierarchy):
        leaves = hierarchy.depth - 1
        # Ids are in order of traffic.
        ids = tf.range(1, min(hierarchy.size(leaves), _IN_HISTOGRAM + 1), dtype=tf.int64)
        paths = np.stack([level.numpy() for level in as_path(hierarchy, [tf.zeros_like(ids)] * leaves + [ids])])
        self._paths, shown = paths.T, paths[:, :_ROWS]
        self._shown = np.lexsort(np.where(shown == 0, np.iinfo(np.int64).max, shown)[::-1])
        names = path_names(hierarchy, leaves)
        self._names = [f"{place + 1} {one_line(names[place])}" for place in self._shown]
        self._maps: dict[str, HeatMap] = {}
        self._sample: dict = {}

    def __call__(self, ranker: Ranker, sample: dict) -> None:
        """Writes what is so now.

        Args:
          ranker: with its variables made.
          sample: some transformed requests, the same at each call, of which the first few are looked at.
        """
        sample = self._sample = self._sample or _first(sample, ranker.inputs.any_item_feature)
        shown = Summary()
        if not ranker.gates:
            shown.MergeFrom(histogram_pb("scores", ranker(sample).flat_values.numpy()))
        else:
            logits, routing = ranker.experts_of(sample)
            for label, gate in zip(ranker.labels, ranker.gates, strict=True):
                weights = gate.category_vectors(self._paths)
                if weights is None:  # a gate that sees items: the first task's, whose weights are at hand
                    lengths = sample[ranker.inputs.any_item_feature].row_lengths().numpy()
                    weights = routing.weights.numpy()
                    groups = gate.mean_weights(weights, sample[ranker.inputs.categories[0]].numpy(), lengths)
                    self._gates(shown, label.name, *groups, weights)
                    break
                self._gates(shown, label.name, self._names, weights[self._shown], weights[weights != 0])
            self._experts(shown, tf.sigmoid(logits).numpy().astype(np.float64))
        # At once: one by one, `tf.summary` would take a dozen operations for each bucket of a histogram.
        tf.summary.experimental.write_raw_pb(shown.SerializeToString())

    def _gates(self, shown: Summary, label: str, names: list[str], rows: np.ndarray, weights: np.ndarray) -> None:
        if not self._maps:
            # An indented line is what it is, to whatever reads it as Markdown.
            shown.MergeFrom(text_pb("gates/rows", "\n".join(f"    {name}" for name in names)))
        self._picture(shown, f"gates/{label}", names, rows)
        shown.MergeFrom(histogram_pb(f"gates/{label}/weights", weights))

    def _experts(self, shown: Summary, probabilities: np.ndarray) -> None:
        items, experts = probabilities.shape
        products = probabilities.T @ probabilities / items
        squares = np.diag(products)
        distance = np.sqrt(np.maximum(squares[:, np.newaxis] + squares - 2 * products, 0.0))
        self._picture(shown, "experts/distance", [f"expert {expert}" for expert in range(experts)], distance)
        if experts > 1:
            shown.MergeFrom(scalar_pb("experts/mean_distance", distance.sum() / (experts * (experts - 1))))
        for expert, of_expert in enumerate(probabilities.T[:_HISTOGRAMS]):
            shown.MergeFrom(histogram_pb(f"experts/probabilities/expert_{expert}", of_expert))

    def _picture(self, shown: Summary, tag: str, names: list[str], values: np.ndarray) -> None:
        if tag not in self._maps:
            self._maps[tag] = HeatMap(names, values.shape[1])
        picture = self._maps[tag].draw(values)
        # As `tf.summary.image` writes it.
        encoded = make_tensor_proto([str(picture.width), str(picture.height), png(picture)], tf.string)
        metadata = image_metadata.create_summary_metadata(display_name=None, description=None)
        shown.value.add(tag=tag, metadata=metadata, tensor=encoded)


def _first(batch: dict, lists: str) -> dict:
    """The first requests of a batch, no more than have 500 items, and one at least."""
    items = np.cumsum(batch[lists].row_lengths().numpy()[:_REQUESTS])
    count = max(1, int(np.searchsorted(items, _ITEMS, side="right")))

    def cut(values):
        if not isinstance(values, tf.RaggedTensor):
            return values[:count]
        # Several times as fast as a slice of the ragged tensor.
        splits = values.row_splits[: count + 1]
        return tf.RaggedTensor.from_row_splits(values.flat_values[: splits[-1]], splits, validate=False)

    return {name: cut(values) for name, values in batch.items()}

"""Permutation importance: by how much session AUC falls when one feature is shuffled [Breiman 2001]."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from common.progress import Meter
from components.model_report.sample import batches
from models.inputs.features import id_name, missing_name
from models.ranker.model import Ranker
from reporting.content import Importance
from reporting.estimates import mean, paired_differences
from reporting.request_metrics import of_requests
from schemas.log_schema import LogSchema

PATH = "category path"
_MOST_CATEGORIES = 40  # the page draws a column for each


def importance(
    ranker: Ranker,
    schema: LogSchema,
    features: dict,
    lengths: np.ndarray,
    grades: np.ndarray,
    top: np.ndarray,
    top_names: Sequence[str],
    requests_of_split: int,
    seed: int,
) -> Importance | None:
    """Measures all features of some requests, one after the other.

    Args:
      ranker: as it was trained.
      schema: of the log.
      features: transformed, of R requests.
      lengths: [R] their items.
      grades: [T] of the items.
      top: [R] which of the top categories each request is in.
      top_names: their names.
      requests_of_split: how many requests of the split session AUC judges.
      seed: of the shuffles.

    Returns:
      None if session AUC judges none of the requests.
    """
    call = tf.function(ranker, autograph=False, reduce_retracing=True)

    def session_auc(of: dict) -> np.ndarray:
        scores = np.concatenate([call(batch).flat_values.numpy() for batch in batches(of, lengths)])
        return of_requests(lengths, grades, scores, ranker.labels[0].gains)["session_auc"]

    whole = session_auc(features)
    judged = ~np.isnan(whole)
    if not judged.any():
        return None
    left, columns_of, top_of_item = {}, _columns(schema), np.repeat(top, lengths)
    meter = Meter("features", len(columns_of), doing="permutation importance,")
    for number, (name, columns) in enumerate(columns_of.items(), start=1):
        of_items = name != PATH and schema[name].scope == "item"
        rng = np.random.default_rng([seed, number])
        left[name] = session_auc(features | _shuffled(features, columns, of_items, top_of_item, rng))
        meter.reach(number)
    names = sorted(left, key=lambda name: -(whole - left[name])[judged].mean())
    tops, place, counts = np.unique(top[judged], return_inverse=True, return_counts=True)
    busiest = np.sort(np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES])
    by_category = {name: paired_differences(whole[judged], left[name][judged], place, len(tops)) for name in names}
    cut = f" By category: the {len(busiest)} of {len(tops):,} with most requests." if len(busiest) < len(tops) else ""
    return Importance(
        features=names,
        top_categories=[top_names[of] for of in tops[busiest]],
        overall=[mean(whole - left[name]) for name in names],
        by_category=[[by_category[name][of] for of in busiest] for name in names],
        judged_requests=int(judged.sum()),
        judged_by_category=counts[busiest].tolist(),
        explanation=(
            f"By how much session AUC falls when a feature is shuffled once, measured on {judged.sum():,} of the test "
            f"split's {requests_of_split:,} requests with a clicked item and another. An item's feature is shuffled "
            "among the items of the same top category, so that it stays plausible there; the category path and what "
            "else a request has once, among the requests. What two features both say is in neither's fall."
            f"{cut}"
        ),
    )


def _columns(schema: LogSchema) -> dict[str, list[str]]:
    """The transformed features of each feature that a ranker may read; those of one name are shuffled together."""
    columns = {PATH: [id_name(level) for level in schema.categories]}
    for feature in (*schema.numeric, *schema.categorical, *schema.histories):
        number = feature.model_input == "number"
        columns[feature.name] = [feature.name, missing_name(feature)] if number else [id_name(feature)]
    return columns


def _shuffled(
    features: dict, columns: list[str], of_items: bool, top_of_item: np.ndarray, rng: np.random.Generator
) -> dict:
    """The columns in another order: of items within each top category, of requests among all."""
    if not of_items:
        order = rng.permutation(features[columns[0]].shape[0])
        return {column: tf.gather(features[column], order) for column in columns}
    order = np.empty(len(top_of_item), np.int64)
    order[np.argsort(top_of_item, kind="stable")] = np.lexsort((rng.random(len(top_of_item)), top_of_item))
    return {
        column: features[column].with_flat_values(tf.gather(features[column].flat_values, order)) for column in columns
    }

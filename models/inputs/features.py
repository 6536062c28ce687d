"""Names of the transformed features, and which of them the ranker reads as what."""

import dataclasses

import tensorflow_transform as tft

from models.inputs.hierarchy import CategoryHierarchy
from schemas.log_schema import Feature, LogSchema


def id_name(feature: Feature) -> str:
    """The transformed feature that holds the ids of a category level, categorical feature or history."""
    return f"{feature.name}_id"


def missing_name(feature: Feature) -> str:
    """The transformed feature that is 1 where a numeric feature has no value, else 0."""
    return f"{feature.name}_missing"


@dataclasses.dataclass(frozen=True)
class RankerInputs:
    """The transformed features a ranker reads. B requests, T items in all of them.

    Attributes:
      categories: ids of the category path, top first, each [B] int64; 0 is the unknown category.
      category_traffic: how many training requests each id of a level has; 0 for the unknown one.
      request_numeric: [B] float32 each.
      item_numeric: ragged [B, n] float32 each.
      request_categorical: (feature, table) pairs, [B] int64 each.
      item_categorical: (feature, table) pairs, ragged [B, n] int64 each.
      histories: (feature, table) pairs, ragged [B, m] int64 each.
      table_sizes: how many ids each embedding table has, hash buckets included.
    """

    categories: tuple[str, ...]
    category_traffic: tuple[tuple[int, ...], ...]
    request_numeric: tuple[str, ...]
    item_numeric: tuple[str, ...]
    request_categorical: tuple[tuple[str, str], ...]
    item_categorical: tuple[tuple[str, str], ...]
    histories: tuple[tuple[str, str], ...]
    table_sizes: dict[str, int]

    @property
    def category_sizes(self) -> tuple[int, ...]:
        """How many ids each level has, the unknown one included."""
        return tuple(len(traffic) for traffic in self.category_traffic)

    @property
    def names(self) -> set[str]:
        """All features that are read."""
        pairs = (*self.request_categorical, *self.item_categorical, *self.histories)
        return {*self.categories, *self.request_numeric, *self.item_numeric, *(name for name, _ in pairs)}

    @property
    def any_item_feature(self) -> str:
        """An item feature that every request has, from which the lists' lengths are read."""
        return (self.item_numeric + tuple(name for name, _ in self.item_categorical))[0]


# Requests of the training split in a request's leaf category, [B] int64; the ranker does not read it.
CATEGORY_REQUESTS = "category_requests"


def ranker_inputs(
    schema: LogSchema, transform_output: tft.TFTransformOutput, hierarchy: CategoryHierarchy
) -> RankerInputs:
    """The inputs of a ranker for a schema: table sizes from Transform's output, traffic from the hierarchy."""

    def numeric(scope):
        features = [feature for feature in schema.numeric if feature.scope == scope]
        return tuple(name(feature) for feature in features for name in (lambda f: f.name, missing_name))

    def categorical(scope):
        features = [feature for feature in schema.categorical if feature.scope == scope]
        return tuple((id_name(feature), schema.vocabulary_of(feature).name) for feature in features)

    owners = [schema.vocabulary_of(feature) for feature in (*schema.categorical, *schema.histories)]
    return RankerInputs(
        categories=tuple(id_name(feature) for feature in schema.categories),
        category_traffic=tuple((0, *level.counts) for level in hierarchy.levels),
        request_numeric=numeric("request"),
        item_numeric=numeric("item"),
        request_categorical=categorical("request"),
        item_categorical=categorical("item"),
        histories=tuple((id_name(feature), schema.vocabulary_of(feature).name) for feature in schema.histories),
        table_sizes={
            owner.name: transform_output.vocabulary_size_by_name(owner.name) + owner.hash_buckets for owner in owners
        },
    )

"""`LogSchema`: the features of a log, by what their roles say of them. It travels as one object through the project."""

import dataclasses
from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import schema_pb2

from schemas.roles import ROLES, Role


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature of the log and what its tags say of it.

    Attributes:
      name: the feature's name in tf.Example.
      scope: "request" or "item".
      roles: the names of its roles in `schemas.roles.ROLES`.
      dtype: "int" (int64), "float" (float32) or "bytes".
      options: the tags that are neither scope nor role, as written.
      required: whether every row must have a value (presence.min_fraction of 1).
      minimum, maximum: the closed range of allowed values, None where open.
    """

    name: str
    scope: str
    roles: frozenset[str]
    dtype: str
    options: Mapping[str, str]
    required: bool
    minimum: float | None
    maximum: float | None

    def _rows(self) -> Iterator[Role]:
        return (ROLES[role] for role in self.roles)

    @property
    def kind(self) -> str:
        """How ingestion reads its column: "value", "timestamp" or "history"; see `schemas.roles.Role`."""
        return next((role.kind for role in self._rows() if role.kind != "value"), "value")

    @property
    def is_history(self) -> bool:
        """True for a list of a user's past values, the one request feature that is a list."""
        return self.kind == "history"

    @property
    def is_scalar(self) -> bool:
        """True for one value a request."""
        return self.scope == "request" and not self.is_history

    @property
    def must_have_value(self) -> bool:
        """True if a raw row without a value is malformed."""
        presence = {role.presence for role in self._rows()}
        return "never" not in presence and ("always" in presence or self.required or self.dtype == "int")

    @property
    def may_be_constant(self) -> bool:
        """True if one value of the configuration may stand for all rows."""
        return all(role.may_be_constant for role in self._rows())

    @property
    def is_private(self) -> bool:
        """True if the values tell who the user is."""
        return any(role.is_private for role in self._rows())

    @property
    def model_input(self) -> str | None:
        """What a served model reads of it: "id", "number", or None."""
        return next((role.model_input for role in self._rows() if role.model_input), None)

    @property
    def is_outcome(self) -> bool:
        """True if the value is known only after the items were shown."""
        return any(role.is_outcome for role in self._rows())

    @property
    def negatives_have_it(self) -> bool:
        """True if an item that was sampled as a negative has a value."""
        return all(role.negatives_have_it for role in self._rows())

    @property
    def log_scale(self) -> bool:
        """True if a numeric feature is taken as log(1 + x)."""
        return self.options.get("scale") == "log"

    @property
    def min_count(self) -> int:
        """How often a value must be seen in training to get a place in the vocabulary."""
        return int(self.options.get("min_count", 1))

    @property
    def hash_buckets(self) -> int:
        """How many hash buckets serve the values outside the vocabulary (at least one)."""
        return int(self.options.get("hash_buckets", 1))

    @property
    def gains(self) -> tuple[float, ...]:
        """The NDCG gain of each grade 0, 1, .. of a label; 2^grade - 1 unless tagged."""
        if "gain" in self.options:
            return tuple(float(gain) for gain in self.options["gain"].split(","))
        return tuple(2.0**grade - 1.0 for grade in range(int(self.maximum) + 1))


@dataclasses.dataclass(frozen=True)
class LogSchema:
    """The features of a log in groups by role. Made by `schemas.parsing.parse_schema`.

    Attributes:
      features: all of them, in the file's order.
      proto: the TFMD Schema they were read from.
      text: the text that was parsed. A component hands it to its executor as a parameter, so TFX's cache compares it.
    """

    features: tuple[Feature, ...]
    proto: schema_pb2.Schema
    text: str

    @property
    def has_drift_comparator(self) -> bool:
        """Whether a feature is to be compared with the span before."""
        return any(feature.HasField("drift_comparator") for feature in self.proto.feature)

    @property
    def has_skew_comparator(self) -> bool:
        """Whether a feature is to be compared with a log of serving."""
        return any(feature.HasField("skew_comparator") for feature in self.proto.feature)

    def with_role(self, role: str) -> tuple[Feature, ...]:
        """The features of one role, in the file's order."""
        return tuple(feature for feature in self.features if role in feature.roles)

    def _only(self, role: str) -> Feature | None:
        return next(iter(self.with_role(role)), None)

    def __getitem__(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    @property
    def request_id(self) -> Feature:
        """The feature that names the request."""
        return self._only("request_id")

    @property
    def user_id(self) -> Feature | None:
        """The feature that names the user, if there is one."""
        return self._only("user_id")

    @property
    def timestamp(self) -> Feature:
        """The feature that dates the request, in seconds since 1970."""
        return self._only("timestamp")

    @property
    def item_id(self) -> Feature:
        """The feature that names the item."""
        return self._only("item_id")

    @property
    def position(self) -> Feature | None:
        """The item's place in the list that was shown."""
        return self._only("position")

    @property
    def weight(self) -> Feature | None:
        """The item's weight in the loss, if there is one."""
        return self._only("weight")

    @property
    def categories(self) -> tuple[Feature, ...]:
        """The levels of the query's category path, top first."""
        return tuple(sorted(self.with_role("category"), key=lambda feature: int(feature.options["level"])))

    @property
    def numeric(self) -> tuple[Feature, ...]:
        """The numeric features, of requests and of items."""
        return self.with_role("numeric")

    @property
    def categorical(self) -> tuple[Feature, ...]:
        """The categorical features, of requests and of items, without the category path."""
        return self.with_role("categorical")

    @property
    def histories(self) -> tuple[Feature, ...]:
        """The histories."""
        return self.with_role("history")

    @property
    def labels(self) -> tuple[Feature, ...]:
        """The labels, the one that is trained by default first."""
        return self.with_role("label")

    @property
    def hidden(self) -> tuple[Feature, ...]:
        """What no model reads."""
        return self.with_role("hidden")

    @property
    def request_features(self) -> tuple[Feature, ...]:
        """All features of scope request."""
        return tuple(feature for feature in self.features if feature.scope == "request")

    @property
    def item_features(self) -> tuple[Feature, ...]:
        """All features of scope item."""
        return tuple(feature for feature in self.features if feature.scope == "item")

    @property
    def model_inputs(self) -> tuple[Feature, ...]:
        """What a model reads of a request when it serves: category path, numeric, categorical, histories."""
        return tuple(feature for feature in self.features if feature.model_input)

    @property
    def outcomes(self) -> tuple[Feature, ...]:
        """What is known only after the items were shown, role by role: labels, weight, position."""
        return tuple(feature for role, row in ROLES.items() if row.is_outcome for feature in self.with_role(role))

    def vocabulary_of(self, feature: Feature) -> Feature:
        """The categorical feature whose vocabulary encodes ``feature`` (itself, if not shared)."""
        shared = feature.options.get("of") or feature.options.get("vocabulary")
        return self[shared] if shared else feature

"""Reads a TFMD Schema and the roles its features play in a ranking log.

The schema is the only place that knows the features (design law 2). Each feature
carries tags of the form ``key:value`` in its ``annotation``:

=====================  =============================================================
``scope:request``      one value a request (a list of values for a history)
``scope:item``         one value an item, a list of the same length for all of them
``role:request_id``    names the request
``role:user_id``       names the user (optional; needed to build histories or to split by user)
``role:timestamp``     seconds since 1970
``role:category``      a level of the query's category path; with ``level:1`` (top) .. ``level:L``
``role:item_id``       names the item
``role:numeric``       a number; ``scale:log`` for log(1 + x) before the z-score
``role:categorical``   a name; ``min_count:n``, ``hash_buckets:n`` for the rarer ones,
                       ``vocabulary:f`` to share the vocabulary of feature ``f``
``role:history``       past values of a user, oldest first; with ``of:f``, ``f`` a categorical item feature
``role:label``         a grade, 0 for no interaction; ``gain:0,1,3`` the NDCG gain of each grade
                       (default 2^grade - 1)
``role:position``      the item's place in the list that was shown, from 1
``role:weight``        the item's weight in the loss
``role:hidden``        carried through ingestion, never seen by a model
=====================  =============================================================

An ``item_id`` or ``user_id`` may also be ``role:categorical``; every other feature has
one role. Which roles a ranker needs at least, `read_schema` says when one is missing.
"""

import dataclasses
import math
import os
import re
from collections.abc import Iterable, Mapping

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

_SCOPES = ("request", "item")
_SCOPE_OF_ROLE = {
    "request_id": ("request",),
    "user_id": ("request",),
    "timestamp": ("request",),
    "category": ("request",),
    "item_id": ("item",),
    "numeric": _SCOPES,
    "categorical": _SCOPES,
    "history": ("request",),
    "label": ("item",),
    "position": ("item",),
    "weight": ("item",),
    "hidden": _SCOPES,
}
_TYPES_OF_ROLE = {
    "request_id": ("bytes",),
    "user_id": ("bytes",),
    "timestamp": ("int",),
    "category": ("bytes",),
    "item_id": ("bytes",),
    "numeric": ("float",),
    "categorical": ("bytes",),
    "history": ("bytes",),
    "label": ("int",),
    "position": ("int",),
    "weight": ("float",),
}
_OPTIONS_OF_ROLE = {
    "category": {"level"},
    "numeric": {"scale"},
    "categorical": {"min_count", "hash_buckets", "vocabulary"},
    "history": {"of"},
    "label": {"gain"},
}
_GRADES = 100  # above, a gain of 2^grade - 1 is soon no float32
_DTYPES = {
    schema_pb2.INT: "int",
    schema_pb2.FLOAT: "float",
    schema_pb2.BYTES: "bytes",
}


class SchemaError(ValueError):
    """A schema that cannot be read, or lacks what a ranker needs."""


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature of the log and what its tags say of it.

    Attributes:
      name: the feature's name in tf.Example.
      scope: "request" or "item".
      roles: its roles, see the module's table.
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

    @property
    def is_history(self) -> bool:
        """True for a list of a user's past values, the one request feature that is a list."""
        return "history" in self.roles

    @property
    def is_scalar(self) -> bool:
        """True for one value a request."""
        return self.scope == "request" and not self.is_history

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
    """The features of a log in groups by role. Made by `read_schema`.

    Attributes:
      features: all of them, in the file's order.
      proto: the TFMD Schema they were read from.
    """

    features: tuple[Feature, ...]
    proto: schema_pb2.Schema

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
        roles = {"category", "numeric", "categorical", "history"}
        return tuple(feature for feature in self.features if feature.roles & roles)

    def vocabulary_of(self, feature: Feature) -> Feature:
        """The categorical feature whose vocabulary encodes ``feature`` (itself, if not shared)."""
        shared = feature.options.get("of") or feature.options.get("vocabulary")
        return self[shared] if shared else feature


def read_schema(path: str | os.PathLike) -> LogSchema:
    """Reads a schema file and checks that a ranker can be trained on it.

    Args:
      path: a text-format TFMD Schema (``.pbtxt``).

    Raises:
      SchemaError: naming the file, the feature and what is allowed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return parse_schema(file.read(), source=str(path))
    except (OSError, ValueError) as error:  # a ValueError: not UTF-8, or a path that no file can have
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def parse_schema(text: str, source: str = "schema", labelled: bool = True) -> LogSchema:
    """As `read_schema`, for the text of a schema; ``source`` names it in errors.

    ``labelled=False`` takes a schema without a label too: that of requests which are only to be scored.
    """
    try:
        proto = text_format.Parse(text, schema_pb2.Schema())
    except (text_format.ParseError, ValueError, RecursionError) as error:  # ValueError: bytes that are no text
        raise SchemaError(f"{source}: is no text-format TFMD Schema: {error}") from error
    schema = LogSchema(tuple(_read_feature(feature, source) for feature in proto.feature), proto)
    _check(schema, source, labelled)
    return schema


def _read_feature(proto: schema_pb2.Feature, source: str) -> Feature:
    where = f"{source}: feature {proto.name!r}"
    if not re.fullmatch(r"\w[\w.-]*", proto.name, re.ASCII):  # it becomes the name of files and of tensors
        raise SchemaError(
            f"{where}: a name must be of letters, digits, `_`, `.` and `-`; `data.columns` says which column it is"
        )
    pairs = [tag.partition(":")[::2] for tag in proto.annotation.tag]
    scopes = [value for key, value in pairs if key == "scope"]
    roles = frozenset(value for key, value in pairs if key == "role")
    options = {key: value for key, value in pairs if key not in ("scope", "role")}
    if len(scopes) != 1 or scopes[0] not in _SCOPES:
        raise SchemaError(f"{where}: needs exactly one of the tags scope:request, scope:item. Received: {scopes}")
    if not roles or not roles <= _SCOPE_OF_ROLE.keys():
        raise SchemaError(
            f"{where}: needs a role out of {', '.join(_SCOPE_OF_ROLE)}. Received: {sorted(roles) or 'none'}"
        )
    if len(roles) > 1 and not (len(roles) == 2 and "categorical" in roles and roles & {"item_id", "user_id"}):
        raise SchemaError(f"{where}: these roles do not go together: {', '.join(sorted(roles))}")
    if proto.type not in _DTYPES:
        raise SchemaError(f"{where}: `type` must be INT, FLOAT or BYTES")
    dtype = _DTYPES[proto.type]
    allowed_options = set()
    for role in roles:
        if scopes[0] not in _SCOPE_OF_ROLE[role]:
            raise SchemaError(
                f"{where}: role {role} must be of scope {' or '.join(_SCOPE_OF_ROLE[role])}. Received: {scopes[0]}"
            )
        if dtype not in _TYPES_OF_ROLE.get(role, (dtype,)):
            raise SchemaError(
                f"{where}: role {role} must have type {_TYPES_OF_ROLE[role][0].upper()}. Received: {dtype.upper()}"
            )
        allowed_options |= _OPTIONS_OF_ROLE.get(role, set())
    if unknown := options.keys() - allowed_options:
        raise SchemaError(
            f"{where}: unknown tag {sorted(unknown)[0]!r}. Allowed here: {', '.join(sorted(allowed_options)) or 'none'}"
        )
    _check_options(options, where)
    scalar = scopes[0] == "request" and "history" not in roles
    if scalar and not (proto.HasField("shape") and not proto.shape.dim):
        raise SchemaError(f"{where}: one value a request needs `shape {{}}`")
    if not scalar and proto.HasField("shape"):
        raise SchemaError(f"{where}: a list must not have a `shape`; its length differs from request to request")
    if "label" in roles:
        _check_label(proto.int_domain, options, where)
    for kind, field in (("int", "int_domain"), ("float", "float_domain")):
        if proto.HasField(field) and dtype in ("int", "float") and dtype != kind:
            raise SchemaError(f"{where}: a feature of type {dtype.upper()} cannot have `{field}`")
    domain = proto.int_domain if proto.HasField("int_domain") else proto.float_domain
    low, high = (getattr(domain, end) if domain.HasField(end) else None for end in ("min", "max"))
    if any(bound != bound for bound in (low, high)) or (low is not None and high is not None and low > high):
        raise SchemaError(f"{where}: no value is in the domain's range [{low}, {high}]")
    return Feature(
        name=proto.name,
        scope=scopes[0],
        roles=roles,
        dtype=dtype,
        options=options,
        required=proto.presence.min_fraction >= 1.0,
        minimum=low,
        maximum=high,
    )


def _check_options(options: Mapping[str, str], where: str) -> None:
    for key in ("level", "min_count", "hash_buckets"):
        if key in options and not re.fullmatch(r"[1-9][0-9]{0,8}", options[key]):
            raise SchemaError(
                f"{where}: tag {key} must be a whole number from 1 to 999999999. Received: {options[key]!r}"
            )
    if options.get("scale", "log") != "log":
        raise SchemaError(f"{where}: tag scale must be log. Received: {options['scale']!r}")
    if "gain" in options:
        try:
            gains = [float(gain) for gain in options["gain"].split(",")]
        except ValueError:
            gains = [-1.0]
        if not all(gain >= 0.0 and math.isfinite(gain) for gain in gains):
            raise SchemaError(
                f"{where}: tag gain must be numbers >= 0, one a grade and with commas. Received: {options['gain']!r}"
            )


def _check_label(domain: schema_pb2.IntDomain, options: Mapping[str, str], where: str) -> None:
    if not (domain.HasField("min") and domain.min == 0 and domain.HasField("max") and domain.max >= 1):
        raise SchemaError(f"{where}: a label needs `int_domain {{ min: 0 max: <highest grade> }}`")
    if "gain" not in options and domain.max > _GRADES:
        raise SchemaError(f"{where}: grades above {_GRADES} need the tag gain. Received: max: {domain.max}")
    gains = options.get("gain", "").split(",")
    if "gain" in options and len(gains) != domain.max + 1:
        raise SchemaError(
            f"{where}: tag gain must have one number a grade, 0 to {domain.max}. Received: {options['gain']!r}"
        )


def _check(schema: LogSchema, source: str, labelled: bool) -> None:
    """Refuses a schema that a ranker cannot be trained on, or if not ``labelled``, one that it cannot score."""
    if not schema.proto.represent_variable_length_as_ragged:
        raise SchemaError(f"{source}: needs the line `represent_variable_length_as_ragged: true`")
    names = [feature.name for feature in schema.features]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise SchemaError(f"{source}: feature {sorted(duplicates)[0]!r} stands there twice")
    for role in ("request_id", "timestamp", "item_id"):
        _check_count(schema, role, source, 1, 1)
    for role in ("user_id", "position", "weight"):
        _check_count(schema, role, source, 0, 1)
    _check_count(schema, "label", source, 1 if labelled else 0, None)
    levels = [int(feature.options.get("level", 0)) for feature in schema.with_role("category")]
    if sorted(levels) != list(range(1, len(levels) + 1)) or len(levels) < 2:
        raise SchemaError(
            f"{source}: needs at least two features of role:category, tagged level:1, level:2, ... Received: {levels}"
        )
    if not any({"numeric", "categorical"} & feature.roles for feature in schema.item_features):
        raise SchemaError(f"{source}: needs at least one feature of scope:item with role:numeric or role:categorical")
    item_vocabularies = {feature.name for feature in schema.categorical if feature.scope == "item"}
    for feature in schema.histories:
        _check_reference(feature, "of", feature.options.get("of"), item_vocabularies, source)
    for feature in schema.categorical:
        if "vocabulary" in feature.options:
            owners = {f.name for f in schema.categorical if "vocabulary" not in f.options}
            _check_reference(feature, "vocabulary", feature.options["vocabulary"], owners, source)


def _check_count(schema: LogSchema, role: str, source: str, least: int, most: int | None) -> None:
    found = [feature.name for feature in schema.with_role(role)]
    if len(found) < least:
        raise SchemaError(f"{source}: a ranker needs a feature of role:{role}, and there is none")
    if most is not None and len(found) > most:
        raise SchemaError(f"{source}: only one feature can have role:{role}. Received: {', '.join(found)}")


def _check_reference(feature: Feature, tag: str, value: str | None, allowed: Iterable[str], source: str) -> None:
    if value not in allowed:
        raise SchemaError(
            f"{source}: feature {feature.name!r}: tag {tag} must name one of {', '.join(sorted(allowed)) or '(none)'}. "
            f"Received: {value!r}"
        )

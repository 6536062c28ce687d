"""What is read from where: the configuration and the schema worked out to one field after another."""

import dataclasses
import functools
from collections.abc import Mapping

from common.splits import EARLIER
from components.click_log_example_gen.config import DataConfig, Table
from schemas.log_schema import Feature, LogSchema

FLOAT32_MAX = 3.4028234663852886e38
PATH = "@path"  # the whole category path in one column
SPLIT = "@split"  # the name of the request's split
ROW = "@row"  # a column that every file has: the row's own name, file:line


@dataclasses.dataclass(frozen=True)
class Field:
    """One column of the rows that are read: a feature of the schema, or a helper the result does not have.

    Attributes:
      name: the feature, or the name under which `category_path` knows it, or `PATH`, or `SPLIT`.
      scope: "request" or "item".
      dtype: "int", "float" or "bytes".
      kind: "value", "timestamp" or "history", see `schemas.roles.Role`.
      columns: the columns of the log (or of a table) it is read from; several are joined with "|".
      values: what each text in the column stands for, None if the text is the value.
      missing: texts that mean unknown, besides the empty one.
      must: a row without a value is malformed.
      minimum, maximum: the closed range of allowed values.
    """

    name: str
    scope: str
    dtype: str
    kind: str = "value"
    columns: tuple[str, ...] = ()
    values: Mapping[str, int | str] | None = None
    missing: tuple[str, ...] = ()
    must: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @property
    def label(self) -> str:
        """The field's name for a message: with its column, where that has another name."""
        return self.name if self.columns == (self.name,) else f"{self.name} (column {'|'.join(self.columns)})"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The configuration and the schema, worked out. Cheap to pickle, so every worker has one."""

    data: DataConfig
    schema: LogSchema

    @functools.cached_property
    def candidates(self) -> tuple[str, ...]:
        """The item-level names whose most frequent combination is the query's category path."""
        path = self.data.category_path
        return tuple(path.candidates or ()) if path else ()

    @functools.cached_property
    def joined(self) -> dict[str, Table]:
        """By name: the table that brings it."""
        return {name: table for table in self.data.tables for name in table.columns}

    @functools.cached_property
    def built_histories(self) -> dict[str, str]:
        """The histories that are built from the log: the item feature each is made of."""
        if not self.data.history.build:
            return {}
        return {f.name: f.options["of"] for f in self.schema.histories if f.name not in self.joined}

    @functools.cached_property
    def constants(self) -> tuple[Field, ...]:
        """The fields whose one value stands in the configuration."""
        return tuple(self.field(name) for name in self.data.constants)

    @functools.cached_property
    def read(self) -> tuple[Field, ...]:
        """The fields that are read from the log's own columns."""
        elsewhere = set(self.data.constants) | set(self.joined) | set(self.built_histories)
        if self.data.category_path:
            elsewhere |= {feature.name for feature in self.schema.categories}
        names = [feature.name for feature in self.schema.features if feature.name not in elsewhere]
        names += [name for name in self.candidates if name not in names and name not in elsewhere]
        if self.data.category_path and self.data.category_path.column:
            names.append(PATH)
        if self.data.split.by == "column":
            names.append(SPLIT)
        return tuple(self.field(name) for name in names)

    def field(self, name: str) -> Field:
        """The field of a feature or of a helper, as it is read from the log or from its table."""
        column = self.data.columns.get(name, name)
        if name in self.joined:
            column = self.joined[name].columns[name]
        missing = tuple(self.data.missing.get(name, ()))
        if name == PATH:
            return Field(name, "request", "bytes", columns=(self.data.category_path.column,), missing=missing)
        if name == SPLIT:
            split = self.data.split
            return Field(name, "request", "bytes", columns=(split.column,), values=split.values, must=True)
        columns = (column,) if isinstance(column, str) else tuple(column)
        if not has(self.schema, name):
            return Field(name, "item", "bytes", columns=columns, missing=missing)
        feature = self.schema[name]
        return Field(
            name=name,
            scope=feature.scope,
            dtype=feature.dtype,
            kind=feature.kind,
            columns=columns,
            values=self.data.grades.get(name),
            missing=missing,
            must=feature.must_have_value,
            minimum=feature.minimum,
            maximum=feature.maximum,
        )

    def is_private(self, name: str) -> bool:
        """Whether a feature's values are a user's name or history, which stand in the quarantine and in no message."""
        return any(feature.is_private for feature in self.schema.features if feature.name == name)

    @property
    def by_user(self) -> bool:
        """Whether finishing a request takes all requests of its user."""
        negatives = self.data.negatives
        return bool(self.built_histories) or (negatives is not None and negatives.exclude == "user")

    @property
    def negatives_level(self) -> int:
        """The level of the category path, from 1, that a positive shares with its sampled negatives."""
        return self.data.negatives.level or len(self.schema.categories)

    @property
    def splits(self) -> list[str]:
        """The names of the splits, in the configuration's order; that of older spans is the last."""
        split = self.data.split
        names = list(dict.fromkeys(split.values.values() if split.by == "column" else split.fractions))
        return [*names, EARLIER] if self.data.window > 1 else names


def has(schema: LogSchema, name: str) -> bool:
    """Whether the schema has a feature of this name."""
    return any(feature.name == name for feature in schema.features)


def check(data: DataConfig, schema: LogSchema) -> None:
    """Refuses a configuration that does not fit the schema; looks at no file.

    Raises:
      ValueError: naming the key, what it holds and what is allowed.
    """
    features = {feature.name for feature in schema.features}
    path = data.category_path
    candidates = set(path.candidates or ()) if path else set()
    _known("data.columns", data.columns, features | candidates)
    _known("data.constants", data.constants, features)
    _known("data.missing", data.missing, features | candidates)
    _known("data.grades", data.grades, {feature.name for feature in schema.labels})
    given: dict[str, str] = {}
    for key, names in [
        ("data.columns", data.columns),
        ("data.constants", data.constants),
        *((f"data.tables[{i}].columns", table.columns) for i, table in enumerate(data.tables)),
    ]:
        for name in names:
            if name in given:
                raise ValueError(f"`{key}`: {name!r} is given by `{given[name]}` already; take one of the two out")
            given[name] = key
    for i, table in enumerate(data.tables):
        _check_table(f"data.tables[{i}]", table, schema, features, candidates)
    if path:
        for feature in schema.categories:
            if feature.name in given:
                raise ValueError(
                    f"`{given[feature.name]}`: {feature.name!r} is a level of the category path, which "
                    "`data.category_path` gives already; take one of the two out"
                )
        for name in candidates & features:
            if schema[name].scope != "item" or schema[name].dtype != "bytes":
                raise ValueError(f"`data.category_path.candidates`: {name!r} must be an item feature of type BYTES")
    for name, value in data.constants.items():
        _check_constant(name, value, schema[name])
    for label, grades in data.grades.items():
        for event, grade in grades.items():
            low, high = schema[label].minimum or 0, schema[label].maximum
            if grade < low or (high is not None and grade > high):
                raise ValueError(
                    f"`data.grades.{label}.{event}` must be in the label's range "
                    f"[{low:g}, {'' if high is None else f'{high:g}'}]. Received: {grade}"
                )
    _check_history(data, schema)
    _check_split(data, schema)
    _check_headers(data)
    _check_negatives(data, schema)
    if data.min_items > data.max_items:
        raise ValueError(
            f"`data.min_items` must be at most max_items={data.max_items}. Received: min_items={data.min_items}"
        )
    if data.timestamp_format not in ("seconds", "milliseconds") and "%" not in data.timestamp_format:
        raise ValueError(
            "`data.timestamp_format` must be seconds, milliseconds or a strptime format such as "
            f"'%Y-%m-%d %H:%M:%S'. Received: {data.timestamp_format!r}"
        )


def _known(key: str, names, allowed: set[str]) -> None:
    if unknown := sorted(set(names) - allowed):
        raise ValueError(
            f"`{key}`: the schema has no {unknown[0]!r} here. Allowed: {', '.join(sorted(allowed)) or '(none)'}"
        )


def _check_table(key: str, table: Table, schema: LogSchema, features: set[str], candidates: set[str]) -> None:
    _known(f"{key}.match", [table.match], features)
    _known(f"{key}.columns", table.columns, features | candidates)
    on = schema[table.match]
    for name in table.columns:
        scope = schema[name].scope if name in features else "item"
        history = name in features and schema[name].is_history
        if (scope, history) != (on.scope, on.is_history):
            kinds = {
                ("item", False): "item feature",
                ("request", False): "request feature",
                ("request", True): "history",
            }
            raise ValueError(
                f"`{key}.columns`: {name!r} is a{'n' if scope == 'item' else ''} {kinds[scope, history]}, but "
                f"{table.match!r} in `match` a{'n' if on.scope == 'item' else ''} {kinds[on.scope, on.is_history]}; "
                "join them by features of one kind"
            )


def _check_constant(name: str, value: str | int | float, feature: Feature) -> None:
    key = f"`data.constants.{name}`"
    if not feature.may_be_constant:
        raise ValueError(f"{key}: {', '.join(sorted(feature.roles))} cannot be a constant")
    types = {"int": int, "float": (int, float), "bytes": str}
    if not isinstance(value, types[feature.dtype]):
        raise ValueError(f"{key} must be of type {feature.dtype.upper()}. Received: {value!r}")
    if feature.dtype != "bytes":
        low, high = feature.minimum, feature.maximum
        most = 2**63 - 1 if feature.dtype == "int" else FLOAT32_MAX
        low, high = -most if low is None else max(low, -most), most if high is None else min(high, most)
        if not low <= value <= high:  # which NaN is not
            raise ValueError(f"{key} must be in the feature's range [{low:g}, {high:g}]. Received: {value!r}")


def _check_history(data: DataConfig, schema: LogSchema) -> None:
    if data.history.build:
        if schema.user_id is None:
            raise ValueError("`data.history.build` needs a feature of role:user_id, and the schema has none")
        joined = {name for table in data.tables for name in table.columns}
        for feature in schema.histories:
            if feature.name in data.columns:
                raise ValueError(
                    f"`data.columns`: the history {feature.name!r} is built from the log (`data.history.build`); "
                    "take one of the two out"
                )
            if feature.name not in joined and schema[feature.options["of"]].scope != "item":
                raise ValueError(f"`data.history.build`: {feature.name!r} must be a history of an item feature")


def _check_headers(data: DataConfig) -> None:
    headers = {"data.header": data.header} | {f"data.tables[{i}].header": t.header for i, t in enumerate(data.tables)}
    for key, names in headers.items():
        for i, name in enumerate(names or []):
            if name in names[:i]:
                raise ValueError(f"`{key}` names the column {name!r} twice")


def _check_negatives(data: DataConfig, schema: LogSchema) -> None:
    negatives = data.negatives
    if negatives is None:
        return
    if data.layout != "impressions":
        raise ValueError(
            "`data.negatives` needs `data.layout: impressions`: a row of a list says what was shown with it"
        )
    if negatives.level is not None and negatives.level > len(schema.categories):
        raise ValueError(
            f"`data.negatives.level` must be in [1, {len(schema.categories)}], the schema's levels. "
            f"Received: {negatives.level}"
        )
    if negatives.per_positive >= data.max_items:
        raise ValueError(
            f"`data.negatives.per_positive` must be below max_items={data.max_items}. "
            f"Received: {negatives.per_positive}"
        )
    if negatives.exclude == "user" and schema.user_id is None:
        raise ValueError(
            "`data.negatives.exclude: user` needs a feature of role:user_id, and the schema has none; take "
            "`exclude: request`"
        )
    for feature in schema.features:
        if not feature.negatives_have_it and feature.name not in data.constants:
            raise ValueError(
                f"`data.negatives`: an item that is sampled was shown nowhere, so it has no {feature.name!r}; take it "
                "out of the schema"
            )


def _check_split(data: DataConfig, schema: LogSchema) -> None:
    split = data.split
    if split.by == "column":
        if not split.column or not split.values:
            raise ValueError("`data.split.column` and `data.split.values` must be given with `by: column`")
    elif not (abs(sum(split.fractions.values()) - 1.0) <= 1e-6 and min(split.fractions.values(), default=0.0) > 0.0):
        raise ValueError(f"`data.split.fractions` must be above 0 and sum to 1. Received: {split.fractions}")
    if data.window > 1:
        if not data.has_spans:
            raise ValueError(
                "`data.window` needs spans to count: {SPAN}, or {YYYY}, {MM} and {DD}, in `data.files`. "
                f"Received: window={data.window}, files={data.files!r}"
            )
        if EARLIER in (split.values or {}).values() or EARLIER in split.fractions:
            raise ValueError(f"`data.split`: no split may be called {EARLIER} where `data.window` is above 1")
    if split.by == "user" and schema.user_id is None:
        raise ValueError("`data.split.by: user` needs a feature of role:user_id, and the schema has none")

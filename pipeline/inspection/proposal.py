"""From what a log's columns hold to a schema and a configuration that read it."""

import dataclasses
import re

import numpy as np
import pandas as pd

from pipeline.inspection.columns import Column, constant_within, maps_to
from pipeline.inspection.sample import Sample, Unreadable

_REQUEST = r"request|query|search|impression|serp|qid|basket|order|list|session|visit"
_ITEM = "item|product|sku|asin|article|goods|wid|pid|document|doc|listing|offer"
_USER = "user|customer|visitor|household|member|client|buyer|uid|shopper"
_TIME = "time|timestamp|date|datetime|ts|day|created|at"
_CLICK = "click|clicked|is_click|tap"
_LABEL = (
    rf"{_CLICK}|purchase|purchased|buy|bought|order|ordered|cart|label|conversion|converted|relevance|grade|interest"
)
_EVENT = "event|action|behaviou?r|type|event_type|label|interest"
_POSITION = "position|pos|rank|slot|place"
_CATEGORY = "category|cat|cate|department|dept|shelf|class|aisle|section|taxonomy|topic|genre|vertical|type|code"
# What has numbers for names, unless its name says that it counts or measures.
_NAMED_BY_NUMBER = f"id|code|no|zip|level|brand|shop|store|seller|manufacturer|maker|vendor|colou?r|gender|{_CATEGORY}"
_MEASURE = "overlap|count|length|popularity|num|rate|score|price|share|age|size|amount|value|quantity|sales|stock"
_HISTORY = "history|hist|past|previous|recent|last|sequence|seq|behaviou?r"
_GRADES = (  # of events, from nothing to the strongest sign of interest
    ("view", "impression", "show", "shown", "display", "pv", "none", "exposure"),
    ("click", "detail", "open", "tap"),
    ("fav", "favorite", "favourite", "collect", "like", "wishlist", "save"),
    ("cart", "add_to_cart", "addtocart", "add"),
    ("purchase", "buy", "order", "transaction", "bought", "conversion"),
)
_SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid",
           "dev": "valid", "test": "test", "eval": "test"}  # fmt: skip
_PATH_SEPARATORS = (" > ", ">", "/", "|", ".", ":")
_STRICT = 0.95  # the share of rows in which a lower level must have its usual parent
_SMALLEST_OVERLAP = 0.3  # of a log's ids that a table must know


@dataclasses.dataclass
class Feature:
    """A feature of the schema that is to be written.

    Attributes:
      name, scope, type: as in the schema.
      tags: without the scope.
      required: whether each row must have it.
      domain: the schema's field for the allowed values, or "".
      column: where it stands, for a comment.
      why: what told, for the table.
    """

    name: str
    scope: str
    type: str
    tags: list[str]
    required: bool = False
    domain: str = ""
    column: str = ""
    why: str = ""


@dataclasses.dataclass
class Proposal:
    """What is to be written.

    Attributes:
      features: in the order of the schema.
      data: the section `data` of the configuration.
      other: further sections.
      unsure: what should be looked at, a sentence each.
    """

    features: list[Feature] = dataclasses.field(default_factory=list)
    data: dict = dataclasses.field(default_factory=dict)
    other: dict = dataclasses.field(default_factory=dict)
    unsure: list[str] = dataclasses.field(default_factory=list)


def propose(samples: list[Sample]) -> Proposal:
    """Guesses roles from names and values.

    Args:
      samples: of the log's files and of tables beside it, see `read_samples`.

    Raises:
      Unreadable: if something is missing without which there is no request: items, or a label.
    """
    log = max(samples, key=_looks_like_a_log)
    return _Guess(log, [sample for sample in samples if sample is not log]).proposal


def _looks_like_a_log(sample: Sample) -> tuple[bool, int]:
    columns = [Column(name, sample.rows[name]) for name in sample.rows]
    has_label = any(column.is_named(_LABEL) or column.is_named(_EVENT) for column in columns)
    has_item = any(column.is_named(_ITEM) for column in columns)
    return has_item and has_label, sum(file.stat().st_size for file in sample.files)


class _Guess:
    def __init__(self, log: Sample, tables: list[Sample]):
        self.proposal = Proposal()
        self._log, self._tables = log, tables
        self._columns = {name: Column(name, log.rows[name]) for name in log.rows}
        self._left = dict(self._columns)  # what has no role yet
        self._names: set[str] = set()
        if not len(log.rows):
            raise Unreadable(f"{log.files[0]}: holds no row")
        self._separator = self._lists_of_items()
        self._read_files()
        self._item()
        self._label()
        self._user()
        self._timestamp()
        self._split()
        request = self._request()
        self._join_tables()
        self._category(request)
        self._histories()
        self._others(request)
        order = {"request": 0, "item": 1}
        self.proposal.features.sort(key=lambda feature: order[feature.scope])

    # --- helpers

    def _take(self, column: str, feature: str, **kwargs) -> Feature:
        self._left.pop(column, None)
        if feature != column:
            self.proposal.data.setdefault("columns", {})[feature] = column
        return self._add(feature, column=column, **kwargs)

    def _add(self, feature: str, **kwargs) -> Feature:
        self._names.add(feature)
        self.proposal.features.append(Feature(feature, **kwargs))
        return self.proposal.features[-1]

    def _name(self, column: str, taken: str = "") -> str:
        """A feature's name for a column: as it is, where the schema allows it."""
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", column).strip("_") or "column"
        return f"{taken}{name}" if name in self._names else name

    def _best(self, pattern: str, fits=lambda column: True) -> Column | None:
        """The column whose name says it most plainly: one that names an id first, then the shortest."""
        found = [column for column in self._left.values() if column.is_named(pattern) and fits(column)]
        return min(found, key=lambda column: (not column.is_named("id|no|number"), len(column.name)), default=None)

    def _unsure(self, text: str) -> None:
        self.proposal.unsure.append(text)

    # --- files and layout

    def _lists_of_items(self) -> str | None:
        """The separator if a row is a request: items and label are lists of the same lengths; "" of native lists."""
        items = [c for c in self._columns.values() if c.is_named(_ITEM) and not c.is_named(_HISTORY)]
        labels = [c for c in self._columns.values() if c.is_named(f"{_LABEL}|{_EVENT}") and not c.is_named(_HISTORY)]
        for item in items:
            for label in labels:
                for separator in (item.list_separator(), "" if item.is_native_list else None):
                    if separator is None or item is label:
                        continue
                    lengths = [_lengths(column.values, separator) for column in (item, label)]
                    if (lengths[0] == lengths[1]).mean() > 0.95 and lengths[0].mean() > 1.5:
                        return separator
        return None

    def _read_files(self) -> None:
        data = self.proposal.data
        data["files"] = self._log.pattern
        if not self._log.named:
            data["format"] = self._log.format
        if self._separator is not None:
            data["layout"] = "requests"
            if self._separator:
                data["list_separator"] = self._separator

    # --- roles

    def _item(self) -> None:
        def fits(column):
            lists = self._separator is not None
            return column.distinct > 1 if not lists else column.is_native_list or column.list_separator() is not None

        column = self._best(_ITEM, lambda c: fits(c) and not c.is_named(_HISTORY) and not c.is_named(_CATEGORY))
        if column is None:
            raise Unreadable(
                f"{self._log.files[0]}: no column looks like the item's name ({', '.join(self._columns)}); call it "
                "item_id, or write the schema by hand (docs/your-own-log.md)"
            )
        tags = ["role:item_id", "role:categorical", "min_count:5", "hash_buckets:64"]
        self._item_column = column
        self._take(column.name, "item_id", scope="item", type="BYTES", tags=tags, required=True, why="its name")

    def _label(self) -> None:
        labels = [column for column in self._left.values() if self._grades(column) is not None]
        if not labels:
            raise Unreadable(
                f"{self._log.files[0]}: no column looks like what became of an item (0 and 1, or names as view, click, "
                "purchase). A log of purchases alone needs negatives first"
            )
        labels.sort(key=lambda c: (not c.is_named(_CLICK), not c.is_named(_LABEL), list(self._columns).index(c.name)))
        for column in labels:
            grades = self._grades(column)
            highest = max(grades.values())
            if list(grades) != [str(grade) for grade in range(highest + 1)]:
                self.proposal.data.setdefault("grades", {})[self._name(column.name)] = grades
            self._take(
                column.name,
                self._name(column.name),
                scope="item",
                type="INT",
                tags=["role:label"],
                required=True,
                domain=f"int_domain {{ min: 0 max: {highest} }}",
                why=f"its name, and the values {', '.join(grades)}",
            )
        if len(labels) > 1:
            self.proposal.other["model"] = {"tasks": [self._name_of(labels[0])]}
            others = ", ".join(column.name for column in labels[1:])
            self._unsure(f"`{labels[0].name}` is trained and judged by; `model.tasks` can add {others}")

    def _name_of(self, column: Column) -> str:
        return next(feature.name for feature in self.proposal.features if feature.column == column.name)

    def _grades(self, column: Column) -> dict[str, int] | None:
        """{value: grade} of a column that may be a label."""
        values = column.present if self._separator is None else column.tokens(self._separator or None)
        texts = sorted(values.astype(str).unique())[:50]
        plain = [text.removesuffix(".0") for text in texts]
        if column.is_named(_POSITION) or column.is_named(_HISTORY):
            return None
        if set(plain) <= {"0", "1"} and len(plain) == 2 and column.is_named(_LABEL):
            return {"0": 0, "1": 1} if plain == texts else {text: int(float(text)) for text in texts}
        if {text.lower() for text in texts} == {"true", "false"} and column.is_named(_LABEL):
            return {text: int(text.lower() == "true") for text in texts}
        if not (column.is_named(_LABEL) or column.is_named(_EVENT)):
            return None
        whole = all(text.isdigit() for text in plain)
        if whole and 2 <= len(plain) <= 6 and max(map(int, plain)) <= 5:
            return {str(grade): grade for grade in range(max(map(int, plain)) + 1)}
        rank = {name: grade for grade, names in enumerate(_GRADES) for name in names}
        ranks = {text: rank.get(re.sub("[^a-z]+", "_", text.lower()).strip("_")) for text in texts}
        known = {text: grade for text, grade in ranks.items() if grade is not None}
        if len(known) < 2 or len(known) < 0.5 * len(texts):
            return None
        if unknown := sorted(set(texts) - set(known)):
            self._unsure(f"`{column.name}`: {', '.join(unknown)} are taken for no interest (grade 0)")
        order = {grade: place for place, grade in enumerate(sorted(set(known.values())))}
        return {text: order[known[text]] if text in known else 0 for text in texts}

    def _user(self) -> None:
        column = self._best(_USER, lambda c: c.distinct > 1 and not c.is_named(_REQUEST))
        if column is not None:
            self._take(column.name, "user_id", scope="request", type="BYTES", tags=["role:user_id"], why="its name")
            self.proposal.features[-1].required = column.missing == 0

    def _timestamp(self) -> None:
        times = [c for c in self._left.values() if c.time_format and (c.is_named(_TIME) or c.numbers is None)]
        ordered = [c for c in self._left.values() if c.is_named(_TIME) and c.is_whole and c not in times]
        column = next(iter([*sorted(times, key=lambda c: len(c.name)), *ordered]), None)
        domain, data = "int_domain { min: 0 }", self.proposal.data
        options = {"scope": "request", "type": "INT", "tags": ["role:timestamp"], "required": True, "domain": domain}
        self._time_column = column
        if column is None:
            data.setdefault("constants", {})["timestamp"] = 0
            self._add("timestamp", why="no column of times", **options)
            data["split"] = {"by": "request", "fractions": {"train": 0.8, "valid": 0.1, "test": 0.1}}
            self._unsure("there is no time: requests are divided by chance, not into earlier and later ones")
            return
        if column.time_format and column.time_format != "seconds":
            data["timestamp_format"] = column.time_format
        if not column.time_format:
            self._unsure(f"`{column.name}` holds no times that are known; its order alone is used")
        self._take(column.name, "timestamp", why=f"times as {column.time_format or 'numbers'}", **options)

    def _split(self) -> None:
        for column in list(self._left.values()):
            values = {str(value) for value in column.present.unique()} if column.distinct in (2, 3) else set()
            if values and all(value.lower() in _SPLITS for value in values):
                self._left.pop(column.name)
                found = {value: _SPLITS[value.lower()] for value in sorted(values)}
                self.proposal.data["split"] = {"by": "column", "column": column.name, "values": found}
                if len(found) < 3:
                    self._unsure(f"`{column.name}` names {', '.join(found)} in the rows looked at; three are needed")
                    names = {"train": "train", "valid": "valid", "test": "test"}
                    self.proposal.data["split"]["values"] = {v: k for k, v in names.items() if k not in found.values()}
                    self.proposal.data["split"]["values"] |= found
                return
        self.proposal.data.setdefault("split", {"by": "time", "fractions": {"train": 0.8, "valid": 0.1, "test": 0.1}})

    def _request(self) -> pd.Series:
        """The request of each row, as it would be read."""
        options = {"scope": "request", "type": "BYTES", "tags": ["role:request_id"], "required": True}
        rows = self._log.rows
        if self._separator is not None:
            column = self._best(_REQUEST, lambda c: c.distinct == len(rows) and c.missing == 0)
            if column is not None:
                self._take(column.name, "request_id", why="its name, other in each row", **options)
            else:
                self.proposal.data.setdefault("columns", {})["request_id"] = "@row"
                self._add("request_id", column="@row", why="each row is a request", **options)
            return pd.Series(np.arange(len(rows)), index=rows.index)

        def groups(column):
            return 1.3 <= len(column.present) / max(1, column.distinct) <= 1000 and column.missing < 0.05

        found = [c for c in self._left.values() if c.is_named(_REQUEST) and not c.is_named(_CATEGORY) and groups(c)]
        words = _REQUEST.split("|")
        plain = min(found, key=lambda c: min(i for i, w in enumerate(words) if c.is_named(w)), default=None)
        if plain is not None:
            column = plain
            request, parts = rows[column.name], [column.name]
            self._left.pop(column.name)
            why = "its name; it groups the rows"
        else:
            parts = [feature.column for feature in self.proposal.features if feature.name in ("user_id", "timestamp")]
            parts = [part for part in parts if part]
            if not parts:
                raise Unreadable(
                    f"{self._log.files[0]}: no column groups the rows into requests ({', '.join(self._columns)}); call "
                    "it request_id"
                )
            request, why = _joined(rows, parts), "no column names requests: one user's rows of one time"
            self._unsure("no column names requests: one user's rows of the same time are taken for one")
        self._request_parts = parts
        columns = self.proposal.data.setdefault("columns", {})
        if parts != ["request_id"]:
            columns["request_id"] = parts[0] if len(parts) == 1 else parts
        self._add("request_id", column=" + ".join(parts), why=why, **options)
        return request

    # --- tables beside the log

    def _join_tables(self) -> None:
        """Adds the columns of tables whose key is the item or the user; `_joined_columns` are those of the items'."""
        self._table_columns: dict[str, pd.Series] = {}  # of item tables: by name, for each row of the log
        self._joins: list[dict] = []
        self._item_key: tuple[Sample, str] | None = None
        users = next((f.column for f in self.proposal.features if f.name == "user_id"), None)
        for table in self._tables:
            keys = [("item_id", self._item_column.name), *([("user_id", users)] if users else [])]
            found = max(
                (
                    (_overlap(self._ids(mine), table.rows[key]), match, mine, key)
                    for match, mine in keys
                    for key in table.rows
                ),
                default=(0.0, "", "", ""),
            )
            overlap, match, mine, key = found
            name = ", ".join(file.name for file in table.files)
            if overlap < _SMALLEST_OVERLAP:
                self._unsure(f"{name}: no column holds the log's items or users; it is not read")
                continue
            join = {"files": table.pattern, **({} if table.named else {"format": table.format})}
            self._joins.append(join | {"key": key, "match": match, "columns": {}})
            if overlap < 0.95:
                self._unsure(f"{name}: `{key}` knows {overlap:.0%} of the log's {mine} in the rows looked at")
            rows = table.rows.drop_duplicates(key).set_index(key)
            for column in rows:
                self._table(column, rows, mine, match, self._joins[-1])
        if self._joins:
            self.proposal.data["tables"] = self._joins

    def _ids(self, column: str) -> pd.Series:
        if self._separator is not None and column == self._item_column.name:
            return self._columns[column].tokens(self._separator or None).drop_duplicates()
        return self._columns[column].present.drop_duplicates()

    def _table(self, column: str, rows: pd.DataFrame, mine: str, match: str, join: dict) -> None:
        name = self._name(column, "item_" if match == "item_id" else "user_")
        found = Column(column, rows[column])
        if match == "item_id" and self._separator is None:
            self._table_columns[name] = self._log.rows[mine].map(rows[column])
        elif match == "item_id":
            self._table_columns[name] = rows[column]
        if not found.distinct or found.distinct == 1:
            return
        scope = "item" if match == "item_id" else "request"
        feature = self._feature(found, name, scope)
        if feature is not None:
            join["columns"][name] = column
            feature.column = f"{column} of {', '.join([join['files']])}"

    # --- the category path

    def _category(self, request: pd.Series) -> None:
        own = self._chain([c for c in self._left.values() if self._is_level(c) and self._is_the_query_s(c, request)])
        if len(own) < 2 and self._separator is None and self._path_in_one_column(request):
            return
        if own:
            self._levels(own)
            return
        if self._candidates():
            return
        self._unsure(
            "no category was found: all requests are given one, `category_1`, and a mixture has nothing to tell apart"
        )
        for level in (1, 2):
            self.proposal.data.setdefault("constants", {})[f"category_{level}"] = "all"
            self._level(level, "", "no column of categories")
        self.proposal.other.setdefault("model", {})["variant"] = "dnn"

    def _is_level(self, column: Column) -> bool:
        named = column.is_named(_CATEGORY) and not column.is_named(f"{_MEASURE}|{_HISTORY}|name")
        return named and not column.is_native_list and 2 <= column.distinct <= max(50, len(column.values) // 2)

    def _level(self, level: int, column: str, why: str, name: str = "") -> None:
        name = name or f"category_{level}"
        options = {"scope": "request", "type": "BYTES", "required": True, "why": why}
        tags = ["role:category", f"level:{level}"]
        if column:
            self._take(column, name, tags=tags, **options)
        else:
            self._add(name, tags=tags, **options)

    def _path_in_one_column(self, request: pd.Series) -> bool:
        for column in [c for c in self._left.values() if c.is_named(_CATEGORY) and c.numbers is None]:
            texts = column.present.astype(str)
            for separator in _PATH_SEPARATORS:
                parts = texts.str.split(separator, regex=False)
                depth = parts.str.len()
                if not len(depth) or (depth > 1).mean() < 0.5 or parts.str[0].nunique() > column.distinct / 2:
                    continue
                levels = int(depth.quantile(0.95))
                self.proposal.data["category_path"] = {"column": column.name, "separator": separator}
                if separator == ".":
                    del self.proposal.data["category_path"]["separator"]
                self._left.pop(column.name)
                for level in range(1, levels + 1):
                    self._level(level, "", f"part {level} of {column.name}, {separator!r} between them")
                self._divide(request, column)
                return True
        return False

    def _divide(self, request: pd.Series, column: Column) -> None:
        """Where a session has rows of several categories, a request is what it saw of one."""
        if constant_within(request, column.values) > 0.95:
            return
        by = column
        for other in self._left.values():  # an id of the category stands in rows without its name, too
            if other.is_named("category|cat|cate") and other.missing < column.missing and self._finer(other, column):
                by = other
        self._left.pop(by.name, None)
        self.proposal.data["columns"]["request_id"] = [*self._request_parts, by.name]
        feature = next(f for f in self.proposal.features if f.name == "request_id")
        feature.column, feature.why = " + ".join([*self._request_parts, by.name]), "one category of a session"
        self._unsure(
            f"`{' + '.join(self._request_parts)}` holds rows of several categories: a request is what it has of one"
        )
        # Events, not lists that were shown: an item comes up in several of them.
        self.proposal.data["duplicate_items"] = "merge"

    def _finer(self, finer: Column, coarser: Column) -> bool:
        return maps_to(finer.values, coarser.values) >= _STRICT

    def _is_the_query_s(self, column: Column, request: pd.Series) -> bool:
        return constant_within(request, column.values) >= _STRICT and column.missing <= 0.5

    def _chain(self, columns: list[Column]) -> list[Column]:
        """Columns of which each decides the one before it, the coarsest first."""
        chain = []
        for column in sorted(columns, key=lambda c: c.distinct):
            if not chain or (column.distinct > chain[-1].distinct and self._finer(column, chain[-1])):
                chain.append(column)
        return chain

    def _levels(self, chain: list[Column]) -> None:
        """Levels that the query itself has: the same in all rows of a request."""
        self._top_of(chain)
        for level, column in enumerate(chain, 1 + (len(chain) == 1)):
            self._level(level, column.name, f"the same in a request, {column.distinct} values", self._name(column.name))

    def _top_of(self, chain: list[Column]) -> None:
        """A hierarchy has two levels at least: over a single one stands one that holds all."""
        if len(chain) == 1:
            self.proposal.data.setdefault("constants", {})["category_all"] = "all"
            self._level(1, "", f"over all {chain[0].name}", "category_all")
            self._unsure(f"`{chain[0].name}` is the only level of categories: one that holds all stands over it")

    def _candidates(self) -> bool:
        """Levels that the items have: the query's path is the most frequent of its candidates'."""
        found = [Column(c.name, c.values) for c in self._left.values() if self._is_level(c)]
        found += [
            Column(name, values) for name, values in self._table_columns.items() if self._is_level(Column(name, values))
        ]
        chain = self._chain([c for c in found if c.missing < 0.5])
        if not chain:
            return False
        self.proposal.data["category_path"] = {"candidates": [column.name for column in chain]}
        for level, column in enumerate(chain, 1):
            if column.name in self._left:
                self._left.pop(column.name)
            if column.name not in self._names:
                self._add(
                    column.name,
                    scope="item",
                    type="BYTES",
                    tags=["role:categorical", "min_count:5"],
                    column=column.name,
                    why="a category of the item",
                )
            self._level(level, "", f"the most frequent {column.name} of the candidates")
        return True

    # --- the rest

    def _histories(self) -> None:
        data = self.proposal.data
        items = set(self._ids(self._item_column.name).astype(str))
        for column in list(self._left.values()):
            if not column.is_named(_HISTORY):
                continue
            separator = column.list_separator(is_list=column.numbers is None)
            if not (separator or column.is_native_list):
                continue
            tokens = set(column.tokens(separator).astype(str))
            wanted = data.setdefault("list_separator", separator or " ")
            if separator and separator != wanted:
                self._unsure(
                    f"`{column.name}`: `{separator}` stands between its values, elsewhere `{wanted}`: not read"
                )
                self._left.pop(column.name)
                continue
            if data["list_separator"] == " ":
                del data["list_separator"]
            of = self._of(column, tokens, items)
            if of is None:
                continue  # looked at again with the other columns
            self._take(column.name, self._name(column.name), scope="request", type="BYTES",
                       tags=["role:history", f"of:{of}"], why=f"a list; its values are those of {of}")  # fmt: skip
        has_user = any(feature.name == "user_id" for feature in self.proposal.features)
        has_history = any("role:history" in feature.tags for feature in self.proposal.features)
        if has_user and self._time_column is not None and not has_history:
            data["history"] = {"build": True}
            self._add("history_item", scope="request", type="BYTES", tags=["role:history", "of:item_id"],
                      why="built from the log: the user's earlier positive items")  # fmt: skip

    def _of(self, history: Column, tokens: set[str], items: set[str]) -> str | None:
        """The item feature whose past values a list holds: by name, else the smallest that has most of the values."""
        if history.is_named(_ITEM):
            return "item_id"
        values = {"item_id": items}
        features = {feature.column: feature for feature in self.proposal.features}
        for column in self._columns.values():
            feature = features.get(column.name)
            of_items = column.name in self._left if feature is None else feature.scope == "item"
            if of_items and (column.numbers is None or column.is_named(_NAMED_BY_NUMBER)):
                name = feature.name if feature else self._name(column.name)
                values.setdefault(name, set(column.present.astype(str).unique()) if column.distinct else set())
        plain = _without(_HISTORY, history.name)
        if named := [name for name in values if _without(_ITEM, name) == plain]:
            return named[0]
        shares = {name: len(tokens & those) / max(1, len(tokens)) for name, those in values.items()}
        fitting = [name for name, share in shares.items() if share >= 0.9 * max(shares.values()) and share > 0.1]
        return min(fitting, key=lambda name: len(values[name]), default=None)

    def _others(self, request: pd.Series) -> None:
        for column in list(self._left.values()):
            self._left.pop(column.name)
            if column.distinct <= 1 and not column.is_native_list and column.list_separator() is None:
                self._unsure(f"`{column.name}` has one value or none: not read")
                continue
            lists = column.is_native_list or column.list_separator() is not None
            if self._separator is not None:
                if lists:
                    self._unsure(
                        f"`{column.name}`: a list that is neither of the items nor of a history that is known: not read"
                    )
                    continue
                scope = "request"
            else:
                if lists:
                    self._unsure(f"`{column.name}`: lists: not read")
                    continue
                scope = "request" if constant_within(request, column.values) > 0.99 else "item"
            if scope == "item" and column.is_named(_POSITION) and column.is_whole and np.nanmin(column.numbers) >= 1:
                self._take(column.name, self._name(column.name), scope="item", type="INT", tags=["role:position"],
                           domain="int_domain { min: 1 }", required=column.missing == 0, why="its name")  # fmt: skip
                continue
            name = self._name(column.name)
            if self._feature(column, name, scope) is not None and name != column.name:
                self.proposal.data.setdefault("columns", {})[name] = column.name

    def _feature(self, column: Column, name: str, scope: str) -> Feature | None:
        """A number or a name; None if it says nothing that a ranker can use."""
        numbers = column.numbers
        is_name = column.is_whole and column.is_named(_NAMED_BY_NUMBER) and not column.is_named(_MEASURE)
        if numbers is not None and not is_name:
            low, high = np.nanmin(numbers), np.nanmax(numbers)
            tags, domain = ["role:numeric"], ""
            if low >= 0:
                domain = "float_domain { min: 0 }"
                if high > 20 * max(1e-9, np.nanmedian(numbers)):
                    tags.append("scale:log")
            return self._add(name, scope=scope, type="FLOAT", tags=tags, domain=domain, column=column.name,
                             why=f"numbers, {column.examples()}")  # fmt: skip
        if column.time_format is not None and column.numbers is None:
            self._unsure(f"`{column.name}`: times, which no ranker reads: left out")
            return None
        tags = ["role:categorical", "min_count:5"]
        if column.distinct > 1000:
            tags.append("hash_buckets:16")
        if scope == "request" and column.distinct > 0.5 * len(column.present):
            self._unsure(f"`{column.name}`: texts that seldom come twice, as a query's: left out")
            return None
        return self._add(name, scope=scope, type="BYTES", tags=tags, column=column.name,
                         why=f"{column.distinct:,} names: {column.examples()}")  # fmt: skip


def _lengths(values: pd.Series, separator: str) -> pd.Series:
    if not separator:
        return values.map(lambda value: len(value) if isinstance(value, list) else 0)
    return values.fillna("").astype(str).str.split(separator, regex=False).str.len()


def _joined(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    return rows[columns].astype(str).agg("|".join, axis=1) if len(columns) > 1 else rows[columns[0]]


def _overlap(mine: pd.Series, theirs: pd.Series) -> float:
    """The share of distinct values that are in a table's column, 0 if that is no key."""
    present = theirs.dropna()
    if (
        not len(present)
        or present.map(lambda value: isinstance(value, list)).any()
        or present.nunique() < 0.99 * len(present)
    ):
        return 0.0
    return float(mine.astype(str).isin(set(present.astype(str))).mean()) if len(mine) else 0.0


def _without(words: str, name: str) -> str:
    return re.sub(f"(^|_)({words})(?=_|$)", "", name).strip("_")

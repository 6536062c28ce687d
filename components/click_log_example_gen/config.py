"""Configuration of ingestion: the section `data` of a run's YAML file."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.section import Section

Format = Literal["csv", "tsv", "json_lines", "parquet"]
Header = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
_HEADER = "the columns' names, of CSV and TSV without a header row"


class Table(Section):
    """An item or user table whose columns are joined to the rows of the log."""

    files: str = Field(description="glob under the data folder")
    format: Format | None = Field(None, description="from the file names unless given")
    header: Header | None = Field(None, description=_HEADER)
    key: str = Field(description="the table's key column")
    match: str = Field(
        description="the feature it is matched with (item_id, user_id; of a history, each value is mapped)"
    )
    columns: dict[str, str] = Field(description="feature (or name used in category_path): the table's column")


class CategoryPath(Section):
    """Where the query's category path comes from when the log has no column a level. One of the two."""

    column: str | None = Field(None, description='one column with the whole path, "electronics.smartphone"')
    separator: str = Field(".", min_length=1, description="between the levels in `column`")
    candidates: list[str] | None = Field(
        None, description="item-level columns, top first: the most frequent path among the request's items, "
        "ties to the smaller name; computed without looking at labels"
    )  # fmt: skip

    @model_validator(mode="after")
    def _one(self):
        if (self.column is None) == (self.candidates is None):
            raise ValueError("exactly one of `column` and `candidates` must be given")
        return self


class History(Section):
    """Histories are built from the log: a user's earlier positive items, never later ones."""

    build: bool = Field(False, description="build the history features from the log instead of reading them")
    length: int = Field(20, ge=1, description="the last M items are kept, built or read")


class Split(Section):
    """How requests are divided; a request is never cut."""

    by: Literal["time", "request", "user", "column"] = Field("time", description="time: the latest are the test split")
    fractions: dict[str, float] = Field({"train": 0.8, "valid": 0.1, "test": 0.1}, description="of requests (or users)")
    column: str | None = Field(None, description="for by: column, the column that holds the split's name")
    values: dict[str, str] | None = Field(None, description="for by: column, value in the column: split")

    @model_validator(mode="after")
    def _names_of_folders(self):
        for name in (*self.fractions, *(self.values or {}).values()):
            if not re.fullmatch(r"\w+", name, re.ASCII):
                raise ValueError(f"a split's name must be of letters, digits and `_`. Received: {name!r}")
        return self


class Negatives(Section):
    """Negatives for a log of positives only: items of the same shelf that the user had nothing to do with."""

    per_positive: int = Field(4, ge=1, description="negatives for each positive item")
    level: int | None = Field(
        None, ge=1, description="the level of the category path that positive and negatives share, 1 the top; the "
        "deepest unless given. Levels below it are taken out of the query's path: they would be the positive's own"
    )  # fmt: skip
    smoothing: float = Field(
        0.75, ge=0, le=1, description="an item is drawn in proportion to its positives in the training split, to the "
        "power of this; 0: all alike"
    )  # fmt: skip
    exclude: Literal["user", "request"] = Field(
        "user", description="whose items are never drawn. user: all that the user had in the request's split or one "
        "before it; a positive that the user had before goes to the quarantine, for its history would tell it from "
        "any negative. request: those of the request alone"
    )  # fmt: skip
    seed: int = Field(1, ge=0, le=2**63 - 1)


class DataConfig(Section):
    """Ingestion of a click log."""

    path: str | None = Field(None, description="the folder of the log; `--data` sets it")
    files: str = Field("*", description="glob under `path`; may hold {SPAN}, {VERSION}, {YYYY}, {MM}, {DD}")
    span: int | None = Field(
        None, ge=0, description="the span to take; the newest unless given; of a date, its days since 1970"
    )
    window: int = Field(
        1,
        ge=1,
        description="how many spans to read, that one and those before it; requests of these are the split `earlier`, "
        "which is trained on (see `train.warm_start`) and part of the vocabularies, and by which nothing is judged",
    )
    format: Format | None = Field(None, description="from the file names unless given; .gz is unpacked")
    header: Header | None = Field(None, description=_HEADER)
    layout: Literal["impressions", "requests"] = Field(
        "impressions", description="one row an impression, or one row a request with lists"
    )
    columns: dict[str, str | Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="feature: column, where the names differ; several columns are joined with '|'; "
        "the column `@row` is the row's own name, file:line; in JSON Lines and Parquet `items.price` reads the field "
        "`price` of each object in the list `items`"
    )  # fmt: skip
    constants: dict[str, str | int | float] = Field({}, description="feature: value, where the log has none")
    grades: dict[str, dict[str, int]] = Field(
        {}, description="label: {event type: grade}, where the label's column holds names"
    )
    missing: dict[str, list[str]] = Field({}, description="feature: texts that mean unknown, as the empty one does")
    list_separator: str = Field(" ", min_length=1, description="between the values of a list in one text column")
    timestamp_format: str = Field("seconds", description="seconds, milliseconds, or a strptime format in UTC")
    tables: list[Table] = Field([], description="item and user tables to join")
    category_path: CategoryPath | None = None
    history: History = History()
    negatives: Negatives | None = Field(None, description="sampled negatives, for a log of positives only")
    split: Split = Split()
    min_items: int = Field(2, ge=1, description="requests with fewer items go to the quarantine by rule")
    max_items: int = Field(200, ge=1, description="see `too_many_items`")
    too_many_items: Literal["truncate", "quarantine"] = Field("truncate", description="cut items go to the quarantine")
    duplicate_items: Literal["quarantine", "merge"] = Field(
        "quarantine", description="merge keeps the highest grade and the first row's features (event logs)"
    )
    max_bad_fraction: float = Field(0.05, ge=0, le=1, description="more malformed rows than this fail the run")

    @property
    def has_spans(self) -> bool:
        """Whether the files are named by spans."""
        return bool(re.search(r"{SPAN(:\d+)?}|{DD}", self.files))

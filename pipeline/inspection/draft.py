"""A proposal in the making: what is taken from the log, and what is left."""

import dataclasses
import itertools
import re
from collections.abc import Container

import pandas as pd

from pipeline.inspection.columns import Column
from pipeline.inspection.sample import Sample, Unreadable
from schemas.roles import ROLES

# A log's own column of such a name may have another role, or none.
_OF_ROLES = "user_id", "timestamp", "request_id", "item_id"


@dataclasses.dataclass
class Feature:
    """A feature of the schema that is to be written.

    Attributes:
      name, scope: as in the schema.
      tags: without the scope; the role first.
      required: whether each row must have it.
      domain: the schema's field for the allowed values, or "".
      column: where it stands, for a comment.
      why: what told, for the table.
    """

    name: str
    scope: str
    tags: list[str]
    required: bool = False
    domain: str = ""
    column: str = ""
    why: str = ""

    @property
    def role(self) -> str:
        """The name of its role, the first of two."""
        return self.tags[0].removeprefix("role:")

    @property
    def type(self) -> str:
        """Its type in the schema."""
        return (ROLES[self.role].dtype or "bytes").upper()

    @property
    def is_scalar(self) -> bool:
        """True for one value a request."""
        return self.scope == "request" and ROLES[self.role].kind != "history"


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


class Draft:
    """What is known so far; each step of `propose` takes columns out of `left`.

    Attributes:
      proposal: what is to be written.
      log, tables: samples of the log's files and of those beside it.
      columns: the log's, by name.
      left: those that have no role yet.
      names: those that no other feature may have.
      separator: between the items of a row, "" of native lists, None where a row is an impression.
      item_column, time_column: once they are found.
      request_parts: the columns that name the request.
      groups: [rows], which rows belong together; a request, or more where each positive is a request.
      positives_only: whether the log has no row of what was only shown.
      levels: the levels of the category path, [rows of the log] each, where rows have one each.
      table_columns: of item tables, by feature: [rows of the log], or [rows of the table] where a row is a request.
    """

    def __init__(self, log: Sample, tables: list[Sample]):
        if not len(log.rows):
            raise Unreadable(f"{log.files[0]}: holds no row")
        self.proposal = Proposal()
        self.log, self.tables = log, tables
        self.columns = {name: Column(name, log.rows[name]) for name in log.rows}
        self.left = dict(self.columns)
        self.names = set(_OF_ROLES)
        self._names_of_columns: dict[str, str] = {}
        self.separator: str | None = None
        self.item_column: Column | None = None
        self.time_column: Column | None = None
        self.request_parts: list[str] = []
        self.groups = pd.Series(dtype=object)
        self.positives_only = False
        self.table_columns: dict[str, pd.Series] = {}
        self.levels: list[pd.Series] = []

    def take(self, column: str, feature: str, *tags: str, **kwargs) -> Feature:
        """Makes a column of the log a feature."""
        self.left.pop(column, None)
        if feature != column:
            self.proposal.data.setdefault("columns", {})[feature] = column
        return self.add(feature, *tags, column=column, **kwargs)

    def add(self, feature: str, *tags: str, scope: str = "", **kwargs) -> Feature:
        """Adds a feature; the arguments as of `Feature`. ``scope`` may be left out if its role has one only."""
        scopes = ROLES[tags[0].removeprefix("role:")].scopes
        self.proposal.features.append(Feature(feature, scope or scopes[0], list(tags), **kwargs))
        return self.proposal.features[-1]

    def name(self, column: str) -> str:
        """The feature's name of a column of the log, always the same: the column's own, where that can be."""
        if column not in self._names_of_columns:
            others = self.left.keys() - {column}  # each of which keeps its own
            self._names_of_columns[column] = self.new_name(column, unlike=others)
        return self._names_of_columns[column]

    def new_name(self, wanted: str, prefix: str = "", unlike: Container[str] = ()) -> str:
        """A name that the schema allows and nothing has: with the prefix, then with a number, where it is taken."""
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", wanted).strip("_").lstrip("_.-") or "column"
        numbered = (f"{prefix}{plain}_{number}" for number in itertools.count(2))
        names = itertools.chain((plain, f"{prefix}{plain}"), numbered)
        name = next(name for name in names if name not in self.names and name not in unlike)
        self.names.add(name)
        return name

    def best(self, pattern: str, fits=lambda column: True) -> Column | None:
        """The column whose name says it most plainly: one that names an id first, then the shortest."""
        found = [column for column in self.left.values() if column.is_named(pattern) and fits(column)]
        return min(found, key=lambda column: (not column.is_named("id|no|number"), len(column.name)), default=None)

    def ids(self, column: str) -> pd.Series:
        """The distinct ids that a column of the log holds, one by one where it holds lists."""
        if self.separator is not None and column == self.item_column.name:
            return self.columns[column].tokens(self.separator or None).drop_duplicates()
        return self.columns[column].present.drop_duplicates()

    def unsure(self, text: str) -> None:
        """Says what should be looked at."""
        if text not in self.proposal.unsure:
            self.proposal.unsure.append(text)

"""The roles that a feature of a log can have: what each means, and what every reader of a schema needs of it.

A new role is a row of `ROLES`; tests/schemas/test_roles.py compares the rows with the table in docs/your-own-log.md.
"""

import dataclasses
from collections.abc import Mapping

SCOPES = ("request", "item")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Role:
    """One role.

    Attributes:
      description: what the feature is.
      scopes: the scopes it may have: one value a request, or one an item.
      dtype: the type it must have, "int", "float" or "bytes"; None if it may have any.
      tags: the further tags it may have, as written in a schema, and what each says.
      beside: the role that the same feature may have, too.
      least, most: how many features of the role a schema must and may have; ``most`` is None where there is no limit.
      kind: how ingestion turns its column into values: "value" (one a row), "timestamp" (one a row, read by
        `data.timestamp_format`) or "history" (a list a row).
      presence: whether each raw row must have a value: "always", "never", or "schema": if the schema's `presence` says
        so, and for the type INT, which has no value for "missing".
      may_be_constant: whether one value of the configuration (`data.constants`) may stand for all rows.
      is_private: the values tell who the user is, so they stand in no message.
      model_input: what a served model reads of it: "id" (of a category or in a vocabulary), "number", or None.
      is_outcome: it is known only after the items were shown. Training reads it; a request to score has none.
      negatives_have_it: whether an item that was sampled, and shown nowhere, has a value.
    """

    description: str
    scopes: tuple[str, ...] = SCOPES
    dtype: str | None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    beside: str | None = None
    least: int = 0
    most: int | None = None
    kind: str = "value"
    presence: str = "schema"
    may_be_constant: bool = True
    is_private: bool = False
    model_input: str | None = None
    is_outcome: bool = False
    negatives_have_it: bool = True


ROLES: Mapping[str, Role] = {
    "request_id": Role(
        description="names the request",
        scopes=("request",),
        dtype="bytes",
        least=1,
        most=1,
        presence="always",
        may_be_constant=False,
    ),
    "user_id": Role(
        description="names the user; needed to build histories and to split by user",
        scopes=("request",),
        dtype="bytes",
        beside="categorical",
        most=1,
        is_private=True,
    ),
    "timestamp": Role(
        description="the request's time in seconds since 1970",
        scopes=("request",),
        dtype="int",
        least=1,
        most=1,
        kind="timestamp",
    ),
    "category": Role(
        description="a level of the query's category path",
        scopes=("request",),
        dtype="bytes",
        tags={"level:1": "the top level; the level below it is `level:2`, and so on"},
        least=2,
        presence="never",  # the hierarchy has an id for an unknown category
        model_input="id",
    ),
    "item_id": Role(
        description="names the item",
        scopes=("item",),
        dtype="bytes",
        beside="categorical",
        least=1,
        most=1,
        presence="always",
        may_be_constant=False,
    ),
    "numeric": Role(
        description="a number",
        dtype="float",
        tags={"scale:log": "take log(1 + x) before the z-score"},
        model_input="number",
    ),
    "categorical": Role(
        description="a name",
        dtype="bytes",
        tags={
            "min_count:5": "names that training has seen less often have no id of their own",
            "hash_buckets:16": "the number of ids for all other names; 1 unless given",
            "vocabulary:brand": "share the vocabulary of the feature `brand`",
        },
        model_input="id",
    ),
    "history": Role(
        description="past values of the user, the oldest first",
        scopes=("request",),
        dtype="bytes",
        tags={"of:brand": "the categorical item feature whose values it holds; always needed"},
        kind="history",
        may_be_constant=False,
        is_private=True,
        model_input="id",
    ),
    "label": Role(
        description="a grade, 0 for no interaction",
        scopes=("item",),
        dtype="int",
        tags={"gain:0,1,3": "the NDCG gain of each grade; 2^grade - 1 unless given"},
        least=1,
        is_outcome=True,
    ),
    "weight": Role(
        description="the item's weight in the loss",
        scopes=("item",),
        dtype="float",
        most=1,
        presence="always",
        is_outcome=True,
        negatives_have_it=False,
    ),
    "position": Role(
        description="the item's place in the list that was shown, from 1",
        scopes=("item",),
        dtype="int",
        most=1,
        is_outcome=True,
        negatives_have_it=False,
    ),
    "hidden": Role(
        description="goes through ingestion; no model reads it",
        dtype=None,
    ),
}

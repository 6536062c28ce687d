import pathlib
import re

from schemas.parsing import parse_schema
from schemas.roles import ROLES
from tests.schemas.small import SMALL

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "your-own-log.md"


def test_the_page_has_the_table_of_roles():
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in PAGE.read_text("utf-8").splitlines() if "| `role:" in line]
    assert rows == [
        [
            f"`role:{name}`",
            role.description,
            " or ".join(role.scopes),
            (role.dtype or "any").upper(),
            "; ".join(f"`{tag}`: {meaning}" for tag, meaning in role.tags.items()),
            role.model_input or "",
        ]
        for name, role in ROLES.items()
    ]


def test_the_page_names_the_roles_that_a_schema_needs():
    text = " ".join(PAGE.read_text("utf-8").split())
    needed = text.partition("A schema needs at least one ")[2].partition(".")[0]
    assert re.findall("role:(\\w+)", needed) == ["request_id", "timestamp", "item_id", "label", "category"]
    assert {name for name, role in ROLES.items() if role.least} == set(re.findall("role:(\\w+)", needed))
    beside = re.findall("role:(\\w+)", text.partition("one `role:`. ")[2].partition(".")[0])
    assert {name for name, role in ROLES.items() if role.beside} == set(beside[:2])
    assert {role.beside for role in ROLES.values()} == {None, beside[2]}


def test_what_readers_ask_of_a_feature():
    schema = parse_schema(SMALL)
    facts = {
        feature.name: (feature.kind, feature.must_have_value, feature.model_input, feature.is_outcome)
        for feature in schema.features
    }
    assert facts == {
        "q": ("value", True, None, False),
        "t": ("timestamp", True, None, False),
        "leaf": ("value", False, "id", False),
        "top": ("value", False, "id", False),
        "past": ("history", False, "id", False),
        "item": ("value", True, None, False),
        "brand": ("value", False, "id", False),
        "price": ("value", False, "number", False),
        "grade": ("value", True, None, True),
    }
    assert [feature.name for feature in schema.features if feature.is_private] == ["past"]
    assert [feature.name for feature in schema.features if not feature.may_be_constant] == ["q", "past", "item"]

import pathlib

import pytest

from schemas.checking import SchemaError
from schemas.parsing import parse_schema, read_schema
from tests.schemas.small import SMALL

SCHEMAS = sorted((pathlib.Path(__file__).resolve().parents[2] / "schemas").glob("*.pbtxt"))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_schema_of_the_project_is_fit_for_a_ranker(path):
    schema = read_schema(path)
    assert len(schema.categories) >= 2
    assert schema.request_id.scope == "request"


def test_features_are_grouped_by_role():
    schema = parse_schema(SMALL)
    assert [level.name for level in schema.categories] == ["top", "leaf"]
    assert [feature.name for feature in schema.model_inputs] == ["leaf", "top", "past", "brand", "price"]
    assert schema.vocabulary_of(schema["past"]) is schema["brand"]
    assert schema["brand"].min_count == 3
    assert schema["price"].log_scale
    assert (schema["price"].minimum, schema["price"].maximum) == (0.0, None)
    assert schema["grade"].gains == (0.0, 1.0, 3.0)
    assert schema.user_id is None
    assert schema.text == SMALL


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"none\.pbtxt: cannot be read"):
        read_schema(tmp_path / "none.pbtxt")

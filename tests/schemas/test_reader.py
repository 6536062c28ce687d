import pathlib

import pytest

from schemas.reader import SchemaError, parse_schema, read_schema

SCHEMAS = sorted((pathlib.Path(__file__).resolve().parents[2] / "schemas").glob("*.pbtxt"))

SMALL = """
represent_variable_length_as_ragged: true
feature { name: "q" type: BYTES shape {} annotation { tag: "scope:request" tag: "role:request_id" } }
feature { name: "t" type: INT shape {} annotation { tag: "scope:request" tag: "role:timestamp" } }
feature { name: "leaf" type: BYTES shape {} annotation { tag: "scope:request" tag: "role:category" tag: "level:2" } }
feature { name: "top" type: BYTES shape {} annotation { tag: "scope:request" tag: "role:category" tag: "level:1" } }
feature { name: "past" type: BYTES annotation { tag: "scope:request" tag: "role:history" tag: "of:brand" } }
feature { name: "item" type: BYTES annotation { tag: "scope:item" tag: "role:item_id" } }
feature { name: "brand" type: BYTES annotation { tag: "scope:item" tag: "role:categorical" tag: "min_count:3" } }
feature { name: "price" type: FLOAT float_domain { min: 0 }
          annotation { tag: "scope:item" tag: "role:numeric" tag: "scale:log" } }
feature { name: "grade" type: INT int_domain { min: 0 max: 2 } annotation { tag: "scope:item" tag: "role:label" } }
"""


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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("role:request_id", "role:request", "needs a role out of request_id"),
        ("scope:item", "scope:list", "needs exactly one of the tags scope:request, scope:item"),
        ('tag: "role:timestamp"', 'tag: "role:hidden"', "needs a feature of role:timestamp"),
        ('tag: "level:2"', 'tag: "level:3"', r"level:1, level:2, \.\.\. Received: \[3, 1\]"),
        ('tag: "level:2"', 'tag: "level:two"', "level must be a whole number"),
        ('tag: "role:label"', 'tag: "role:hidden"', "needs a feature of role:label"),
        ("of:brand", "of:price", "feature 'past': tag of must name one of brand. Received: 'price'"),
        ("min_count:3", "minimum:3", "feature 'brand': unknown tag 'minimum'. Allowed here: hash_buckets, min_count"),
        ("scale:log", "scale:sqrt", "tag scale must be log"),
        ('name: "price"', 'name: "brand"', "feature 'brand' stands there twice"),
        ('name: "t" type: INT', 'name: "t" type: FLOAT', "role timestamp must have type INT. Received: FLOAT"),
        ('"q" type: BYTES shape {}', '"q" type: BYTES', "one value a request needs `shape {}`"),
        ("represent_variable_length_as_ragged: true", "", "represent_variable_length_as_ragged"),
        ('tag: "role:label"', 'tag: "role:label" tag: "gain:0,x"', "tag gain must be numbers"),
        ('tag: "role:label"', 'tag: "role:label" tag: "gain:0,1,nan"', "tag gain must be numbers"),
        ('tag: "level:2"', 'tag: "level:²"', "level must be a whole number"),
        ('name: "q"', 'name: "@line"', "a name must be of letters"),
        ('name: "q"', "", "a name must be of letters"),
        ("int_domain { min: 0 max: 2 }", "int_domain { min: 0 max: 5000 }", "grades above 100 need the tag gain"),
        (
            "float_domain { min: 0 }",
            "float_domain { min: 1 max: 0 }",
            r"no value is in the domain's range \[1.0, 0.0\]",
        ),
        ("float_domain { min: 0 }", "int_domain { min: 0 }", "a feature of type FLOAT cannot have `int_domain`"),
        ('tag: "role:label"', 'tag: "role:label" tag: "gain:0,1"', "gain must have one number a grade, 0 to 2"),
        ("int_domain { min: 0 max: 2 }", "int_domain { min: 0 }", "a label needs `int_domain"),
        ('name: "price"', 'name: "../price"', r"feature '\.\./price': a name must be of letters"),
        ("feature {", "feature [", "is no text-format TFMD Schema"),
    ],
)
def test_what_a_ranker_cannot_use_is_refused(old, new, message):
    assert old in SMALL
    with pytest.raises(SchemaError, match=message) as error:
        parse_schema(SMALL.replace(old, new), source="shop.pbtxt")
    assert str(error.value).startswith("shop.pbtxt: ")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"none\.pbtxt: cannot be read"):
        read_schema(tmp_path / "none.pbtxt")

import pytest

from schemas.checking import SchemaError
from schemas.parsing import parse_schema
from tests.schemas.small import SMALL


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("role:request_id", "role:request", "needs a role out of request_id"),
        ("scope:item", "scope:list", "needs exactly one of the tags scope:request, scope:item"),
        ('tag: "role:timestamp"', 'tag: "role:hidden"', "needs at least 1 of role:timestamp"),
        ('tag: "level:2"', 'tag: "level:3"', r"level:1, level:2, \.\.\. Received: \[3, 1\]"),
        ('tag: "level:2"', 'tag: "level:two"', "level must be a whole number"),
        ('tag: "role:label"', 'tag: "role:hidden"', "needs at least 1 of role:label"),
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


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ("item_id categorical", None),
        ("item_id hidden", "these roles do not go together: hidden, item_id"),
        ("numeric categorical", "these roles do not go together: categorical, numeric"),
    ],
)
def test_an_id_may_also_be_categorical(roles, message):
    tags = " ".join(f'tag: "role:{role}"' for role in roles.split())
    text = SMALL.replace('tag: "role:item_id"', tags)
    if message is None:
        assert parse_schema(text).item_id.model_input == "id"
    else:
        with pytest.raises(SchemaError, match=message):
            parse_schema(text)

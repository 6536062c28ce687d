"""Whatever stands in a schema, it is read or refused by a SchemaError that names the file; and what is read works."""

import pathlib
import re

import hypothesis
from hypothesis import strategies as st

from schemas.checking import SchemaError
from schemas.log_schema import LogSchema
from schemas.parsing import parse_schema, read_schema

TEXTS = [path.read_text(encoding="utf-8") for path in sorted(pathlib.Path("schemas").glob("*.pbtxt"))]
TOKEN = re.compile(r'"[^"\n]*"|[A-Za-z_]\w*|[-+.\d]+|[^\s\w]|\s+')
TOKENS = sorted({token for text in TEXTS for token in TOKEN.findall(text)})
# Tags with odd numbers, bounds no value is in, names that are ingestion's own.
ODD = [
    '"level:²"', '"level:٣"', '"level:01"', '"level:99999999999999999999"', '"min_count:0"', '"hash_buckets:-1"',
    '"gain:nan,inf"', '"gain:0,1e999"', '"gain:"', '"scale:"', '"role:"', '"of:"', '"scope:item"', '"role:label"', '""',
    '"@path"', '"\\377"', '"\\000"', "nan", "inf", "-1", "1e99", "9223372036854775807", "5000", "0.5", "int_domain",
    "float_domain", "FLOAT", "STRUCT", "struct_domain {", "feature {", "}", "\0", "{" * 3000,
    "feature { struct_domain { " * 400,
]  # fmt: skip


@st.composite
def schemas(draw) -> str:
    """A schema of the project in which a few words are others."""
    tokens = TOKEN.findall(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(tokens) - 1))
        tokens[at] = draw(st.sampled_from(ODD) | st.sampled_from(TOKENS) | st.just("") | st.text(max_size=5))
    return "".join(tokens)


@hypothesis.given(schemas() | st.text(max_size=50), st.booleans())
def test_parse(text, labelled):
    try:
        schema = parse_schema(text, "shop.pbtxt", labelled)
    except SchemaError as error:
        assert str(error).startswith("shop.pbtxt: ")  # noqa: PT017
        return
    use(schema)


def use(schema: LogSchema) -> None:
    """What the components ask of it."""
    assert schema.request_id.is_scalar
    assert len(schema.categories) >= 2
    for feature in schema.features:
        assert feature.min_count >= 1 <= feature.hash_buckets
        assert feature.minimum is None or feature.maximum is None or feature.minimum <= feature.maximum
        schema.vocabulary_of(feature)
    for label in schema.labels:
        assert len(label.gains) == label.maximum + 1
        assert all(0 <= gain < 2**127 for gain in label.gains)


@hypothesis.given(st.binary(max_size=60) | st.sampled_from(TEXTS).map(lambda text: text.encode("utf-16")))
def test_read(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.pbtxt"
    path.write_bytes(content)
    try:
        read_schema(path)
    except SchemaError as error:
        assert str(path) in str(error)  # noqa: PT017

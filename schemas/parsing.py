"""From the text of a schema to a `LogSchema`.

The schema is the only place that knows the features (design law 2). Each feature carries tags of the form
``key:value`` in its ``annotation``: one ``scope:``, its ``role:`` and what else schemas/roles.py allows of the role.
"""

import os
import re

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schemas.checking import SchemaError, check_feature, check_schema, check_tags
from schemas.log_schema import Feature, LogSchema

_DTYPES = {
    schema_pb2.INT: "int",
    schema_pb2.FLOAT: "float",
    schema_pb2.BYTES: "bytes",
}


def read_schema(path: str | os.PathLike) -> LogSchema:
    """Reads a schema file and checks that a ranker can be trained on it.

    Args:
      path: a text-format TFMD Schema (``.pbtxt``).

    Raises:
      SchemaError: naming the file, the feature and what is allowed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return parse_schema(file.read(), source=str(path))
    except (OSError, ValueError) as error:  # a ValueError: not UTF-8, or a path that no file can have
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def parse_schema(text: str, source: str = "schema", labelled: bool = True) -> LogSchema:
    """As `read_schema`, for the text of a schema; ``source`` names it in errors.

    ``labelled=False`` takes a schema without a label too: that of requests which are only to be scored.
    """
    try:
        proto = text_format.Parse(text, schema_pb2.Schema())
    except (text_format.ParseError, ValueError, RecursionError) as error:  # ValueError: bytes that are no text
        raise SchemaError(f"{source}: is no text-format TFMD Schema: {error}") from error
    schema = LogSchema(tuple(_read_feature(feature, source) for feature in proto.feature), proto, text)
    check_schema(schema, source, labelled)
    return schema


def _read_feature(proto: schema_pb2.Feature, source: str) -> Feature:
    where = f"{source}: feature {proto.name!r}"
    if not re.fullmatch(r"\w[\w.-]*", proto.name, re.ASCII):  # it becomes the name of files and of tensors
        raise SchemaError(
            f"{where}: a name must be of letters, digits, `_`, `.` and `-`; `data.columns` says which column it is"
        )
    pairs = [tag.partition(":")[::2] for tag in proto.annotation.tag]
    scopes = [value for key, value in pairs if key == "scope"]
    roles = frozenset(value for key, value in pairs if key == "role")
    check_tags(scopes, roles, where)
    if proto.type not in _DTYPES:
        raise SchemaError(f"{where}: `type` must be INT, FLOAT or BYTES")
    domain = proto.int_domain if proto.HasField("int_domain") else proto.float_domain
    low, high = (getattr(domain, end) if domain.HasField(end) else None for end in ("min", "max"))
    feature = Feature(
        name=proto.name,
        scope=scopes[0],
        roles=roles,
        dtype=_DTYPES[proto.type],
        options={key: value for key, value in pairs if key not in ("scope", "role")},
        required=proto.presence.min_fraction >= 1.0,
        minimum=low,
        maximum=high,
    )
    check_feature(feature, proto, where)
    return feature

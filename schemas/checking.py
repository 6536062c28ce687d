"""What is refused of a schema: features that their roles do not allow, and schemas that no ranker can be trained on."""

import math
import re
from collections.abc import Iterable, Mapping

from tensorflow_metadata.proto.v0 import schema_pb2

from schemas.log_schema import Feature, LogSchema
from schemas.roles import ROLES, SCOPES

_GRADES = 100  # above, a gain of 2^grade - 1 is soon no float32


class SchemaError(ValueError):
    """A schema that cannot be read, or lacks what a ranker needs."""


def check_tags(scopes: list[str], roles: frozenset[str], where: str) -> None:
    """Refuses scopes and roles that do not exist or do not go together.

    Args:
      scopes: the values of the tags ``scope:``.
      roles: the values of the tags ``role:``.
      where: names the feature in errors.

    Raises:
      SchemaError: naming what is allowed.
    """
    if len(scopes) != 1 or scopes[0] not in SCOPES:
        raise SchemaError(f"{where}: needs exactly one of the tags scope:request, scope:item. Received: {scopes}")
    if not roles or not roles <= ROLES.keys():
        raise SchemaError(f"{where}: needs a role out of {', '.join(ROLES)}. Received: {sorted(roles) or 'none'}")
    if len(roles) > 1 and not any(roles == {role, ROLES[role].beside} for role in roles):
        raise SchemaError(f"{where}: these roles do not go together: {', '.join(sorted(roles))}")


def check_feature(feature: Feature, proto: schema_pb2.Feature, where: str) -> None:
    """Refuses a feature whose scope, type, tags, shape or domain its roles do not allow.

    Args:
      feature: as it was read.
      proto: what it was read from.
      where: names the feature in errors.

    Raises:
      SchemaError: naming what is allowed.
    """
    tags: set[str] = set()
    for name in feature.roles:
        role = ROLES[name]
        if feature.scope not in role.scopes:
            raise SchemaError(
                f"{where}: role {name} must be of scope {' or '.join(role.scopes)}. Received: {feature.scope}"
            )
        if feature.dtype != (role.dtype or feature.dtype):
            raise SchemaError(
                f"{where}: role {name} must have type {role.dtype.upper()}. Received: {feature.dtype.upper()}"
            )
        tags |= {tag.partition(":")[0] for tag in role.tags}
    if unknown := feature.options.keys() - tags:
        raise SchemaError(
            f"{where}: unknown tag {sorted(unknown)[0]!r}. Allowed here: {', '.join(sorted(tags)) or 'none'}"
        )
    _check_options(feature.options, where)
    if feature.is_scalar and not (proto.HasField("shape") and not proto.shape.dim):
        raise SchemaError(f"{where}: one value a request needs `shape {{}}`")
    if not feature.is_scalar and proto.HasField("shape"):
        raise SchemaError(f"{where}: a list must not have a `shape`; its length differs from request to request")
    if "label" in feature.roles:
        _check_label(proto.int_domain, feature.options, where)
    for kind, field in (("int", "int_domain"), ("float", "float_domain")):
        if proto.HasField(field) and feature.dtype in ("int", "float") and feature.dtype != kind:
            raise SchemaError(f"{where}: a feature of type {feature.dtype.upper()} cannot have `{field}`")
    low, high = feature.minimum, feature.maximum
    if any(bound != bound for bound in (low, high)) or (low is not None and high is not None and low > high):
        raise SchemaError(f"{where}: no value is in the domain's range [{low}, {high}]")


def _check_options(options: Mapping[str, str], where: str) -> None:
    for key in ("level", "min_count", "hash_buckets"):
        if key in options and not re.fullmatch(r"[1-9][0-9]{0,8}", options[key]):
            raise SchemaError(
                f"{where}: tag {key} must be a whole number from 1 to 999999999. Received: {options[key]!r}"
            )
    if options.get("scale", "log") != "log":
        raise SchemaError(f"{where}: tag scale must be log. Received: {options['scale']!r}")
    if "gain" in options:
        try:
            gains = [float(gain) for gain in options["gain"].split(",")]
        except ValueError:
            gains = [-1.0]
        if not all(gain >= 0.0 and math.isfinite(gain) for gain in gains):
            raise SchemaError(
                f"{where}: tag gain must be numbers >= 0, one a grade and with commas. Received: {options['gain']!r}"
            )


def _check_label(domain: schema_pb2.IntDomain, options: Mapping[str, str], where: str) -> None:
    if not (domain.HasField("min") and domain.min == 0 and domain.HasField("max") and domain.max >= 1):
        raise SchemaError(f"{where}: a label needs `int_domain {{ min: 0 max: <highest grade> }}`")
    if "gain" not in options and domain.max > _GRADES:
        raise SchemaError(f"{where}: grades above {_GRADES} need the tag gain. Received: max: {domain.max}")
    gains = options.get("gain", "").split(",")
    if "gain" in options and len(gains) != domain.max + 1:
        raise SchemaError(
            f"{where}: tag gain must have one number a grade, 0 to {domain.max}. Received: {options['gain']!r}"
        )


def check_schema(schema: LogSchema, source: str, labelled: bool) -> None:
    """Refuses a schema that a ranker cannot be trained on, or if not ``labelled``, one that it cannot score.

    Raises:
      SchemaError: naming ``source`` and what is missing.
    """
    if not schema.proto.represent_variable_length_as_ragged:
        raise SchemaError(f"{source}: needs the line `represent_variable_length_as_ragged: true`")
    names = [feature.name for feature in schema.features]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise SchemaError(f"{source}: feature {sorted(duplicates)[0]!r} stands there twice")
    for name, role in ROLES.items():
        found = [feature.name for feature in schema.with_role(name)]
        if len(found) < role.least and (labelled or not role.is_outcome):
            raise SchemaError(
                f"{source}: a ranker needs at least {role.least} of role:{name}. Received: {', '.join(found) or 'none'}"
            )
        if role.most is not None and len(found) > role.most:
            raise SchemaError(f"{source}: only {role.most} feature can have role:{name}. Received: {', '.join(found)}")
    levels = [int(feature.options.get("level", 0)) for feature in schema.with_role("category")]
    if sorted(levels) != list(range(1, len(levels) + 1)):
        raise SchemaError(f"{source}: features of role:category need the tags level:1, level:2, ... Received: {levels}")
    if not any(feature.model_input for feature in schema.item_features):
        inputs = [f"role:{name}" for name, role in ROLES.items() if role.model_input and "item" in role.scopes]
        raise SchemaError(f"{source}: needs at least one feature of scope:item with {' or '.join(inputs)}")
    item_vocabularies = {feature.name for feature in schema.categorical if feature.scope == "item"}
    for feature in schema.histories:
        _check_reference(feature, "of", feature.options.get("of"), item_vocabularies, source)
    for feature in schema.categorical:
        if "vocabulary" in feature.options:
            owners = {f.name for f in schema.categorical if "vocabulary" not in f.options}
            _check_reference(feature, "vocabulary", feature.options["vocabulary"], owners, source)


def _check_reference(feature: Feature, tag: str, value: str | None, allowed: Iterable[str], source: str) -> None:
    if value not in allowed:
        raise SchemaError(
            f"{source}: feature {feature.name!r}: tag {tag} must name one of {', '.join(sorted(allowed)) or '(none)'}. "
            f"Received: {value!r}"
        )

"""Reads a YAML file into plain values, and overrides some of them by --set."""

import os
import re

import yaml


class ConfigError(ValueError):
    """A configuration that is refused; names the file, the key, the value and what is allowed."""


class YamlLoader(yaml.SafeLoader):
    """Reads configurations. YAML 1.2's numbers: 1e-3 is a number, where YAML 1.1 reads a text."""

    def construct_mapping(self, node, deep=False):
        """Of a mapping's node; refuses a key that stands there twice."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]  # others the base refuses
        if duplicates := {key for key in keys if keys.count(key) > 1}:
            raise yaml.MarkedYAMLError(
                problem=f"key {sorted(duplicates)[0]!r} stands there twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_yaml(path: str | os.PathLike, allowed: list[str]) -> dict:
    """The values of a YAML file; ``allowed`` are the keys for the message.

    Raises:
      ConfigError: the file cannot be read, or is not a mapping.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as error:  # a ValueError: not UTF-8, or a path that no file can have
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    values = _parse_yaml(text, f"{path}: is no YAML")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold keys and values. Allowed keys: {', '.join(allowed)}")
    return values


def _parse_yaml(text: str, problem: str):
    try:
        return yaml.load(text, Loader=YamlLoader)
    except Exception as error:  # PyYAML lets out what int(), datetime() and dict() say, and RecursionError
        raise ConfigError(f"{problem}: {error}") from error


def override(values: dict, text: str) -> None:
    """Sets a key of nested ``values`` by a text such as "model.experts=16".

    Raises:
      ConfigError: the text has another form, or its key is inside a value.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set needs key=value, as in model.experts=16. Received: {text!r}")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if inner is None:
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {text}: `{section}` is no section")
        values = inner
    values[last] = _parse_yaml(value, f"--set {text}: the value is no YAML")

"""Whatever stands in a configuration or behind --set: it is taken, or refused by a ConfigError that says where."""

import pathlib
import re

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from pipeline.config import ConfigError, RunConfig, load_config
from pipeline.sections import describe_keys

CONFIGS = sorted((pathlib.Path(__file__).resolve().parents[2] / "pipeline" / "configs").glob("*.yaml"))
DEMO = next(path for path in CONFIGS if path.stem == "demo")
KEYS = re.findall(r"^  (\S+) \(", describe_keys(), re.MULTILINE)
KEYS += sorted({key.rpartition(".")[0] for key in KEYS} - {""})
# Words that PyYAML's own constructors stumble over, and values that are of the right type and of no use.
WORDS = [
    "2024-13-45", "0b_", "0x_", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!binary a", "!!python/none x",
    "? [a]\n: b", "{[a]: b}", "{{a: b}: c}", "&a [*a]", "&a {b: *a}", "*a", "[" * 500, "{a: " * 500, "1" * 5000,
    ".nan",
    ".inf", "-.inf", "1e400", "1e39", "1_0", "0o7", "null", "~", "''", "\0", "\ud800", "a: b: c", "{train: .nan}",
    "{train: 0.8, valid: 0.1, test: 0.1, ../x: 0.0}", "{train: 0.7, valid: 0.1, test: 0.1, ../x: 0.1}", "{price: 1e39}",
    "{timestamp: 99999999999999999999}", "{timestamp: " + "9" * 400 + "}", "{brand: []}", "{brand: {a: 1}}", "[{}]",
    "{separator: '', column: a}", "x" * 5000, "true", "0", "-1", "99999999999999999999999", "{<<: 1}",
    "{<<: [a]}", "{1: 2}", "{'': 1}", "{click: {}}", "{click: {a: 99999999999999999999}}", "{by: user}", "%Q", "{SPAN}",
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
words = st.sampled_from(WORDS) | st.text(max_size=12) | values.map(lambda value: yaml.dump(value, allow_unicode=True))
keys = st.sampled_from(KEYS) | st.sampled_from(KEYS).map(lambda key: key + ".x") | st.text(max_size=8)


def refused_or_taken(path, overrides=(), data=None) -> None:
    try:
        config, _ = load_config(path, overrides, data=data)
    except ConfigError as error:
        message = str(error)
        assert str(path) in message or "--set" in message or ".pbtxt" in message
        return
    assert RunConfig.model_validate_json(config.model_dump_json(by_alias=True)).name == config.name


overrides = st.lists(st.tuples(keys, words).map("=".join) | st.text(max_size=8), max_size=3)


@hypothesis.given(overrides)
def test_set(overrides):
    refused_or_taken(DEMO, overrides)


@hypothesis.given(st.data())
def test_file(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    lines = data.draw(st.sampled_from(CONFIGS)).read_text(encoding="utf-8").splitlines()
    for at in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=3)):
        key = lines[at].partition(":")[0] + ": " if data.draw(st.integers(0, 2)) else ""
        lines[at] = key + data.draw(words)
    content = "\n".join(lines).encode(errors="surrogatepass")
    path.write_bytes(data.draw(st.just(content) | st.binary(max_size=20)))
    refused_or_taken(path, data=data.draw(st.sampled_from([None, "/tmp", "/no/such/folder", "\0"])))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    "key", ["data", "data.constants", "data.split.fractions", "data.columns", "schema", "train.seed"]
)
def test_each_odd_word(key, word):
    refused_or_taken(DEMO, [f"{key}={word}"])

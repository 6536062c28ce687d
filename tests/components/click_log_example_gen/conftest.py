"""Runs the real component's real executor on files that a test writes."""

import os

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.artifacts import Quarantine
from components.click_log_example_gen.component import ClickLogExampleGen
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.executor import Executor
from components.click_log_example_gen.quarantine import read_rows, read_summary
from schemas.parsing import parse_schema

_FEATURE = 'feature {{ name: "{name}" type: {type} {rest} annotation {{ {tags} }} }}\n'


def make_schema(*features: tuple[str, str, str, str]) -> str:
    """A schema's text of (name, type, other fields, tags with blanks between)."""
    text = "represent_variable_length_as_ragged: true\n"
    for name, type, rest, tags in features:
        scalar = "scope:request" in tags and "role:history" not in tags
        tags = " ".join(f'tag: "{tag}"' for tag in tags.split())
        text += _FEATURE.format(name=name, type=type, rest=rest + (" shape {}" if scalar else ""), tags=tags)
    return text


MUST = "presence { min_fraction: 1 }"
SHOP = make_schema(
    ("request_id", "BYTES", MUST, "scope:request role:request_id"),
    ("user_id", "BYTES", "", "scope:request role:user_id"),
    ("timestamp", "INT", "int_domain { min: 0 }", "scope:request role:timestamp"),
    ("top", "BYTES", MUST, "scope:request role:category level:1"),
    ("sub", "BYTES", MUST, "scope:request role:category level:2"),
    ("visits", "FLOAT", "", "scope:request role:numeric"),
    ("past", "BYTES", "", "scope:request role:history of:item_id"),
    ("item_id", "BYTES", MUST, "scope:item role:item_id role:categorical"),
    ("brand", "BYTES", "", "scope:item role:categorical"),
    ("price", "FLOAT", "float_domain { min: 0 max: 1000 }", "scope:item role:numeric"),
    ("click", "INT", "int_domain { min: 0 max: 2 }", "scope:item role:label"),
)


class Result:
    """What the executor wrote."""

    def __init__(self, examples, quarantine):
        self.artifact, self.uri = examples, quarantine.uri
        self.summary = read_summary(quarantine.uri)
        self.bad = list(read_rows(quarantine.uri))
        self.bytes, self.requests = {}, {}
        for name in self.summary["requests"]:
            paths = sorted(tf.io.gfile.glob(os.path.join(examples.uri, f"Split-{name}", "*")))
            records = tf.data.TFRecordDataset(paths, "GZIP")
            self.bytes[name] = [record.numpy() for record in records]
            self.requests[name] = [_plain(example) for example in self.bytes[name]]

    @property
    def all(self) -> dict[str, dict]:
        """All requests by their id."""
        return {r["request_id"][0]: r for requests in self.requests.values() for r in requests}

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows each reason has."""
        return {name: reason["rows"] for name, reason in self.summary["reasons"].items()}


def _plain(serialized: bytes) -> dict[str, list]:
    features = tf.train.Example.FromString(serialized).features.feature
    lists = {name: list(getattr(f, f.WhichOneof("kind")).value) for name, f in features.items()}
    return {name: [v.decode() if isinstance(v, bytes) else v for v in values] for name, values in lists.items()}


@pytest.fixture
def ingest(tmp_path):
    """Runs the component's executor: ingest(schema text, **data) -> Result. The log lies in tmp_path / "log"."""
    (tmp_path / "log").mkdir()
    runs = iter(range(100))

    def run(schema=SHOP, beam=(), **data):
        out = tmp_path / f"out{next(runs)}"
        config = DataConfig.model_validate({"path": str(tmp_path / "log"), **data})
        component = ClickLogExampleGen(config, parse_schema(schema, labelled=False))
        examples, quarantine = standard_artifacts.Examples(), Quarantine()
        for artifact, name in ((examples, "examples"), (quarantine, "quarantine")):
            artifact.uri = str(out / name)
            os.makedirs(artifact.uri)
        context = Executor.Context(beam_pipeline_args=list(beam), tmp_dir=str(out / "tmp"), unique_id="1")
        Executor(context).Do({}, {"examples": [examples], "quarantine": [quarantine]}, dict(component.exec_properties))
        return Result(examples, quarantine)

    return run

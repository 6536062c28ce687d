"""Makes the small log, transformed for real, and the SavedModel of it: fixtures of tests/conftest.py."""

import dataclasses
import pathlib
import shutil

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tfx_bsl.public import tfxio

from models.export.signatures import ServedRanker
from models.inputs.features import RankerInputs, ranker_inputs
from models.inputs.hierarchy import (
    CategoryHierarchy,
    build_hierarchy,
    hierarchy_folder,
    read_hierarchy,
    write_hierarchy,
)
from models.inputs.preprocessing import preprocessing_fn
from models.inputs.reading import read_requests
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from schemas.log_schema import LogSchema
from schemas.parsing import read_schema

SCHEMA_PATH = pathlib.Path(__file__).resolve().parents[2] / "schemas" / "demo.pbtxt"
TREE = {"phones": ["phones/cases", "phones/手机"], "shirts": ["shirts/linen", "shirts/silk"]}


@dataclasses.dataclass(frozen=True)
class SmallLog:
    schema: LogSchema
    requests: list[dict]
    transform_graph: str
    transform_output: tft.TFTransformOutput
    train_files: list[str]
    valid_files: list[str]

    @property
    def inputs(self) -> RankerInputs:
        return ranker_inputs(self.schema, self.transform_output, self.hierarchy)

    @property
    def hierarchy(self) -> CategoryHierarchy:
        return read_hierarchy(hierarchy_folder(self.transform_graph))

    @property
    def feature_spec(self) -> dict:
        return self.transform_output.transformed_feature_spec()


def export(log: SmallLog, folder: pathlib.Path, seed: int = 1, **sizes) -> pathlib.Path:
    """Writes a SavedModel as it is pushed. What it learnt is of no interest to its tests, so it learnt nothing."""
    tf.keras.utils.set_random_seed(seed)
    sizes = {"experts": 6, "top_k": 2, "hidden": [8], "embedding_size": 4} | sizes
    ranker = Ranker(log.schema, log.inputs, ModelConfig(**sizes))
    for batch in read_requests(log.valid_files, log.feature_spec, 8).take(1):
        ranker(batch)  # makes the variables
    ServedRanker(ranker, log.transform_output, log.hierarchy, log.schema).save(str(folder))
    return folder


def make_request(rng, number: int, items: int) -> dict:
    """A request in which cheap phones and dear shirts are clicked."""
    top = ["phones", "shirts"][number % 2]
    history = [f"i{item}" for item in rng.integers(0, 30, rng.integers(0, 4))]
    price = rng.lognormal(3.0, 1.0, items).astype(np.float32)
    cheap = price < np.median(price)
    click = (cheap if top == "phones" else ~cheap).astype(int)
    price[rng.random(items) < 0.1] = np.nan
    return {
        "request_id": f"r{number}",
        "user_id": f"u{number % 7}",
        "timestamp": 1_700_000_000 + number,
        "top_category": top,
        "sub_category": TREE[top][int(rng.random() < 0.3)],
        "history_item": history,
        "history_brand": [f"b{rng.integers(0, 4)}" for _ in history],
        "item_id": [f"i{item}" for item in rng.integers(0, 30, items)],
        "brand": [f"b{brand}" for brand in rng.integers(0, 4, items)],
        "shop": [f"s{shop}" for shop in rng.integers(0, 9, items)],
        "price": price,
        "sales": rng.lognormal(2.0, 1.0, items).astype(np.float32),
        "rating": rng.uniform(1, 5, items).astype(np.float32),
        "age_days": rng.lognormal(4.0, 1.0, items).astype(np.float32),
        "position": list(range(1, items + 1)),
        "click": click,
        "purchase": np.zeros(items, int),
        "true_click_probability": np.full(items, 0.5, np.float32),
    }


def to_example(request: dict, schema: LogSchema) -> tf.train.Example:
    example = tf.train.Example()
    for name, values in request.items():
        feature = example.features.feature[name]
        values = values if isinstance(values, (list, np.ndarray)) else [values]
        kind = schema[name].dtype
        if kind == "bytes":
            feature.bytes_list.value.extend(value.encode() for value in values)
        elif kind == "int":
            feature.int64_list.value.extend(int(value) for value in values)
        else:
            feature.float_list.value.extend(float(value) for value in values)
    return example


def _requests() -> list[dict]:
    rng = np.random.default_rng(1)
    return [make_request(rng, number, int(rng.integers(2, 9))) for number in range(240)]


def read_small_log(folder: pathlib.Path) -> SmallLog:
    """The log that `make_small_log` wrote."""
    graph = str(folder / "transform")
    files = ([str(folder / f"{split}.gz")] for split in ("train", "valid"))
    return SmallLog(read_schema(SCHEMA_PATH), _requests(), graph, tft.TFTransformOutput(graph), *files)


def make_small_log(folder: pathlib.Path) -> None:
    schema, requests, paths = read_schema(SCHEMA_PATH), _requests(), {}
    folder.mkdir()
    for request in requests[:200]:
        path = request["top_category"], request["sub_category"]
        paths[path] = paths.get(path, 0) + 1
    write_hierarchy(build_hierarchy(paths, [level.name for level in schema.categories]), str(folder / "hierarchy"))

    serialized = [to_example(request, schema).SerializeToString() for request in requests]
    raw_file = str(folder / "raw.gz")
    _write(raw_file, serialized[:200])
    config = {"schema": SCHEMA_PATH.read_text(encoding="utf-8"), "hierarchy": str(folder / "hierarchy")}
    source = tfxio.TFExampleRecord(raw_file, telemetry_descriptors=["test"], schema=schema.proto)
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "temporary")):
        data = (pipeline | source.BeamSource(), source.TensorAdapterConfig())
        transform_fn = data | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "transform"))
    # As TFX's executor does: the raw schema goes beside the graph.
    metadata = folder / "transform" / "metadata"
    metadata.mkdir()
    (metadata / "schema.pbtxt").write_text(SCHEMA_PATH.read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copytree(folder / "hierarchy", hierarchy_folder(str(folder / "transform")))
    transform_output = tft.TFTransformOutput(str(folder / "transform"))
    for split, records in {"train": serialized[:200], "valid": serialized[200:]}.items():
        _write(str(folder / f"{split}.gz"), _transform(records, transform_output))


def _write(path: str, records: list[bytes]) -> None:
    with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        for record in records:
            writer.write(record)


def _transform(serialized: list[bytes], transform_output: tft.TFTransformOutput) -> list[bytes]:
    """Transformed by the layer that serves: train as you serve."""
    raw = tf.io.parse_example(serialized, transform_output.raw_feature_spec())
    transformed = transform_output.transform_features_layer()(raw)
    specs = transform_output.transformed_feature_spec()
    examples = []
    for row in range(len(serialized)):
        example = tf.train.Example()
        for name, column in transformed.items():
            values = np.ravel(column[row].numpy()).tolist()
            feature = example.features.feature[getattr(specs[name], "value_key", name)]
            (feature.int64_list if column.dtype.is_integer else feature.float_list).value.extend(values)
        examples.append(example.SerializeToString())
    return examples

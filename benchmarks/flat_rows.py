"""Transformed requests as flat rows, one tf.Example an impression: how the other programs get the same data.

All ids are greater by one than Transform's; 0 pads the histories, which are as long as the longest that there can be.
Every row holds what its request holds. This module reads without the project, in DeepCTR's environment, too.
"""

import dataclasses
import json
import pathlib

import numpy as np
import tensorflow as tf

_SHAPE_FILE = "shape.json"
_ROWS_FILE = "rows.gz"
LABEL = "click"


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the rows hold.

    Attributes:
      numeric: names of the [1] float32 features.
      categorical: size of the vocabulary, padding included, by the name of the [] int64 features.
      histories: the categorical feature whose vocabulary it shares, by the name of the [history_length] int64 features.
      history_length: see above.
      levels: the category path, top first; names of ``categorical``.
    """

    numeric: list[str]
    categorical: dict[str, int]
    histories: dict[str, str]
    history_length: int
    levels: list[str]


def write_rows(folder: pathlib.Path, files: list[str], feature_spec: dict, inputs, history_length: int) -> None:
    """Writes the rows of transformed requests, in their order.

    Args:
      folder: where to.
      files, feature_spec: of the requests, for `models.inputs.reading.read_requests`.
      inputs: the `models.inputs.features.RankerInputs` of the requests.
      history_length: see `Shape`.
    """
    from models.inputs.reading import read_requests

    item_of_table = {table: name for name, table in inputs.item_categorical}
    sizes = dict(zip(inputs.categories, inputs.category_sizes, strict=True))
    sizes |= {name: inputs.table_sizes[table] for name, table in inputs.item_categorical + inputs.request_categorical}
    shape = Shape(
        numeric=[*inputs.request_numeric, *inputs.item_numeric],
        categorical={name: size + 1 for name, size in sizes.items()},
        histories={name: item_of_table[table] for name, table in inputs.histories},
        history_length=history_length,
        levels=list(inputs.categories),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / _ROWS_FILE), options="GZIP") as writer:
        for batch in read_requests(files, feature_spec, 1024):
            _write_batch(writer, batch, shape)
    # Last: without it the folder counts as not written.
    (folder / _SHAPE_FILE).write_text(json.dumps(dataclasses.asdict(shape), indent=2), encoding="utf-8")


def is_written(folder: pathlib.Path) -> bool:
    """Whether `write_rows` has ended in this folder."""
    return (folder / _SHAPE_FILE).exists()


def read_shape(folder: str) -> Shape:
    """What the rows of a folder hold."""
    return Shape(**json.loads((pathlib.Path(folder) / _SHAPE_FILE).read_text(encoding="utf-8")))


def read_rows(folder: str, shape: Shape, batch_items: int, threads: int) -> tf.data.Dataset:
    """(features, label) batches of shuffled rows, without end; parsed by the batch, ahead of the step.

    Not tuned by tf.data itself: in one of five measurements of some seconds that held up a step for 1 to 15 s.
    """
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in shape.numeric}
    spec |= {name: tf.io.FixedLenFeature([1], tf.int64) for name in shape.categorical}
    spec |= {name: tf.io.FixedLenFeature([shape.history_length], tf.int64) for name in shape.histories}
    spec[LABEL] = tf.io.FixedLenFeature([1], tf.int64)

    def parse(records):
        features = tf.io.parse_example(records, spec)
        return features, features.pop(LABEL)

    rows = tf.data.TFRecordDataset(str(pathlib.Path(folder) / _ROWS_FILE), compression_type="GZIP")
    rows = rows.shuffle(10_000, seed=1).repeat().batch(batch_items)
    options = tf.data.Options()
    options.autotune.enabled = False
    return rows.map(parse, num_parallel_calls=threads).prefetch(8).with_options(options)


def _write_batch(writer: tf.io.TFRecordWriter, batch: dict, shape: Shape) -> None:
    def of_request(name):
        values = batch[name].numpy()
        return lambda request, _: [values[request]]

    def of_item(name):
        values = batch[name].flat_values.numpy()
        return lambda _, item: [values[item]]

    def history(name):
        padded = (batch[name] + 1).to_tensor(0, shape=[None, shape.history_length]).numpy()
        return lambda request, _: padded[request]

    def scalar(name):
        return (of_item if isinstance(batch[name], tf.RaggedTensor) else of_request)(name)

    floats = {name: scalar(name) for name in shape.numeric}
    ids = {name: scalar(name) for name in shape.categorical}
    lists = {name: history(name) for name in shape.histories} | {LABEL: scalar(LABEL)}
    for item, request in enumerate(batch[LABEL].value_rowids().numpy()):
        example = tf.train.Example()
        feature = example.features.feature
        for name, values in floats.items():
            feature[name].float_list.value.extend(values(request, item))
        for name, values in ids.items():
            feature[name].int64_list.value.extend(np.add(values(request, item), 1))
        for name, values in lists.items():
            feature[name].int64_list.value.extend(values(request, item))
        writer.write(example.SerializeToString())

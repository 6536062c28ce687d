"""Training steps of the ranker on made-up batches in memory: what a step costs, without the files."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.made_up_log import HISTORY_LENGTH
from benchmarks.programs.stopwatch import train
from benchmarks.workers import answer
from common.threads import use_cores
from models.inputs.features import RankerInputs, id_name, missing_name
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.optimizers import make_optimizer
from schemas.log_schema import LogSchema
from schemas.parsing import parse_schema

_BATCHES = 16  # in turns
_OTHER_VOCABULARIES = 1_200
_LEVEL_SIZES = (17, 143)


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``schema`` (text), ``vocabulary`` (of items), ``list_length``, ``batch_requests``, ``model`` and
    ``train`` (sections of the configuration), ``seconds``, ``threads``."""
    use_cores()
    schema = parse_schema(settings["schema"])
    inputs = made_up_inputs(schema, settings["vocabulary"])
    model, config = ModelConfig.model_validate(settings["model"]), TrainConfig.model_validate(settings["train"])
    length, requests = settings["list_length"], settings["batch_requests"]
    tf.keras.utils.set_random_seed(config.seed)
    ranker = Ranker(schema, inputs, model, config.seed)
    ranker.compile(optimizer=make_optimizer(config, total_steps=1_000_000))
    rng = np.random.default_rng(config.seed)
    batches = [made_up_batch(rng, schema, inputs, requests, length) for _ in range(_BATCHES)]
    spec = tf.nest.map_structure(tf.type_spec_from_value, batches[0])
    flat_spec = {name: _of_any_size(one) for name, one in spec.items()}
    dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=flat_spec).cache().repeat()
    return lambda: train(ranker, dataset.prefetch(4), settings["seconds"], requests * length)


def made_up_inputs(schema: LogSchema, vocabulary: int) -> RankerInputs:
    """The inputs of a ranker on a log of this schema, had Transform seen it."""

    def numeric(scope):
        names = [feature for feature in schema.numeric if feature.scope == scope]
        return tuple(name for feature in names for name in (feature.name, missing_name(feature)))

    def ids(features):
        return tuple((id_name(feature), schema.vocabulary_of(feature).name) for feature in features)

    tables = {table for _, table in ids([*schema.categorical, *schema.histories])}
    return RankerInputs(
        categories=tuple(id_name(feature) for feature in schema.categories),
        category_traffic=tuple((0, *[100] * size) for size in _LEVEL_SIZES),
        request_numeric=numeric("request"),
        item_numeric=numeric("item"),
        request_categorical=ids([feature for feature in schema.categorical if feature.scope == "request"]),
        item_categorical=ids([feature for feature in schema.categorical if feature.scope == "item"]),
        histories=ids(schema.histories),
        table_sizes={
            table: vocabulary if table == schema.item_id.name else _OTHER_VOCABULARIES for table in sorted(tables)
        },
    )


def made_up_batch(rng, schema: LogSchema, inputs: RankerInputs, requests: int, length: int) -> dict:
    """A batch of transformed requests, ids uniform over their vocabularies: most rows are touched that there can be."""
    lengths, past = np.full(requests, length), np.minimum(HISTORY_LENGTH, rng.geometric(0.17, requests))

    def normal(size):
        return rng.standard_normal(size).astype(np.float32)

    def ragged(values, row_lengths):
        return tf.RaggedTensor.from_row_lengths(values, row_lengths.astype(np.int64), validate=False)

    batch = {name: tf.constant(normal(requests)) for name in inputs.request_numeric}
    batch |= {name: ragged(normal(lengths.sum()), lengths) for name in inputs.item_numeric}
    for name, size in zip(inputs.categories, inputs.category_sizes, strict=True):
        batch[name] = tf.constant(rng.integers(1, size, requests))
    batch |= {
        name: tf.constant(rng.integers(0, inputs.table_sizes[t], requests)) for name, t in inputs.request_categorical
    }
    for features, rows in ((inputs.item_categorical, lengths), (inputs.histories, past)):
        batch |= {name: ragged(rng.integers(0, inputs.table_sizes[t], rows.sum()), rows) for name, t in features}
    batch[schema.labels[0].name] = ragged(rng.integers(0, 2, lengths.sum()), lengths)
    return batch


def _of_any_size(spec: tf.TypeSpec) -> tf.TypeSpec:
    """As the input pipeline gives it: no batch has a size that the graph knows."""
    if isinstance(spec, tf.RaggedTensorSpec):
        return tf.RaggedTensorSpec([None, None], spec.dtype, ragged_rank=1)
    return tf.TensorSpec([None], spec.dtype)


if __name__ == "__main__":
    answer(prepare)

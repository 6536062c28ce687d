"""What a caller of one SavedModel notices of another, on SavedModels."""

import pytest
import tensorflow as tf

from components.evaluator.signatures import broken_calls, read_signatures, reads_the_same_log

STRING, FLOAT = tf.string, tf.float32


def saved(folder, inputs, outputs, name="rank"):
    """The signatures of a SavedModel with one that takes and gives tensors of these dtypes and shapes."""

    @tf.function(autograph=False)
    def call(**given):
        read = tf.add_n([tf.size(value) for value in given.values()])
        return {
            key: tf.ensure_shape(tf.cast(tf.fill([read] * len(shape), 1.0), dtype), shape)
            for key, (dtype, shape) in outputs.items()
        }

    module = tf.Module()
    specs = {key: tf.TensorSpec(shape, dtype, name=key) for key, (dtype, shape) in inputs.items()}
    tf.saved_model.save(module, str(folder), signatures={name: call.get_concrete_function(**specs)})
    return read_signatures(str(folder))


INPUTS = {"brand": (STRING, [None]), "price": (FLOAT, [None])}
OUTPUTS = {"scores": (FLOAT, [None]), "weights": (FLOAT, [None, 6])}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("before"), INPUTS, OUTPUTS)


@pytest.mark.parametrize(
    ("inputs", "outputs", "name", "broken"),
    [
        (INPUTS, OUTPUTS, "rank", []),
        (INPUTS, OUTPUTS | {"weights": (FLOAT, [None, 3]), "more": (FLOAT, [])}, "rank", []),
        (INPUTS, OUTPUTS, "order", ["the signature `rank` is gone"]),
        ({"brand": (STRING, [None])}, OUTPUTS, "rank", ["`rank` no longer takes `price`"]),
        (INPUTS | {"shop": (STRING, [None])}, OUTPUTS, "rank", ["`rank` asks for `shop`, too"]),
        (
            INPUTS | {"price": (tf.float64, [None])},
            OUTPUTS,
            "rank",
            ["`rank` takes `price` as float64 [n], was float32 [n]"],
        ),
        (INPUTS | {"brand": (STRING, [])}, OUTPUTS, "rank", ["`rank` takes `brand` as string [], was string [n]"]),
        (INPUTS | {"brand": (STRING, [8])}, OUTPUTS, "rank", ["`rank` takes `brand` as string [8], was string [n]"]),
        (INPUTS, {"scores": (FLOAT, [None])}, "rank", ["`rank` no longer gives `weights`"]),
        (
            INPUTS,
            OUTPUTS | {"scores": (FLOAT, [None, None])},
            "rank",
            ["`rank` gives `scores` as float32 [n, n], was float32 [n]"],
        ),
    ],
)
def test_what_breaks_a_call(before, tmp_path, inputs, outputs, name, broken):
    assert broken_calls(saved(tmp_path, inputs, outputs, name), before) == broken


def test_a_fixed_size_may_be_let_go(before, tmp_path):
    fixed = saved(tmp_path, INPUTS | {"brand": (STRING, [8])}, OUTPUTS)
    assert broken_calls(before, fixed) == []
    assert broken_calls(fixed, before)


def test_which_models_read_the_same_log(before, tmp_path):
    more = saved(tmp_path / "more", INPUTS | {"shop": (STRING, [None])}, OUTPUTS)
    other = saved(tmp_path / "other", INPUTS | {"price": (tf.int64, [None])}, OUTPUTS)
    assert reads_the_same_log(more, before)
    assert not reads_the_same_log(before, more)
    assert not reads_the_same_log(other, before)

import numpy as np
import pytest
import tensorflow as tf

from models.layers.experts import Experts


def one_expert(experts, number, x):
    """The tower of one expert in NumPy."""
    for layer, (kernel, bias) in enumerate(zip(experts.kernels, experts.biases, strict=True)):
        x = x @ kernel[number].numpy() + bias[number].numpy()
        x = np.maximum(x, 0.0) if layer < len(experts.hidden) else x
    return x


def random_biases(experts):
    for bias in experts.biases:
        bias.assign(tf.random.stateless_normal(bias.shape, [7, 7]))


def gradients(experts, x, chosen, lengths):
    """Gradient of a function of the chosen experts' logits, by the input and by the weights."""
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.sin(experts(x, chosen, lengths)))
    return [tf.convert_to_tensor(g) for g in tape.gradient(value, [x, *experts.trainable_variables])]


def test_each_expert_is_a_tower_of_its_own():
    experts = Experts(3, hidden=(5, 4), tasks=2)
    x = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    experts(x)
    random_biases(experts)
    expected = np.stack([one_expert(experts, number, x) for number in range(3)], axis=1)
    np.testing.assert_allclose(experts(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("chosen", "lengths"),
    [
        ([[0, 2], [1, 0], [2, 3]], [3, 1, 4]),
        ([[0, 3], [3, 1]], [2, 2]),  # expert 2 for nobody
        ([[1, 1], [2, 1]], [2, 3]),  # one expert twice, as two tasks may choose it
        ([[0, 1], [2, 3], [1, 2]], [0, 4, 0]),
    ],
)
def test_sparse_dispatch_has_the_values_and_the_gradients_of_dense_dispatch(chosen, lengths):
    sparse, dense = (Experts(4, hidden=(6, 3), tasks=2, dispatch=dispatch) for dispatch in ("sparse", "dense"))
    chosen, lengths = tf.constant(chosen, tf.int32), tf.constant(lengths, tf.int64)
    x = tf.Variable(np.random.default_rng(1).normal(size=(sum(lengths.numpy()), 5)).astype(np.float32))
    for experts in (sparse, dense):
        experts(x)
    random_biases(sparse)
    dense.set_weights(sparse.get_weights())

    logits = sparse(x, chosen, lengths)
    expected = [
        [sparse(x)[item, expert] for expert in chosen[request]]
        for item, request in enumerate(np.repeat(np.arange(len(lengths)), lengths))
    ]
    np.testing.assert_allclose(logits, np.reshape(expected, logits.shape), atol=1e-6)
    np.testing.assert_allclose(logits, dense(x, chosen, lengths), atol=1e-6)
    gradients_of = [gradients(experts, x, chosen, lengths) for experts in (dense, sparse)]
    for one, other in zip(*gradients_of, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    idle = sorted(set(range(4)) - set(chosen.numpy().ravel()))
    assert all(not np.any(gradient.numpy()[idle]) for gradient in gradients_of[1][1:])


def test_sparse_dispatch_works_in_a_graph_whose_shapes_are_unknown():
    experts = Experts(3, hidden=(4,))
    experts(tf.zeros([1, 2]))
    signature = [tf.TensorSpec([None, 2]), tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None], tf.int64)]
    compute = tf.function(experts.call, input_signature=signature)
    for lengths in ([2, 3], [1]):
        x, chosen = tf.random.normal([sum(lengths), 2]), tf.constant([[2, 0], [1, 2]])[: len(lengths)]
        expected = tf.gather(experts(x), tf.repeat(chosen, lengths, axis=0), batch_dims=1)
        np.testing.assert_allclose(compute(x, chosen, tf.constant(lengths, tf.int64)), expected, atol=1e-6)


def test_bfloat16_is_for_training_only_and_near_float32():
    experts = Experts(2, hidden=(64, 32), bfloat16=True)
    x = tf.Variable(tf.random.stateless_normal([50, 20], [1, 2]))
    exact = experts(x)
    with tf.GradientTape() as tape:
        rounded = experts(x, training=True)
    gradient = tape.gradient(rounded, experts.kernels[0])
    assert rounded.dtype == gradient.dtype == tf.float32
    assert 1e-5 < float(tf.reduce_max(tf.abs(exact - rounded))) < 0.05


@pytest.mark.parametrize(("experts", "hidden", "tasks"), [(10, (128, 64), 1), (4, (16,), 2), (2, (8, 4, 2), 1)])
def test_a_wide_tower_has_nearly_the_parameters_of_many(experts, hidden, tasks):
    many, wide = Experts(experts, hidden, tasks), Experts(1, hidden, tasks, as_large_as=experts)
    many(tf.zeros([1, 50]))
    wide(tf.zeros([1, 50]))
    assert 0.93 < wide.count_params() / many.count_params() <= 1.0


def test_weights_start_as_those_of_independent_dense_layers():
    experts = Experts(20, hidden=(64,))
    experts(tf.zeros([1, 100]))
    kernel = experts.kernels[0].numpy()
    limit = np.sqrt(6.0 / (100 + 64))
    assert np.abs(kernel).max() <= limit * (1 + 1e-6)
    np.testing.assert_allclose(kernel.std(axis=(1, 2)), limit / np.sqrt(3.0), rtol=0.03)
    assert len({k.tobytes() for k in kernel}) == 20


def test_experts_are_rebuilt_from_their_config():
    experts = Experts.from_config(Experts(3, hidden=[8, 2], tasks=2, dispatch="dense").get_config())
    assert (experts.experts, experts.hidden, experts.tasks, experts.dispatch) == (3, (8, 2), 2, "dense")
    with pytest.raises(ValueError, match="`hidden` must hold numbers of at least 1"):
        Experts(3, hidden=())

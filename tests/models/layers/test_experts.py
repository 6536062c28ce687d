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


def random_inputs(lengths, item_size=3, request_size=2):
    """The items' part and the requests' part, and the two joined for each item, in NumPy."""
    rng = np.random.default_rng(1)
    items = rng.normal(size=(sum(lengths), item_size)).astype(np.float32)
    requests = rng.normal(size=(len(lengths), request_size)).astype(np.float32)
    return items, requests, np.concatenate([items, np.repeat(requests, lengths, axis=0)], axis=1)


def gradients(experts, x, lengths, chosen):
    """Gradient of a function of the chosen experts' logits, by the input and by the weights."""
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.sin(experts(x, lengths, chosen)))
    return [tf.convert_to_tensor(g) for g in tape.gradient(value, [*x, *experts.trainable_variables])]


def test_each_expert_is_a_tower_of_its_own_over_items_joined_with_their_request():
    experts = Experts(3, hidden=(5, 4), tasks=2)
    lengths = [3, 0, 4]
    items, requests, joined = random_inputs(lengths)
    experts((items, requests), lengths)
    random_biases(experts)
    expected = np.stack([one_expert(experts, number, joined) for number in range(3)], axis=1)
    np.testing.assert_allclose(experts((items, requests), lengths), expected, atol=1e-5)


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
    x = tuple(tf.Variable(part) for part in random_inputs(lengths.numpy())[:2])
    for experts in (sparse, dense):
        experts(x, lengths)
    random_biases(sparse)
    dense.set_weights(sparse.get_weights())

    logits, every = sparse(x, lengths, chosen), sparse(x, lengths)
    expected = [
        [every[item, expert] for expert in chosen[request]]
        for item, request in enumerate(np.repeat(np.arange(len(lengths)), lengths))
    ]
    np.testing.assert_allclose(logits, np.reshape(expected, logits.shape), atol=1e-6)
    np.testing.assert_allclose(logits, dense(x, lengths, chosen), atol=1e-6)
    gradients_of = [gradients(experts, x, lengths, chosen) for experts in (dense, sparse)]
    for one, other in zip(*gradients_of, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    idle = sorted(set(range(4)) - set(chosen.numpy().ravel()))
    assert all(not np.any(gradient.numpy()[idle]) for gradient in gradients_of[1][2:])


@pytest.mark.parametrize("items", [0, 1, 6])
@pytest.mark.parametrize("request_size", [2, 0])
def test_one_request_is_scored_as_among_others(items, request_size):
    experts = Experts(4, hidden=(6, 3), tasks=2)
    lengths = tf.constant([3, items, 2], tf.int64)
    of_items, of_requests, _ = random_inputs(lengths.numpy(), request_size=request_size)
    experts((of_items, of_requests), lengths)
    random_biases(experts)
    chosen = tf.constant([[1, 3, 0], [2, 0, 2], [0, 1, 2]])
    among_others = experts((of_items, of_requests), lengths, chosen)[3 : 3 + items]
    alone = of_items[3 : 3 + items], of_requests[1:2]
    np.testing.assert_allclose(experts(alone, lengths[1:2], chosen[1:2], one_request=True), among_others, atol=1e-6)


def test_sparse_dispatch_works_in_a_graph_whose_shapes_are_unknown():
    experts = Experts(3, hidden=(4,))
    experts((tf.zeros([1, 3]), tf.zeros([1, 2])), [1])
    parts = (tf.TensorSpec([None, 3]), tf.TensorSpec([None, 2]))
    signature = [parts, tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 2], tf.int32)]
    compute = tf.function(experts.call, input_signature=signature)
    for lengths in ([2, 3], [1]):
        x, chosen = random_inputs(lengths)[:2], tf.constant([[2, 0], [1, 2]])[: len(lengths)]
        expected = tf.gather(experts(x, lengths), tf.repeat(chosen, lengths, axis=0), batch_dims=1)
        np.testing.assert_allclose(compute(x, tf.constant(lengths, tf.int64), chosen), expected, atol=1e-6)


def test_dense_dispatch_is_compiled_by_xla():
    experts = Experts(3, hidden=(4,), dispatch="dense")
    lengths, chosen = tf.constant([2, 0, 3], tf.int64), tf.constant([[2, 0], [1, 2], [0, 1]])
    x = random_inputs(lengths.numpy())[:2]
    expected = experts(x, lengths, chosen)
    compiled = tf.function(lambda *x: experts(x, lengths, chosen), jit_compile=True)
    np.testing.assert_allclose(compiled(*x), expected, atol=1e-6)


def test_bfloat16_is_for_training_only_and_near_float32():
    experts = Experts(2, hidden=(64, 32), bfloat16=True)
    x, lengths = random_inputs([20, 30], item_size=12, request_size=8)[:2], [20, 30]
    exact = experts(x, lengths)
    with tf.GradientTape() as tape:
        rounded = experts(x, lengths, training=True)
    gradient = tape.gradient(rounded, experts.kernels[0])
    assert rounded.dtype == gradient.dtype == tf.float32
    assert 1e-5 < float(tf.reduce_max(tf.abs(exact - rounded))) < 0.05


@pytest.mark.parametrize(("experts", "hidden", "tasks"), [(10, (128, 64), 1), (4, (16,), 2), (2, (8, 4, 2), 1)])
def test_a_wide_tower_has_nearly_the_parameters_of_many(experts, hidden, tasks):
    many, wide = Experts(experts, hidden, tasks), Experts(1, hidden, tasks, as_large_as=experts)
    for towers in (many, wide):
        towers((tf.zeros([1, 20]), tf.zeros([1, 30])), [1])
    assert 0.93 < wide.count_params() / many.count_params() <= 1.0


def test_weights_start_as_those_of_independent_dense_layers():
    experts = Experts(20, hidden=(64,))
    experts((tf.zeros([1, 60]), tf.zeros([1, 40])), [1])
    kernel = experts.kernels[0].numpy()
    limit = np.sqrt(6.0 / (100 + 64))
    assert np.abs(kernel).max() <= limit * (1 + 1e-6)
    np.testing.assert_allclose(kernel.std(axis=(1, 2)), limit / np.sqrt(3.0), rtol=0.03)
    assert len({k.tobytes() for k in kernel}) == 20


def test_experts_without_a_hidden_layer_are_refused():
    with pytest.raises(ValueError, match="`hidden` must hold numbers of at least 1"):
        Experts(3, hidden=())

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


def gradients(experts, x, needed, wanted):
    """Gradient of a function of the wanted logits, by the input and by the weights."""
    with tf.GradientTape() as tape:
        logits = experts(x, needed)
        value = tf.reduce_sum(tf.sin(tf.where(wanted[..., np.newaxis], logits, 0.0)))
    return [tf.convert_to_tensor(g) for g in tape.gradient(value, [x, *experts.trainable_variables])]


def test_each_expert_is_a_tower_of_its_own():
    experts = Experts(3, hidden=(5, 4), tasks=2)
    x = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    experts(x)
    random_biases(experts)
    expected = np.stack([one_expert(experts, number, x) for number in range(3)], axis=1)
    np.testing.assert_allclose(experts(x), expected, atol=1e-5)


@pytest.mark.parametrize("case", ["some", "an expert for no item", "nothing", "no items"])
def test_what_is_needed_has_the_value_and_the_gradient_of_the_dense_computation(case):
    rng = np.random.default_rng(1)
    items = 0 if case == "no items" else 11
    needed = rng.random((items, 4)) < 0.5
    if case == "an expert for no item":
        needed[:, 2] = False
    if case == "nothing":
        needed[:] = False
    experts = Experts(4, hidden=(6, 3), tasks=2)
    x = tf.Variable(rng.normal(size=(items, 5)).astype(np.float32))
    experts(x)
    random_biases(experts)

    np.testing.assert_allclose(experts(x, needed), np.where(needed[..., np.newaxis], experts(x), 0.0), atol=1e-6)
    dense, sparse = gradients(experts, x, None, needed), gradients(experts, x, needed, needed)
    for expected, got in zip(dense, sparse, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    if case == "an expert for no item":
        assert all(np.all(gradient.numpy()[2] == 0.0) for gradient in sparse[1:])


def test_needed_works_in_a_graph_whose_shapes_are_unknown():
    experts = Experts(3, hidden=(4,))
    experts(tf.zeros([1, 2]))

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None, 3], tf.bool)])
    def compute(x, needed):
        return experts(x, needed)

    for items in (5, 2):
        x, needed = tf.random.normal([items, 2]), tf.random.uniform([items, 3]) < 0.5
        np.testing.assert_allclose(compute(x, needed), tf.where(needed[..., tf.newaxis], experts(x), 0.0), atol=1e-6)


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
    experts = Experts.from_config(Experts(3, hidden=[8, 2], tasks=2).get_config())
    assert (experts.experts, experts.hidden, experts.tasks) == (3, (8, 2), 2)
    with pytest.raises(ValueError, match="`hidden` must hold numbers of at least 1"):
        Experts(3, hidden=())

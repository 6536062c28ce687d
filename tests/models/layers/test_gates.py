import numpy as np
import pytest
import tensorflow as tf

from models.layers.gates import Gate, pick_disagreeing, top_k_gate


def test_weights_of_the_top_k_are_a_softmax_over_them_alone():
    weights, active, experts, expert_weights = top_k_gate(tf.constant([[1.0, 3.0, 2.0, -5.0]]), 2)
    # e^3 / (e^3 + e^2) = 1 / (1 + e^-1) = 0.731059
    np.testing.assert_allclose(weights, [[0.0, 0.731059, 0.268941, 0.0]], atol=1e-6)
    np.testing.assert_array_equal(active, [[False, True, True, False]])
    np.testing.assert_array_equal(experts, [[1, 2]])
    np.testing.assert_allclose(expert_weights, [[0.731059, 0.268941]], atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("ties", [True, False])
def test_exactly_k_experts_are_active_and_their_weights_add_up_to_one(k, ties):
    logits = tf.random.stateless_normal([200, 7], [1, k]) * 30.0
    logits = tf.round(logits / 30.0) if ties else logits
    weights, active, experts, _ = top_k_gate(logits, k)
    np.testing.assert_array_equal(np.sum(active, axis=1), k)
    assert np.all(np.take_along_axis(active.numpy(), experts.numpy(), axis=1))
    np.testing.assert_allclose(np.sum(weights, axis=1), 1.0, atol=1e-6)
    assert np.all(np.asarray(weights)[~np.asarray(active)] == 0.0)
    # None that is out is better than one that is in.
    assert np.all(
        np.where(active, logits, np.inf).min(axis=1) >= np.where(active, -np.inf, logits).max(axis=1, initial=-np.inf)
    )


def test_gradients_reach_active_logits_only_and_stay_finite_far_from_zero():
    logits = tf.Variable([[200.0, 100.0, -3e4, 0.0]])
    with tf.GradientTape() as tape:
        weights = top_k_gate(logits, 3).weights
        value = tf.reduce_sum(weights * [[1.0, 2.0, 3.0, 4.0]])
    assert np.all(np.isfinite(tape.gradient(value, logits)))
    logits.assign([[0.5, 0.1, -9.0, 0.3]])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(top_k_gate(logits, 3).weights * [[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_array_equal(tape.gradient(value, logits).numpy() != 0.0, [[True, True, False, True]])


def test_half_precision_logits_give_float32_weights():
    assert top_k_gate(tf.constant([[1.0, 2.0, 3.0]], tf.bfloat16), 2).weights.dtype == tf.float32


@pytest.mark.parametrize("k", [0, 4])
def test_impossible_k_is_refused(k):
    with pytest.raises(ValueError, match=rf"`k` must be in \[1, experts=3\]. Received: k={k}"):
        top_k_gate(tf.zeros([1, 3]), k)


@pytest.mark.parametrize("pick", ["random", "lowest"])
def test_disagreeing_experts_are_idle_exactly_d_and_fixed_by_the_seed(pick):
    logits = tf.round(tf.random.stateless_normal([300, 9], [5, 5]))
    active = top_k_gate(logits, 4).active
    for count in (1, 3, 5):
        chosen = pick_disagreeing(logits, active, count, pick, seed=[3, 4])
        assert chosen.shape == (300, count)
        assert all(len(set(row)) == count for row in chosen.numpy())
        assert not np.any(np.take_along_axis(active.numpy(), chosen.numpy(), axis=1))
        np.testing.assert_array_equal(chosen, pick_disagreeing(logits, active, count, pick, seed=[3, 4]))
    if pick == "random":
        assert np.any(chosen != pick_disagreeing(logits, active, 1, pick, seed=[3, 5]))


def test_lowest_picks_the_smallest_logits_and_random_picks_evenly():
    logits = tf.constant([[3.0, -1.0, 2.0, -2.0, 0.0]])
    active = top_k_gate(logits, 2).active
    np.testing.assert_array_equal(pick_disagreeing(logits, active, 2, "lowest"), [[3, 1]])
    many = tf.repeat(logits, 6000, axis=0)
    drawn = pick_disagreeing(many, tf.repeat(active, 6000, axis=0), 1, "random", seed=[0, 1])
    share = np.bincount(drawn.numpy().ravel(), minlength=5) / 6000
    np.testing.assert_allclose(share, [0.0, 1 / 3, 0.0, 1 / 3, 1 / 3], atol=0.03)


def test_noise_is_drawn_in_training_only_and_is_a_function_of_the_seed():
    gate = Gate(experts=6)
    category = tf.random.stateless_normal([4000, 8], [0, 0])
    serving = gate(category)
    assert serving.noise_scale is None
    np.testing.assert_array_equal(serving.clean, serving.noisy)
    np.testing.assert_allclose(serving.clean, category @ gate.kernel + gate.bias, atol=1e-6)

    training = gate(category, training=True, seed=[1, 2])
    np.testing.assert_array_equal(training.clean, serving.clean)
    np.testing.assert_allclose(training.noise_scale, np.log(2.0), atol=1e-6)
    noise = (training.noisy - training.clean) / training.noise_scale
    assert abs(float(tf.math.reduce_std(noise)) - 1.0) < 0.02
    np.testing.assert_array_equal(training.noisy, gate(category, training=True, seed=[1, 2]).noisy)
    assert np.any(training.noisy != gate(category, training=True, seed=[1, 3]).noisy)


def test_a_gate_without_noise_needs_no_seed_and_one_with_noise_does():
    category = tf.ones([2, 3])
    assert Gate(experts=2, noisy=False)(category, training=True).noise_scale is None
    with pytest.raises(ValueError, match="`seed` must be given"):
        Gate(experts=2)(category, training=True)

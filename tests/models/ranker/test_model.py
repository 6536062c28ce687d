import numpy as np
import pytest
import tensorflow as tf

from models.export.folded_gates import FoldedGates
from models.inputs.reading import read_requests
from models.layers.gates import pick_disagreeing
from models.ranker import model as ranker_module
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.ranker.variants import VARIANTS


def _ranker(small_log, **config) -> Ranker:
    tf.keras.utils.set_random_seed(7)
    defaults = {"experts": 6, "top_k": 2, "disagreeing": 1, "hidden": [8], "embedding_size": 4}
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig.model_validate(defaults | config))
    ranker.compile(tf.keras.optimizers.SGD(0.1))
    return ranker


@pytest.fixture(scope="module")
def batch(small_log):
    return next(iter(read_requests(small_log.train_files, small_log.feature_spec, 16)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_objective_is_the_weighted_sum_of_its_terms(small_log, batch, variant):
    ranker = _ranker(
        small_log, variant=variant, hsc_weight=0.3, adv_weight=0.2, load_balance_weight=0.05, contrastive_weight=0.1
    )
    objective = ranker.compute_loss(batch, training=True).numpy()
    terms = {
        name.removeprefix("loss/"): mean.numpy()
        for name, mean in ranker.training_means().items()
        if name.startswith("loss/")
    }
    factors = {"hierarchical_soft_constraint": 0.3, "adversarial_disagreement": -0.2, "load_balance": 0.05}
    factors["contrastive"] = 0.1
    expected = {"ranking_loss"}
    parts = VARIANTS[variant]
    expected |= {"load_balance"} if parts.gate in ("category", "behaviour") else set()
    expected |= {"contrastive"} if parts.gate == "behaviour" else set()
    expected |= {"hierarchical_soft_constraint"} if parts.constraint else set()
    expected |= {"adversarial_disagreement"} if parts.disagreement else set()
    assert terms.keys() == expected
    np.testing.assert_allclose(objective, sum(factors.get(name, 1.0) * term for name, term in terms.items()), rtol=1e-5)


OTHERS = {
    "experts": 5, "buckets": 2, "history": "attention", "top_k": 1, "dispatch": "dense", "load_balance_weight": 9.0,
    "back_off": False, "gate_speed": 1.0, "gate_spread": 0.5, "noisy_gate": False, "disagreeing": 2, "adv_weight": 9.0,
    "adv_pick": "lowest", "adv_space": "logit", "hsc_weight": 9.0, "hsc_over": "all",
    "hsc_space": "logit", "hsc_stop_parent_gradient": True, "behaviour_gate": "softmax", "contrastive_weight": 9.0,
    "contrastive_temperature": 1.0, "behaviour_mask": 0.6,
}  # fmt: skip


@pytest.mark.parametrize("variant", ["dnn", "din", "mmoe", "moe", "aw_moe"])
def test_what_a_variant_does_not_read_changes_nothing(small_log, batch, variant):
    unread = {key: value for key, value in OTHERS.items() if not ModelConfig(variant=variant).reads(key)}
    losses = []
    for changed in ({}, unread):
        ranker = _ranker(small_log, variant=variant, **changed)
        losses.append(float(ranker.compute_loss(batch, training=True)))
    assert set(unread) <= set(ranker.config.unread)
    assert losses[0] == losses[1]


TWO_TASKS = {"tasks": ["click", "purchase"]}


@pytest.mark.parametrize(
    "config",
    [
        *({"variant": variant} for variant in VARIANTS),
        {"variant": "dnn", **TWO_TASKS},
        {"variant": "moe", **TWO_TASKS},
        {"variant": "mmoe", **TWO_TASKS},
        {"variant": "hsc_moe", "dispatch": "dense", **TWO_TASKS},
        {"variant": "hsc_moe", "experts": 1, "top_k": 1},
        {"variant": "adv_hsc_moe", "back_off": False, "score_weights": [1.0, 3.0], "cross_layers": 2, **TWO_TASKS},
        {"variant": "aw_moe", "behaviour_gate": "softmax", **TWO_TASKS},
        {"variant": "moe", "bfloat16": True},
    ],
    ids=str,
)
def test_a_request_alone_is_scored_as_in_a_batch_and_by_folded_gates_as_by_the_gates(small_log, batch, config):
    ranker = _ranker(small_log, **config)
    ranker(batch)  # makes the variables
    for variable in ranker.trainable_variables:
        variable.assign(0.3 * tf.random.stateless_normal(variable.shape, [1, len(variable.name)]))
    expected = ranker(batch)
    gates = None
    if ranker.config.parts.gate == "category":
        gates = [FoldedGates(gate, ranker.inputs.category_sizes) for gate in ranker.gates]
    for row in range(3):
        alone = {name: value[row : row + 1] for name, value in batch.items()}
        scores = ranker(alone, gates=gates, one_request=True)
        np.testing.assert_allclose(scores[0], expected[row], rtol=1e-5)


def test_scores_are_the_gated_sum_of_the_active_experts(small_log, batch):
    ranker = _ranker(small_log, variant="moe")
    scores = ranker(batch)
    encoded = ranker.encoder(batch)
    every_expert = ranker.experts(encoded.parts, encoded.lengths)[..., 0].numpy()
    routing = ranker.gates[0].route_categories([batch[name] for name in ranker.inputs.categories])
    weights = routing.weights.numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)
    assert ((weights > 0).sum(axis=1) == 2).all()
    expected = [weights[q] @ logits for q, logits in zip(encoded.request_of_item.numpy(), every_expert, strict=True)]
    expected = 1 / (1 + np.exp(-np.array(expected)))
    np.testing.assert_allclose(scores.flat_values, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scores.row_splits, batch["price"].row_splits)


@pytest.mark.parametrize("variant", ["adv_hsc_moe", "adv_hsc_aw_moe"])
def test_dense_dispatch_trains_as_sparse_dispatch_does(small_log, batch, variant):
    losses, gradients = [], []
    for dispatch in ("sparse", "dense"):
        ranker = _ranker(small_log, variant=variant, dispatch=dispatch)
        ranker(batch)
        with tf.GradientTape() as tape:
            losses.append(ranker.compute_loss(batch, training=True))
        gradients.append([tf.convert_to_tensor(g) for g in tape.gradient(losses[-1], ranker.trainable_variables)])
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-6)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_disagreement_pulls_on_experts_and_never_on_the_gate(small_log, batch):
    ranker = _ranker(small_log, variant="adv_moe", load_balance_weight=0.0)
    ranker(batch)
    with tf.GradientTape() as tape:
        ranker.compute_loss(batch, training=True)
        _, terms = ranker._score(batch, True, tf.constant([0, 0]))
    loss = terms["adversarial_disagreement"]
    gate = tape.gradient(loss, ranker.gates[0].trainable_variables, unconnected_gradients="zero")
    assert all(not np.any(tf.convert_to_tensor(gradient)) for gradient in gate)


def test_the_disagreeing_experts_are_drawn_uniformly_whatever_the_noise_was(small_log, batch, monkeypatch):
    ranker = _ranker(small_log, variant="adv_moe", experts=6, top_k=2)
    # Flat gates: which experts are active is a matter of the noise alone.
    ranker(batch)
    table = ranker.gates[0].embeddings[-1].embeddings
    table.assign(tf.zeros_like(table))
    active, drawn = [], []

    def record(logits, active_experts, *rest):
        drawn.append(pick_disagreeing(logits, active_experts, *rest))
        active.append(active_experts)
        return drawn[-1]

    monkeypatch.setattr(ranker_module, "pick_disagreeing", record)
    for step in range(60):
        ranker._score(batch, True, tf.constant([0, step]))
    # 960 draws over 6 experts: 160 each, with a standard deviation of 12.
    assert np.abs(np.bincount(np.ravel(drawn), minlength=6) - 160).max() < 55
    assert np.abs(np.sum(active, axis=(0, 1)) - 320).max() < 80


def test_the_constraint_gates_are_used_in_the_loss_only(small_log, batch):
    ranker = _ranker(small_log, variant="hsc_moe")
    ranker.compute_loss(batch, training=True)
    before = ranker(batch).flat_values.numpy()
    constraint = [
        variable for gate in ranker.gates[0].constraint_gates for variable in gate.trainable_variables
    ] + ranker.gates[0].embeddings[0].trainable_variables
    assert constraint
    for variable in constraint:
        variable.assign_add(tf.ones_like(variable))
    np.testing.assert_array_equal(ranker(batch).flat_values, before)


@pytest.mark.parametrize(
    ("variant", "loss"),
    [
        ("dnn", "cross_entropy"),
        ("dnn", "pairwise_logistic"),
        ("dnn", "softmax"),
        ("dnn", "approx_ndcg"),
        ("adv_hsc_moe", "cross_entropy"),
    ],
)
def test_steps_lower_the_loss(small_log, batch, variant, loss):
    ranker = _ranker(small_log, variant=variant, loss=loss, adv_weight=1e-4)
    losses = []
    for _ in range(12):
        with tf.GradientTape() as tape:
            objective = ranker.compute_loss(batch, training=True)
        gradients = tape.gradient(objective, ranker.trainable_variables)
        ranker.optimizer.apply_gradients(zip(gradients, ranker.trainable_variables, strict=True))
        losses.append(float(objective))
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 1e-3


def test_the_noise_follows_from_seed_and_step_alone(small_log, batch):
    first, second = (_ranker(small_log, variant="adv_hsc_moe").compute_loss(batch, training=True) for _ in range(2))
    assert first == second


def test_an_unknown_label_is_refused(small_log):
    with pytest.raises(ValueError, match=r"`tasks` must be some of click, purchase. Received: 'like'"):
        _ranker(small_log, tasks=["like"])


@pytest.mark.parametrize(
    "config",
    [
        {"variant": "dcn", "history": "attention"},
        {"variant": "mmoe", "batch_norm": False},
        {"variant": "adv_hsc_aw_moe", "tasks": ["click", "purchase"], "position_tower": True},
        {"variant": "adv_hsc_aw_moe", "behaviour_gate": "softmax"},
    ],
)
def test_every_kind_of_gate_trains_in_a_graph(small_log, config):
    ranker = _ranker(small_log, **config)
    batches = read_requests(small_log.train_files, small_log.feature_spec, 16).take(2)
    for batch in batches:
        ranker(batch)
        break
    before = [variable.numpy() for variable in ranker.trainable_variables]
    ranker.fit(batches, verbose=0)
    assert all(np.isfinite(variable).all() for variable in ranker.variables)
    still = [
        variable.name
        for variable, value in zip(ranker.trainable_variables, before, strict=True)
        if np.array_equal(variable, value)
    ]
    assert not still, "no gradient reached them"


def test_tasks_share_the_experts_and_their_probabilities_are_weighed(small_log, batch):
    ranker = _ranker(small_log, variant="moe", tasks=["click", "purchase"], score_weights=[1.0, 3.0])
    scores = ranker(batch).flat_values
    encoded = ranker.encoder(batch)
    experts = ranker.experts(encoded.parts, encoded.lengths).numpy()
    expected = 0.0
    for task, share in enumerate([0.25, 0.75]):
        categories = [batch[name] for name in ranker.inputs.categories]
        gate = ranker.gates[task].route_categories(categories).weights.numpy()
        logits = np.sum(gate[encoded.request_of_item.numpy()] * experts[..., task], axis=1)
        expected = expected + share / (1 + np.exp(-logits))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert ranker.gates[0] is not ranker.gates[1]


def test_the_position_is_learnt_in_training_and_changes_no_score(small_log, batch):
    ranker = _ranker(small_log, variant="dnn", position_tower=True)
    ranker(batch)
    [tower] = ranker.position_towers
    with tf.GradientTape() as tape:
        loss = ranker.compute_loss(batch, training=True)
    assert np.any(tf.convert_to_tensor(tape.gradient(loss, tower.table)) != 0.0)
    mean, before = tower.mean.numpy(), ranker(batch).flat_values.numpy()
    tower.mean.assign(3.0)  # what keeps the probabilities calibrated
    tower.table.assign(tf.range(tower.positions, 0.0, -1.0))
    upside_down = batch | {"position": batch["position"].with_flat_values(batch["position"].flat_values[::-1])}
    np.testing.assert_array_equal(ranker(batch).flat_values, ranker(upside_down).flat_values)
    logit = np.log(before / (1 - before))
    np.testing.assert_allclose(ranker(batch).flat_values, 1 / (1 + np.exp(-(logit + 3.0 - mean))), rtol=1e-3)
    logits, _ = ranker._score(batch, True, tf.constant([0, 0]))
    others, _ = ranker._score(upside_down, True, tf.constant([0, 0]))
    assert np.any(np.abs(logits - others) > 0.5)


def test_an_unknown_leaf_is_ranked_by_its_parents_constraint_gate(small_log, batch):
    ranker = _ranker(small_log, variant="hsc_moe")
    top, leaf = ranker.inputs.categories
    unknown = batch | {leaf: tf.zeros_like(batch[leaf])}
    ranker(unknown)
    gates = ranker.gates[0]
    table = gates.embeddings[-1].embeddings
    before = ranker(unknown).flat_values.numpy()
    table.assign(table[::-1])  # the leaves' own gates play no part
    np.testing.assert_array_equal(ranker(unknown).flat_values, before)
    parents = gates.constraint_gates[0](gates.speed * gates.embeddings[0](batch[top])).clean
    np.testing.assert_allclose(gates.logits([batch[top], unknown[leaf]])[0].clean, parents, rtol=1e-5)

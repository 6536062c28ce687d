"""What only the ranker itself can tell: experts, gates, the importance of features."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from components.model_report import gates
from components.model_report.curves import training_curves
from components.model_report.experts import expert_figures
from components.model_report.importance import PATH, importance
from components.model_report.nodes import Node, list_nodes
from models.export.folded_gates import FoldedGates
from models.inputs.reading import read_requests
from models.losses.adversarial import adversarial_disagreement
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker

TOPS = ["phones", "shirts"]


@pytest.fixture(scope="module")
def sample(small_log):
    """(features, lengths, grades, top)."""
    [features] = read_requests(small_log.train_files, small_log.feature_spec, 1000).take(1)
    lists = features["click"]
    return features, lists.row_lengths().numpy(), lists.flat_values.numpy(), features["top_category_id"].numpy() - 1


def importance_of(ranker, log, sample, seed=0):
    return importance(ranker, log.schema, *sample, TOPS, 500, seed)


def test_what_the_ranker_does_not_use_has_no_importance_and_what_it_uses_has(small_log, moe, sample):
    ranker = Ranker(small_log.schema, small_log.inputs, moe.config)
    [batch] = read_requests(small_log.valid_files, small_log.feature_spec, 8).take(1)
    ranker(batch)
    for weight, other in zip(ranker.own_variables, moe.ranker.own_variables, strict=True):
        weight.assign(other)
    kernel = ranker.experts.kernels[0].numpy()
    items, requests = ranker.encoder.columns
    for place, column in enumerate(items + requests):
        if column.startswith(("brand_id", "history_brand_id", "sales")):
            kernel[:, place] = 0.0
    ranker.experts.kernels[0].assign(kernel)
    found = importance_of(ranker, small_log, sample)
    overall = dict(zip(found.features, found.overall, strict=True))
    for unused in ("brand", "history_brand", "sales"):
        assert (overall[unused].value, overall[unused].low, overall[unused].high) == (0, 0, 0)
    # The log's users click cheap phones and dear shirts, by `tests.models.conftest.make_request`.
    assert found.features[:2] in (["price", PATH], [PATH, "price"])
    assert overall["price"].low > 0.1
    assert overall[PATH].low > 0.1
    assert [estimate.value for estimate in found.overall] == sorted((e.value for e in found.overall), reverse=True)
    assert set(found.features) == {
        PATH, "item_id", "brand", "shop", "price", "sales", "rating", "age_days", "history_item", "history_brand"
    }  # fmt: skip
    assert found.judged_requests == sum(found.judged_by_category)
    assert f"{found.judged_requests} of the test split's 500" in found.explanation
    # The whole is the mean of its parts.
    price = found.by_category[found.features.index("price")]
    parts = np.average([part.value for part in price], weights=found.judged_by_category)
    assert parts == pytest.approx(overall["price"].value)
    assert importance_of(ranker, small_log, sample) == found
    assert importance_of(ranker, small_log, sample, seed=1) != found


def test_importance_is_shown_for_the_categories_with_most_requests(small_log, moe, sample, monkeypatch):
    features, lengths, grades, _ = sample
    # Of many top categories four have requests, of which 9, 20, 30 and the rest, and the last has no judged one.
    judged = np.flatnonzero([len(set(of.tolist())) > 1 for of in np.split(grades, np.cumsum(lengths)[:-1])])
    top = np.full(len(lengths), 40_000)
    top[judged] = np.repeat([30_000, 7, 20_000, 5], [9, 20, 30, len(judged) - 59])
    names = [f"top {place}" for place in range(50_000)]
    monkeypatch.setattr("components.model_report.importance._columns", lambda schema: {"price": ["price"]})

    def found():
        return importance(moe.ranker, small_log.schema, features, lengths, grades, top, names, 500, 0)

    every = found()
    assert every.top_categories == ["top 5", "top 7", "top 20000", "top 30000"]
    assert every.judged_by_category == [len(judged) - 59, 20, 30, 9]
    assert [estimate.low is None for estimate in every.by_category[0]] == [False, False, False, True]
    assert "By category" not in every.explanation
    monkeypatch.setattr("components.model_report.importance._MOST_CATEGORIES", 2)
    busiest = found()
    assert busiest.top_categories == ["top 5", "top 20000"]
    assert busiest.by_category == [[every.by_category[0][place] for place in (0, 2)]]
    assert "By category: the 2 of 4 with most requests." in busiest.explanation


def test_without_a_click_there_is_no_importance(small_log, moe, sample):
    features, lengths, grades, top = sample
    assert importance_of(moe.ranker, small_log, (features, lengths, np.zeros_like(grades), top)) is None


def test_the_experts_are_as_far_apart_as_the_adversarial_loss_says(moe, sample):
    features, lengths, _, _ = sample
    found = expert_figures(moe.ranker, features, lengths)
    logits, routing = moe.ranker.experts_of(features)
    outputs, active = tf.sigmoid(logits).numpy().astype(np.float64), routing.active.numpy()
    of_items = np.repeat(active, lengths, axis=0)
    of_active, idle = (logits.numpy()[mask].reshape(len(of_items), -1) for mask in (of_items, ~of_items))
    assert found.active_idle_distance == pytest.approx(float(adversarial_disagreement(of_active, idle)), rel=1e-4)
    np.testing.assert_allclose(found.correlation, np.corrcoef(outputs.T), atol=1e-6)
    assert found.distance[0][3] == pytest.approx(np.mean((outputs[:, 0] - outputs[:, 3]) ** 2))
    np.testing.assert_allclose(found.share_of_requests, active.mean(axis=0))
    np.testing.assert_allclose(found.mean_weight, routing.weights.numpy().mean(axis=0), rtol=1e-5)
    assert sum(found.share_of_requests) == pytest.approx(found.top_k) == 2
    assert found.items == lengths.sum()


@pytest.mark.parametrize(
    ("model", "top_k", "idle"),
    [
        ({"variant": "mmoe", "tasks": ["click", "purchase"]}, None, False),
        ({"variant": "aw_moe"}, 2, True),
        ({"variant": "moe", "experts": 1, "top_k": 1}, 1, False),
        ({"variant": "dnn"}, None, None),
    ],
)
def test_experts_of_every_kind_of_gate(small_log, sample, model, top_k, idle):
    features, lengths, _, _ = sample
    config = ModelConfig(**{"experts": 3, "top_k": 2, "hidden": [4], "embedding_size": 4} | model)
    ranker = Ranker(small_log.schema, small_log.inputs, config)
    found = expert_figures(ranker, features, lengths)
    nodes, _ = list_nodes(small_log.hierarchy, np.zeros((0, 2), np.int64))
    vectors = gates.node_vectors(ranker, nodes)
    assert (vectors is not None) == (model["variant"] == "moe")
    if idle is None:
        assert found is None
        return
    assert found.top_k == top_k
    assert (found.active_idle_distance is not None) is idle
    assert sum(found.mean_weight) == pytest.approx(1, rel=1e-4)
    if vectors is not None:  # one expert, at which there is nothing to see
        assert gates.shelves(vectors, nodes) == ["Expert 1 serves all top categories."]
        assert np.isnan(gates.gate_map(vectors, nodes, 0)).all()


@pytest.mark.parametrize(
    ("model", "seen"),
    [({"variant": "hsc_moe"}, "all"), ({"variant": "moe"}, "leaves"), ({"back_off": False}, "leaves")],
)
def test_gates_of_nodes_are_those_that_serve(small_log, sample, model, seen, monkeypatch):
    monkeypatch.setattr("models.layers.routing._PATHS_AT_ONCE", 3)  # fewer than there are
    ranker = Ranker(small_log.schema, small_log.inputs, ModelConfig(**{"experts": 4, "top_k": 2} | model))
    ranker({name: values[:1] for name, values in sample[0].items()})
    tree = small_log.hierarchy
    nodes, _ = list_nodes(tree, np.array([[1, 0], [0, 0]]))
    vectors = gates.node_vectors(ranker, nodes)
    known = np.isfinite(vectors[:, 0])
    for node, vector, is_known in zip(nodes, vectors, known, strict=True):
        unknown, leaf = not node.path[node.level - 1], node.level == 2
        assert is_known == (leaf or seen == "all" or (unknown and ranker.config.back_off)), node
        if is_known:
            folded = FoldedGates(ranker.gates[0], ranker.inputs.category_sizes)
            served = folded.route_categories([tf.constant([identity]) for identity in node.path])
            weights = np.zeros(4)
            weights[served.experts.numpy()[0]] = served.expert_weights.numpy()[0]
            np.testing.assert_allclose(vector, weights, rtol=1e-5)


def tree_of(leaves: dict[str, list[list[float]]]) -> tuple[np.ndarray, list[Node]]:
    """Top categories whose leaves have these gates, one request each."""
    nodes, vectors = [], []
    for top, (name, gates_of_top) in enumerate(leaves.items(), start=1):
        parent = len(nodes)
        nodes.append(Node(name, 1, None, (top, 0), len(gates_of_top)))
        vectors.append([np.nan] * len(gates_of_top[0]))
        for vector in gates_of_top:
            nodes.append(Node(f"leaf {len(nodes)}", 2, parent, (top, len(nodes)), 1))
            vectors.append(vector)
    return np.array(vectors), nodes


def test_which_experts_share_which_shelves_in_words():
    vectors, nodes = tree_of(
        {
            "shoes": [[0.4, 0.4, 0.2, 0, 0, 0]],
            "bags": [[0.3, 0.4, 0.2, 0.1, 0, 0], [0.5, 0.4, 0.1, 0, 0, 0]],
            "books": [[0, 0, 0.9, 0.1, 0, 0]],
            "hats": [[0.6, 0.4, 0, 0, 0, 0]],
            "coats": [[0.7, 0.3, 0, 0, 0, 0]],
        }
    )
    # Hats and coats have half of their weight with expert 1 alone.
    assert gates.shelves(vectors, nodes) == [
        "Expert 1 serves shoes, bags and 2 other top categories.",
        "Expert 2 serves shoes and bags.",
        "No top category leans on experts 4, 5 and 6.",
        "books keeps expert 3 to itself.",
        "shoes and bags share experts 1 and 2.",
    ]


def test_the_map_of_gates_is_the_same_each_time_and_puts_like_gates_together():
    rng = np.random.default_rng(0)
    leaves = {f"top {t}": (np.eye(4)[t] + 0.05 * rng.random((20, 4))).tolist() for t in range(4)}
    vectors, nodes = tree_of(leaves)
    places = gates.gate_map(vectors, nodes, seed=0)
    np.testing.assert_array_equal(places, gates.gate_map(vectors, nodes, seed=0))
    on_it = np.isfinite(places[:, 0])
    assert on_it.tolist() == [node.level == 2 for node in nodes]
    tops = np.array([node.path[0] for node in nodes])[on_it]
    apart = np.linalg.norm(places[on_it][:, np.newaxis] - places[on_it], axis=-1) + 1e9 * np.eye(len(tops))
    assert (tops[apart.argmin(axis=1)] == tops).mean() > 0.95
    assert gates.silhouette(vectors, nodes) > 0.9


def test_the_silhouette_takes_the_busiest_leaves_of_all_top_categories(monkeypatch):
    vectors, nodes = tree_of({"one": [[1, 0], [0, 1], [1, 0]], "other": [[0, 1], [0, 1]]})
    assert gates.silhouette(vectors, nodes) < 0.5
    nodes = [dataclasses.replace(node, requests=0 if place == 2 else 1) for place, node in enumerate(nodes)]
    monkeypatch.setattr("reporting.statistics._MOST_LEAVES", 4)
    assert gates.silhouette(vectors, nodes) == 1


def test_curves_are_thinned_and_what_a_resumed_training_wrote_again_counts_once(tmp_path):
    for file, (first, value) in enumerate([(0, 1.0), (900, 2.0)]):
        with tf.summary.create_file_writer(str(tmp_path / "train"), filename_suffix=f".{file}").as_default():
            for step in range(first, first + 1000):
                tf.summary.scalar("loss/hsc", float("nan") if step == 1899 else value, step=step)
    [curve] = training_curves(str(tmp_path))
    assert (curve.name, curve.split) == ("train/loss/hsc", "train")
    assert len(curve.steps) == len(set(curve.steps)) == 500
    assert (curve.steps[0], curve.steps[-1]) == (0, 1899)
    assert curve.values[-1] is None
    assert {value for step, value in zip(curve.steps, curve.values, strict=True) if step < 900} == {1.0}
    assert {value for step, value in zip(curve.steps, curve.values, strict=True) if 900 <= step < 1899} == {2.0}
    assert training_curves(str(tmp_path / "nowhere")) == []

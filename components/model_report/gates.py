"""The gates of all categories: their vectors, a map of them, and in words which experts share which shelves."""

from collections.abc import Sequence

import numpy as np

from components.model_report.nodes import Node
from models.ranker.model import Ranker
from reporting.gate_map import lay_out
from reporting.statistics import gate_silhouette
from reporting.words import listed

_MAPPED = 1500  # nodes on the map, those of most traffic; t-SNE takes ten seconds for them
_NAMED = 3


def node_vectors(ranker: Ranker, nodes: Sequence[Node]) -> np.ndarray | None:
    """[nodes, N], the weights that serve a request of which just the node's path is known.

    Rows of NaN are of nodes that the gate does not look at: of an upper level without a constraint gate, or without
    back-off.

    Returns:
      None if the gate does not see the category alone.
    """
    gate = ranker.gates[0] if ranker.gates else None
    if gate is None or not gate.sees_category_alone:
        return None
    paths = np.array([node.path for node in nodes], np.int64)
    levels, first = paths.shape[1], gate.levels.start
    # A request of an unknown category is routed, too: by the gate above, or as the unknown leaf.
    looked_at = [
        node.level > first if node.path[node.level - 1] else gate.back_off or node.level == levels for node in nodes
    ]
    return np.where(np.array(looked_at)[:, np.newaxis], gate.category_vectors(paths), np.nan)


def gate_map(vectors: np.ndarray, nodes: Sequence[Node], seed: int) -> np.ndarray:
    """[nodes, 2], a map on which categories of like gates stand close to each other, by t-SNE of cosine distances; NaN
    for those that are not on it."""
    places = np.full((len(nodes), 2), np.nan)
    known = [place for place, node in enumerate(nodes) if node.path[node.level - 1] and np.isfinite(vectors[place, 0])]
    mapped = sorted(known, key=lambda place: -nodes[place].requests)[:_MAPPED]
    places[mapped] = lay_out(vectors[mapped], seed)
    return places


def silhouette(vectors: np.ndarray, nodes: Sequence[Node]) -> float | None:
    """Of the known leaf categories by top category, see `gate_silhouette`."""
    leaves = [place for place, node in enumerate(nodes) if node.path[-1]]
    leaves.sort(key=lambda place: -nodes[place].requests)
    tops = np.array([nodes[place].path[0] for place in leaves], np.int64)
    return gate_silhouette(vectors[leaves], tops) if leaves and np.isfinite(vectors[leaves]).all() else None


def shelves(vectors: np.ndarray, nodes: Sequence[Node]) -> list[str]:
    """Sentences on which experts share which top categories.

    A top category is served by the experts that together have half of the weight in its leaves, the heaviest first;
    leaves count by their training requests. Experts are numbered from 1.
    """
    mains = _main_experts(vectors, nodes)
    if len(mains) < 2:
        return []
    said, serves = [], {expert: [] for expert in range(vectors.shape[1])}
    for name, experts in mains.items():
        for expert in experts:
            serves[expert].append(name)
    for expert, names in serves.items():
        if len(names) == len(mains):
            said.append(f"Expert {expert + 1} serves all top categories.")
        elif len(names) > 1:
            said.append(f"Expert {expert + 1} serves {_tops(names)}.")
    idle = [str(expert + 1) for expert, names in serves.items() if not names]
    if idle:
        said.append(f"No top category leans on {'expert' if len(idle) == 1 else 'experts'} {listed(idle)}.")
    by_experts: dict[tuple[int, ...], list[str]] = {}
    for name, experts in mains.items():
        by_experts.setdefault(tuple(sorted(experts)), []).append(name)
        if own := [str(expert + 1) for expert in sorted(experts) if serves[expert] == [name]]:
            said.append(f"{name} keeps {'experts' if own[1:] else 'expert'} {listed(own)} to itself.")
    for experts, names in by_experts.items():
        if len(names) > 1 and len(experts) > 1:
            shared = listed([str(expert + 1) for expert in experts])
            said.append(f"{_tops(names)} share experts {shared}.")
    return said


def _main_experts(vectors: np.ndarray, nodes: Sequence[Node]) -> dict[str, list[int]]:
    """By name of the top category, the experts that have half of the weight in its known leaves."""
    names = {node.path[0]: node.name for node in nodes if node.level == 1 and node.path[0]}
    weights = {top: np.zeros(vectors.shape[1]) for top in names}
    for node, vector in zip(nodes, vectors, strict=True):
        if node.path[-1] and node.path[0] and np.isfinite(vector[0]):
            weights[node.path[0]] += node.requests * vector
    found = {}
    for top, weight in weights.items():
        order = np.argsort(-weight, kind="stable")
        enough = int(np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)) + 1
        if weight.sum():
            found[names[top]] = order[:enough].tolist()
    return found


def _tops(names: Sequence[str]) -> str:
    """a, b and c; or a, b and 4 other top categories."""
    others = len(names) - _NAMED + 1
    return listed(names if others < 2 else [*names[: _NAMED - 1], f"{others} other top categories"])

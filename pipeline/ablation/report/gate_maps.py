"""Maps of the leaf categories by their gates, one a variant: near each other are those that use the same experts."""

from collections.abc import Mapping, Sequence

import numpy as np

from common.escaping import one_line
from models.inputs.hierarchy import CategoryHierarchy
from pipeline.ablation.members import category_paths
from reporting.gate_map import lay_out

_MOST_LEAVES = 1000  # those of most traffic; t-SNE takes seconds a variant for them
_STRONGEST = 3


def gate_maps(gates: Mapping[str, np.ndarray | None], hierarchy: CategoryHierarchy) -> dict[str, list[dict]]:
    """The points of each variant's map, as `reporting.gate_map.gate_map` takes them.

    Args:
      gates: [C, N] of each variant's first seed, in the order of `category_paths`; None if it has no gate that sees
        the category alone.
      hierarchy: of the training split.

    Returns:
      by label, the busiest leaf first; variants without a gate, or with too little to tell apart, left out.
    """
    tops = category_paths(hierarchy)[:, 0]
    # Ids fall with the requests: the first are the busiest.
    rows = np.flatnonzero(tops > 0)[:_MOST_LEAVES]
    found = {}
    for label, vectors in gates.items():
        if vectors is None:
            continue
        places = lay_out(vectors[rows], seed=0)
        if np.isfinite(places).all() and len(places):
            points = zip(rows, places, strict=True)
            found[label] = [_point(row, place, vectors[row], tops[row], hierarchy) for row, place in points]
    return found


def _point(row: int, place: Sequence[float], vector: np.ndarray, top: int, hierarchy: CategoryHierarchy) -> dict:
    leaf = hierarchy.levels[-1]
    strongest = np.argsort(-vector, kind="stable")[:_STRONGEST]
    return {
        "x": round(float(place[0]), 3),
        "y": round(float(place[1]), 3),
        "name": one_line(leaf.keys[row]),
        "in": one_line(hierarchy.levels[0].keys[top - 1]),
        "top": int(top),
        "requests": int(leaf.counts[row]),
        "experts": ", ".join(f"{expert + 1}: {vector[expert]:.2f}" for expert in strongest if vector[expert] > 0),
    }

"""The parts of the test split that variants are compared in."""

import numpy as np

from common.escaping import one_line
from components.split_scorer.request_scores import RequestScores
from models.inputs.hierarchy import CategoryHierarchy
from reporting.slices import SLICINGS

UNKNOWN = "(unknown)"


def slices(scores: RequestScores, hierarchy: CategoryHierarchy) -> dict[str, dict[str, np.ndarray]]:
    """Which requests are in which slice.

    * ``top category``: by name, most training requests first, then the unknown one.
    * those of `reporting.slices.SLICINGS`, by title; of a log without histories, without their length.

    Args:
      scores: of any member.
      hierarchy: of the training split.

    Returns:
      {dimension: {slice: [R] bool}}; slices without a request are left out.
    """
    top_names = [*(one_line(key) for key in hierarchy.levels[0].keys), UNKNOWN]
    top = scores.categories[:, 0]
    parts = {"top category": {name: top == (i + 1) % len(top_names) for i, name in enumerate(top_names)}}
    for slicing in SLICINGS:
        values = getattr(scores, slicing.column)
        if values is not None:
            places = slicing.places(values)
            parts[slicing.title] = {name: places == place for place, name in enumerate(slicing.names)}
    return {dimension: {name: mask for name, mask in masks.items() if mask.any()} for dimension, masks in parts.items()}

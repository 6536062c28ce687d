"""The features with outliers, where a training has diverged. Reads transformed requests once more."""

import itertools
from collections.abc import Iterable

import numpy as np

_BATCHES = 2_000  # are enough, whatever the size of the log
_NAMED = 3
_FAR = 1_000.0  # standard deviations: Transform has scaled the numbers


def describe_outliers(batches: Iterable[dict], names: Iterable[str]) -> str:
    """A sentence on the float features with values that are not finite or more than 1,000 standard deviations away.

    Args:
      batches: of transformed requests; the first 2,000 are read.
      names: of the features that training reads.

    Returns:
      the sentence, or "" if there is no such feature.
    """
    not_finite, farthest = {}, {}
    for batch in itertools.islice(batches, _BATCHES):
        for name in names:
            values = getattr(batch[name], "flat_values", batch[name]).numpy()
            if values.dtype.kind == "f" and values.size:
                finite = values[np.isfinite(values)]
                not_finite[name] = not_finite.get(name, 0) + values.size - finite.size
                farthest[name] = max(farthest.get(name, 0.0), float(np.abs(finite).max(initial=0.0)))
    if found := {name: count for name, count in not_finite.items() if count}:
        counts = ", ".join(f"{name} has {count:,}" for name, count in sorted(found.items(), key=lambda one: -one[1]))
        return f"Values of the train split that are not finite: {counts}."
    if far := sorted(((far, name) for name, far in farthest.items() if far > _FAR), reverse=True)[:_NAMED]:
        values = ", ".join(f"{name} has {value:.3g}" for value, name in far)
        return f"Values far from all others in the train split: {values}."
    return ""

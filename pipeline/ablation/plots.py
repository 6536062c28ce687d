"""The pictures of an ablation. Text stays text in them, so that a browser shows names in any script."""

import dataclasses
import pathlib
from collections.abc import Sequence

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.manifold import TSNE

from components.names import one_line

# Okabe and Ito's, which colour-blind readers can tell apart; yellow is left out, it is too faint on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE = {
    # matplotlib has no font for every script, and would draw boxes: the viewer of the file has.
    "svg.fonttype": "none",
    "svg.hashsalt": "ablation",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}
_MOST_SLICES = 20
_MOST_GROUPS = len(_COLOURS) * 2
_FEWEST_POINTS = 6


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture in the ablation's folder.

    Attributes:
      file: its name.
      alternative: what it shows, for those who cannot see it.
    """

    file: str
    alternative: str


def write(
    result: dict, gates: dict[str, np.ndarray | None], top: np.ndarray, names: Sequence[str], folder: pathlib.Path
) -> list[Picture]:
    """Writes the pictures.

    Args:
      result: the content of `ablation.json`.
      gates: [C, N] of each variant's first seed; None if it has no gate.
      top: [C] ids of the leaves' top categories, 0 for unknown.
      names: of the top categories, that of id i at i - 1.
      folder: where to.
    """
    gates = {label: vectors[top > 0] for label, vectors in gates.items() if vectors is not None}
    # t-SNE needs something to tell apart, and ends the process where there is nothing.
    gates = {label: vectors for label, vectors in gates.items() if len(np.unique(vectors, axis=0)) > 2}
    top = top[top > 0]
    pictures = []
    with plt.rc_context(_STYLE):
        pictures.append(_session_auc(result, folder))
        pictures += [
            _slices(result, dimension, shown, folder)
            for dimension, parts in result["slices"].items()
            if (shown := [part for part in parts if any(part["differences"].values())])
        ]
        if gates and len(top) >= _FEWEST_POINTS:
            pictures.append(_gate_map(gates, top, names, result["seeds"][0], folder))
    return pictures


def _session_auc(result: dict, folder: pathlib.Path) -> Picture:
    """Every seed's session AUC by variant, and the differences to each baseline."""
    labels, baselines = list(result["variants"]), result["baselines"]
    panels = 1 + (len(baselines) if len(labels) > 1 else 0)
    size = (3.6 * panels + 1.2, 0.45 * len(labels) + 1.4)
    figure, axes = plt.subplots(1, panels, figsize=size, sharey=True, squeeze=False, layout="constrained")
    first, *others = axes[0]
    for row, variant in enumerate(result["variants"].values()):
        metric = variant["metrics"]["session_auc"]
        seeds = [np.nan if value is None else value for value in metric["by_seed"]]
        first.plot(seeds, [row] * len(seeds), "o", color=_COLOURS[4], alpha=0.7, markersize=5)
        first.plot(np.mean(seeds), row, "|", color=_COLOURS[0], markersize=16, markeredgewidth=2.5)
    first.set(title="Session AUC: seeds and mean", yticks=range(len(labels)), yticklabels=labels)
    first.set_ylim(len(labels) - 0.5, -0.5)
    first.grid(axis="x", alpha=0.3)
    for axis, baseline in zip(others, baselines, strict=False):
        _zero_line(axis)
        for row, variant in enumerate(result["variants"].values()):
            _interval(axis, variant["differences"].get(baseline, {}).get("session_auc"), row, _COLOURS[0], "o")
        axis.set_title(f"Difference to {baseline}, 95 % interval")
    return _save(figure, folder, "session_auc.svg", "Session AUC of each variant by seed, and its differences")


def _slices(result: dict, dimension: str, parts: list[dict], folder: pathlib.Path) -> Picture:
    """The variants' differences to the first baseline in each slice."""
    baseline = result["baselines"][0]
    others = [label for label in result["variants"] if label != baseline]
    parts = parts[:_MOST_SLICES]
    step = 0.8 / len(others)
    height = max(0.45, 0.17 * len(others)) * len(parts) + 1.2
    figure, axis = plt.subplots(figsize=(8, height), layout="constrained")
    _zero_line(axis)
    for place, label in enumerate(others):
        style = {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKERS[place % len(_MARKERS)]}
        for row, part in enumerate(parts):
            _interval(axis, part["differences"][label], row + step * (place - (len(others) - 1) / 2), **style)
        axis.plot([], [], linestyle="", label=label, **style)
    names = [f"{_plain(part['name'])} ({part['requests']:,})" for part in parts]
    axis.set(yticks=range(len(parts)), yticklabels=names)
    axis.set_ylim(len(parts) - 0.5, -0.5)
    axis.set_title(f"Session AUC - {baseline} by {dimension} (requests), 95 % interval")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    file = f"slices_{dimension.replace(' ', '_')}.svg"
    return _save(figure, folder, file, f"Differences in session AUC to {baseline} by {dimension}")


def _gate_map(
    gates: dict[str, np.ndarray], top: np.ndarray, names: Sequence[str], seed: int, folder: pathlib.Path
) -> Picture:
    """A t-SNE map of the leaves' gate vectors, a panel a variant."""
    columns = min(3, len(gates))
    rows = -(-len(gates) // columns)
    size = (3.2 * columns + 2.2, 3.2 * rows + 0.4)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    groups = [int(group) for group in np.unique(top)]  # ids fall with the requests: the busiest first
    for axis, (label, vectors) in zip(axes.flat, gates.items(), strict=False):
        perplexity = min(30.0, (len(top) - 1) / 3)
        places = TSNE(perplexity=perplexity, metric="cosine", random_state=0).fit_transform(vectors)
        for place, group in enumerate(groups):
            style = {"color": "#BBBBBB", "marker": "."}
            if place < _MOST_GROUPS:
                turn = place + place // len(_COLOURS)  # another marker, the second time round
                style = {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKERS[turn % len(_MARKERS)]}
            inside = top == group
            name = _plain(one_line(names[group - 1])) if place < _MOST_GROUPS else "others"
            axis.scatter(*places[inside].T, s=22, alpha=0.8, linewidths=0, label=name, **style)
        axis.set(title=label, xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis in axes.flat[len(gates) :]:
        axis.set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside right upper")
    alternative = f"t-SNE map of the leaf categories' gate vectors, seed {seed}, by top category; a panel a variant"
    return _save(figure, folder, "gates.svg", alternative)


def _interval(axis, found: dict | None, row: float, color: str, marker: str) -> None:
    if found:
        axis.plot([found["low"], found["high"]], [row, row], color=color, linewidth=1.5)
        axis.plot(found["mean"], row, marker, color=color, markersize=5)


def _zero_line(axis) -> None:
    axis.axvline(0, color="#888888", linewidth=1)
    axis.grid(axis="x", alpha=0.3)


def _plain(name: str) -> str:
    """A name as matplotlib shows it as it stands: between dollars it would read mathematics."""
    return name.replace("$", r"\$")


def _save(figure, folder: pathlib.Path, file: str, alternative: str) -> Picture:
    figure.savefig(folder / file, metadata={"Date": None})
    plt.close(figure)
    return Picture(file, alternative)

"""The map of the gates: categories with similar gate vectors stand close to each other."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import sklearn.manifold
import threadpoolctl

from reporting.charts import data, spec


def lay_out(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Lays gate vectors out on a plane, by t-SNE of cosine distances.

    Args:
      vectors: [n, N].
      seed: of t-SNE.

    Returns:
      [n, 2]; NaN if there are fewer than four vectors, or fewer than three different ones.
    """
    # Of vectors that are all the same, t-SNE ends the process.
    if vectors.shape[0] < 4 or vectors.shape[1] < 2 or len(np.unique(vectors, axis=0)) < 3:
        return np.full((len(vectors), 2), np.nan)
    tsne = sklearn.manifold.TSNE(
        metric="cosine", perplexity=min(30.0, (len(vectors) - 1) / 3), init="pca", n_jobs=1, random_state=seed
    )
    # Whatever `n_jobs` says, t-SNE starts one thread per core for each of a thousand small steps, and they wait.
    with threadpoolctl.threadpool_limits(1):
        return tsne.fit_transform(vectors)


def gate_map(rows: Sequence[Mapping], description: str, height: int = 400) -> dict:
    """A chart of categories by their gates. Its parameter ``picked`` is the ``top`` that is pointed out, or -1.

    Args:
      rows: ``x``, ``y``, ``name``, ``in`` (the top category), ``top`` (its number), ``requests``, ``experts`` (in
        words), and ``colour`` and ``shape`` of `reporting.looks`.
      description: the chart in words, for readers who cannot see it.
      height: of the chart.
    """
    axis = alt.Axis(labels=False, ticks=False, title=None, grid=False, domain=False)
    picked = alt.param(name="picked", value=-1)
    # Without shift, the wheel and the finger scroll the page.
    drag = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"
    moved = alt.selection_interval(bind="scales", zoom="wheel![event.shiftKey]", translate=drag)
    chart = (
        alt.Chart(data(rows))
        .mark_point(filled=True, stroke="var(--surface)", strokeWidth=0.5)
        .encode(
            # Room for the points at the edges.
            x=alt.X("x:Q", axis=axis, scale=alt.Scale(zero=False, padding=10)),
            y=alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=False, padding=10)),
            color=alt.Color("colour:N", scale=None, legend=None),
            shape=alt.Shape("shape:N", scale=None, legend=None),
            size=alt.Size("requests:Q", scale=alt.Scale(type="sqrt", range=[20, 200]), legend=None),
            opacity=alt.condition("picked < 0 || picked == datum.top", alt.value(0.85), alt.value(0.08)),
            tooltip=[
                alt.Tooltip("name:N", title="category"),
                alt.Tooltip("in:N", title="in"),
                alt.Tooltip("requests:Q", title="requests", format=","),
                alt.Tooltip("experts:N", title="experts"),
            ],
        )
        .add_params(picked, moved)
    )
    return spec(chart.properties(width="container", height=height), description)

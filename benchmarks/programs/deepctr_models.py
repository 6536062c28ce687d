"""DeepCTR's DCN and DIN on flat rows. Runs in an environment of its own, see benchmarks/deepctr.lock."""

import os
from collections.abc import Callable

from benchmarks.flat_rows import Shape, read_rows, read_shape
from benchmarks.programs.stopwatch import train
from benchmarks.workers import answer, use_threads

# DeepCTR asks the package index for newer versions when it is imported. A benchmark does not phone home.
os.environ["HTTPS_PROXY"] = "http://127.0.0.1:9"

from deepctr.feature_column import DenseFeat, SparseFeat, VarLenSparseFeat
from deepctr.models import DCN, DIN

_DIN_PREFIX = "hist_"


def _columns(shape: Shape, embedding_size: int, history_name: Callable[[str], str]) -> list:
    sparse = {
        name: SparseFeat(name, size, embedding_dim=embedding_size, embedding_name=name)
        for name, size in shape.categorical.items()
    }
    histories = []
    for name, table in shape.histories.items():
        of_ids = SparseFeat(
            history_name(name), shape.categorical[table], embedding_dim=embedding_size, embedding_name=table
        )
        histories.append(VarLenSparseFeat(of_ids, maxlen=shape.history_length, combiner="mean"))
    return [*sparse.values(), *histories, *(DenseFeat(name, 1) for name in shape.numeric)]


def prepare(settings: dict) -> Callable[[], dict[str, float]]:
    """Settings: ``model`` (dcn, with pooled histories, or din, which attends to them), ``rows`` (folder), ``hidden``,
    ``embedding_size``, ``batch_items``, ``seconds``, ``threads``."""
    use_threads(settings)
    shape = read_shape(settings["rows"])
    rows = read_rows(settings["rows"], shape, settings["batch_items"], settings["threads"])
    hidden = tuple(settings["hidden"])
    if settings["model"] == "dcn":
        columns = _columns(shape, settings["embedding_size"], lambda name: name)
        model = DCN(columns, columns, cross_num=2, dnn_hidden_units=hidden)
    else:
        names = {name: f"{_DIN_PREFIX}{table}" for name, table in shape.histories.items()}
        columns = _columns(shape, settings["embedding_size"], names.__getitem__)
        model = DIN(columns, list(shape.histories.values()), dnn_hidden_units=hidden)
        rows = rows.map(lambda features, label: ({names.get(k, k): v for k, v in features.items()}, label))
        rows = rows.prefetch(8)
    model.compile("adam", "binary_crossentropy")
    return lambda: train(model, rows, settings["seconds"], settings["batch_items"])


if __name__ == "__main__":
    answer(prepare)

"""Day after day in a simulated shop that changes: from scratch, warm-started, and left alone.

    python -m benchmarks.days --rows=100000 --window=7 --days=10 --seeds=1,2

Taste turns from day to day, and new sub-categories are opened. Three models rank each day; none has seen it:

* ``scratch``: trained on the window, the days before, every day anew;
* ``warm``: that of the day before, which takes over its weights and trains on the newest day alone; the first is the
  first of ``scratch``;
* ``never``: the first of ``scratch``, never updated.

All learn from the output of the same pipeline, up to Transform over the window. Gives session AUC by day, its mean
difference over the days to ``scratch`` with a 95 % interval over days (Student's t), and the seconds of training.
"""

import json
import os
import pathlib
import shutil
import statistics
from typing import NamedTuple

import scipy.stats
import tensorflow as tf
from absl import app, flags, logging

from benchmarks.harness import markdown_table, write
from common.splits import EARLIER
from models.inputs.reading import read_requests
from models.metrics import SessionAUC
from models.ranker.model import Ranker
from models.training import warm_start
from models.training.config import TrainConfig
from models.training.data import TrainingData
from models.training.loop import fit
from models.training.placement import new_ranker
from pipeline.config import RunConfig, load_config
from pipeline.runners.local import LocalRunner, alone_in, run_components
from pipeline.simulation.simulate import simulate
from schemas.log_schema import LogSchema

_ROWS = flags.DEFINE_integer("rows", 100_000, "Impressions a day, about.")
_WINDOW = flags.DEFINE_integer("window", 7, "Days in the window.")
_DAYS = flags.DEFINE_integer("days", 10, "Days that are ranked.")
_DRIFT = flags.DEFINE_float("drift", 0.15, "How far taste turns in a day.")
_NEW_CATEGORIES = flags.DEFINE_float("new_categories", 0.3, "Share of the sub-categories that open later.")
_SEEDS = flags.DEFINE_list("seeds", ["1", "2"], "Of the trainings.")
_LOG_SEED = flags.DEFINE_integer("log_seed", 1, "Of the shop.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in train.epochs=1.")
_WARM = flags.DEFINE_multi_string(
    "warm", [], "For the warm-started trainings alone, a key of `train` and its value in JSON: epochs=2."
)
_FOLDER = flags.DEFINE_string("folder", "runs/benchmarks/days", "Where logs and runs go; the runs are removed.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/days.json", "The figures.")
_TOY = flags.DEFINE_bool("toy", False, "Three small days and one seed: does it run at all?")

_CONFIG = "pipeline/configs/demo.yaml"
_FILES = "impressions-{YYYY}{MM}{DD}.csv"
_FIRST_SPAN = 19_723  # 2024-01-01


class Day(NamedTuple):
    """What the pipeline made of the window that ends with a day."""

    examples: str
    transform_graph: str
    transformed: str

    def files(self, *splits: str) -> list[str]:
        """Patterns of the transformed requests."""
        return [os.path.join(self.transformed, f"Split-{split}", "*") for split in splits]


class Model(NamedTuple):
    """A ranker, the data it was trained on, and where its weights are kept."""

    ranker: Ranker
    data: TrainingData
    weights: str


def _ingest(config: RunConfig, schema: LogSchema, span: int) -> Day:
    config = config.model_copy(update={"data": config.data.model_copy(update={"span": span})})
    runner = LocalRunner()
    with alone_in(config, _FOLDER.value):
        run_components(config, schema, _FOLDER.value, runner)
    outputs = {name: uri for run in runner.node_runs for name, uri in run.outputs.items()}
    return Day(outputs["examples"], outputs["transform_graph"], outputs["transformed_examples"])


def _train(
    config: RunConfig, schema: LogSchema, day: Day, train: TrainConfig, earlier: Model | None, folder: pathlib.Path
) -> tuple[Model, float]:
    """Trains on the newest day from the weights of an earlier model, or on the whole window; gives the seconds."""
    tf.keras.backend.clear_session()
    train_files = day.files("train") if earlier else day.files(EARLIER, "train")
    data = TrainingData(schema, day.transform_graph, train_files, day.files("valid"))
    ranker = new_ranker(data, config.model, train)
    rows = warm_start.rows_of(ranker, schema, data.transform_output, data.hierarchy)
    if earlier:
        warm_start.take_over(ranker, rows, earlier.weights)
    result = fit(
        ranker,
        data.train_files,
        data.valid_files,
        data.feature_spec,
        train,
        checkpoint_dir=str(folder / "checkpoints"),
        log_dir=str(folder / "logs"),
    )
    weights = str(folder / "weights.npz")
    warm_start.save(ranker, rows, weights)
    return Model(ranker, data, weights), result.seconds


def _judge(model: Model, day: Day, label: str) -> float:
    """The session AUC of all requests of a day."""
    output = model.data.transform_output
    transform = output.transform_features_layer()

    @tf.function(autograph=False)
    def scores(raw):
        return model.ranker(transform(raw))

    metric = SessionAUC()
    files = [os.path.join(day.examples, f"Split-{split}", "*") for split in ("train", "valid", "test")]
    for raw in read_requests(files, output.raw_feature_spec(), 512):
        metric.update_state(raw[label].to_tensor(-1), scores(raw).to_tensor(-1.0))
    return float(metric.result())


def _run(config: RunConfig, schema: LogSchema, window: int, days: int, seeds: list[int]) -> dict:
    folder = pathlib.Path(_FOLDER.value).resolve()
    label = schema.labels[0].name
    warm = {key: json.loads(value) for key, _, value in (one.partition("=") for one in _WARM.value)}
    first = _FIRST_SPAN + window - 1
    auc = {kind: {seed: [] for seed in seeds} for kind in ("scratch", "warm", "never")}
    seconds = {kind: {seed: [] for seed in seeds} for kind in ("scratch", "warm")}
    models: dict[tuple[str, int], Model] = {}
    day = _ingest(config, schema, first)
    for number in range(days + 1):
        for seed in seeds:
            own = config.train.model_copy(update={"seed": seed})
            of_day = folder / "trainings" / f"{number}-{seed}"
            models["scratch", seed], took = _train(config, schema, day, own, None, of_day / "scratch")
            if not number:
                models["warm", seed] = models["never", seed] = models["scratch", seed]
                continue
            seconds["scratch"][seed].append(took)
            own, earlier = own.model_copy(update=warm), models["warm", seed]
            models["warm", seed], took = _train(config, schema, day, own, earlier, of_day / "warm")
            seconds["warm"][seed].append(took)
        day = _ingest(config, schema, first + number + 1)
        if not number:
            continue  # all three are the same model on this day
        for (kind, seed), model in models.items():
            auc[kind][seed].append(_judge(model, day, label))
        logging.info("day %d: %s", number, {kind: auc[kind][seeds[0]][-1] for kind in auc})
    return {"session_auc": auc, "seconds": seconds}


def _difference(auc: dict, kind: str) -> tuple[float, float]:
    """The mean over days of the difference to ``scratch``, mean over seeds, and half its 95 % interval over days."""
    of_days = [
        statistics.mean(auc[kind][seed][day] - auc["scratch"][seed][day] for seed in auc[kind])
        for day in range(len(next(iter(auc[kind].values()))))
    ]
    if len(of_days) == 1:
        return of_days[0], float("nan")
    spread = statistics.stdev(of_days) / len(of_days) ** 0.5
    return statistics.mean(of_days), float(scipy.stats.t.ppf(0.975, len(of_days) - 1)) * spread


def main(_) -> None:
    """Measures, prints and writes."""
    logging.set_verbosity(logging.INFO)
    rows, window, days, seeds = _ROWS.value, _WINDOW.value, _DAYS.value, [int(seed) for seed in _SEEDS.value]
    if _TOY.value:
        rows, window, days, seeds = 4_000, 2, 2, seeds[:1]
    folder = pathlib.Path(_FOLDER.value).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    total = window + days + 1
    simulate(
        folder / "log",
        rows * total,
        _LOG_SEED.value,
        days=total,
        drift=_DRIFT.value,
        new_categories=_NEW_CATEGORIES.value,
    )
    sets = [f'data.files="{_FILES}"', f"data.window={window}", "stop_after=transform", "name=days", *_SET.value]
    config, schema = load_config(_CONFIG, sets, str(folder / "log"))
    result = _run(config, schema, window, days, seeds)
    auc, seconds = result["session_auc"], result["seconds"]
    ranked = range(len(auc["never"][seeds[0]]))
    table = [
        [f"day {day + 1}", *(f"{statistics.mean(auc[kind][seed][day] for seed in seeds):.4f}" for kind in auc)]
        for day in ranked
    ]
    table.append(["mean", *(f"{statistics.mean(v for s in seeds for v in auc[kind][s]):.4f}" for kind in auc)])
    differences = {kind: _difference(auc, kind) for kind in ("warm", "never")}
    table.append(["- scratch", "", *(f"{mean:+.4f} ± {half:.4f}" for mean, half in differences.values())])
    of_training = {kind: statistics.mean(v for s in seeds for v in seconds[kind][s]) for kind in seconds}
    table.append(["seconds of training", *(f"{value:.1f}" for value in of_training.values()), "0"])
    print(markdown_table(["session AUC", *auc], table))
    print(f"warm / scratch, seconds: {of_training['warm'] / of_training['scratch']:.2f}")
    write(_OUT.value, {"rows_a_day": rows, "window": window, "set": _SET.value, "warm": _WARM.value, **result})
    for leftover in ("days", "trainings"):
        shutil.rmtree(folder / leftover, ignore_errors=True)


if __name__ == "__main__":
    app.run(main)

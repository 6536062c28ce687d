"""One training by one process and by several: the same losses, and how many items a second.

    python -m benchmarks.strategies

The simulated log, transformed by the pipeline, is trained by each strategy with the same batches, one after the other,
each as the Trainer component does it, and saved. Two workers on one machine share its cores and show what the exchange
costs, not what a second machine gains. Prints a table and writes it as JSON.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys

from absl import app, flags, logging

from benchmarks.harness import markdown_table, take_turns, write
from models.ranker.config import ModelConfig
from models.training.config import TrainConfig

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SCHEMA = _ROOT / "schemas" / "demo.pbtxt"
_STRATEGIES = {
    "one process": ({}, {}, 1),
    "two workers": ({}, {"strategy": "multi_worker", "workers": 2}, 1),
    "mirrored over two devices": ({}, {"strategy": "mirrored"}, 2),
    "bfloat16": ({"bfloat16": True}, {}, 1),
    "dense dispatch": ({"dispatch": "dense"}, {}, 1),
}
_FIGURES = {
    "train_ranking_loss": "training loss",
    "valid_log_loss": "validation log loss",
    "valid_session_auc": "session AUC",
    "items_per_second": "items a second",
    "process_seconds": "seconds in all",
}

_ROWS = flags.DEFINE_integer("rows", 300_000, "Impressions of the simulated log.")
_EPOCHS = flags.DEFINE_integer("epochs", 3, "Passes over it.")
_BATCH_REQUESTS = flags.DEFINE_integer("batch_requests", 256, "Requests a step, of all workers together.")
_OPTIMIZER = flags.DEFINE_string("optimizer", "adam", "train.optimizer")
_REPETITIONS = flags.DEFINE_integer("repetitions", 3, "How often each is run, in turns; the table shows medians.")
_ONLY = flags.DEFINE_list("only", list(_STRATEGIES), "The rows of the table.")
_TOY = flags.DEFINE_bool("toy", False, "Tiny: shows that it runs, no figures to quote.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/strategies.json", "The figures.")


def main(_) -> None:
    """Measures, prints and writes."""
    logging.set_verbosity(logging.WARNING)
    if _TOY.value:
        several = list(_STRATEGIES)[:3]  # of the others only the configuration differs
        toy = {"rows": 6_000, "epochs": 1, "repetitions": 1, "batch_requests": 64, "only": several}
        for name, value in toy.items():
            flags.FLAGS.set_default(name, value)
    if unknown := set(_ONLY.value) - _STRATEGIES.keys():
        raise app.UsageError(f"--only takes {', '.join(_STRATEGIES)}. Received: {', '.join(unknown)}")
    folder = pathlib.Path(_OUT.value).resolve().parent / "strategies"
    fn_args = _transformed_log(folder)
    shutil.rmtree(folder / "trainings", ignore_errors=True)
    runs = {name: [] for name in _ONLY.value}
    for repetition in range(_REPETITIONS.value):
        commands = {
            name: _command(fn_args, folder / "trainings" / f"{place}-{repetition}", *_STRATEGIES[name])
            for place, name in enumerate(_ONLY.value)
        }
        for name, measured in take_turns(commands, 1).items():
            runs[name] += measured
    shutil.rmtree(folder / "trainings")
    rows = [
        [name, *(statistics.median(one[figure] for one in measured) for figure in _FIGURES)]
        for name, measured in runs.items()
    ]
    print(markdown_table(["", *_FIGURES.values()], rows))
    write(_OUT.value, {"runs": runs})


def _command(fn_args: dict, folder: pathlib.Path, model: dict, train: dict, devices: int) -> list[str]:
    """What trains by one strategy, its files below ``folder``."""
    train = {
        "epochs": _EPOCHS.value,
        "batch_requests": _BATCH_REQUESTS.value,
        "validations_per_epoch": 1,
        "optimizer": _OPTIMIZER.value,
        "patience": _EPOCHS.value,
        **train,
    }
    custom = {
        "schema": _SCHEMA.read_text(encoding="utf-8"),
        "model": ModelConfig.model_validate(model).model_dump(),
        "train": TrainConfig.model_validate(train).model_dump(),
        "checkpoints": f"{folder}/checkpoints",
        "code": "",
    }
    outputs = {"serving_model_dir": f"{folder}/model", "model_run_dir": f"{folder}/run"}
    outputs |= {"hyperparameters": None, "base_model": None}
    settings = {"fn_args": fn_args | outputs | {"custom_config": custom}, "devices": devices}
    return [sys.executable, "-m", "benchmarks.programs.strategy", json.dumps(settings)]


def _transformed_log(folder: pathlib.Path) -> dict:
    """Runs the pipeline up to Transform; what is there is used again. Gives the files as `run_fn` takes them."""
    name = f"simulated-{_ROWS.value}"
    sets = [
        f"--set={override}" for override in (f"name={name}", f"simulate.rows={_ROWS.value}", "stop_after=transform")
    ]
    command = [sys.executable, "-m", "pipeline", "run", f"--runs={folder}", *sets]
    subprocess.run(command, check=True, cwd=_ROOT, stdout=sys.stderr)
    outputs = folder / name / "artifacts" / "Transform"
    graph, examples = (
        max((outputs / output).iterdir(), key=lambda execution: int(execution.name))
        for output in ("transform_graph", "transformed_examples")
    )
    return {
        "train_files": [f"{examples}/Split-train/*"],
        "eval_files": [f"{examples}/Split-valid/*"],
        "transform_graph_path": str(graph),
    }


if __name__ == "__main__":
    app.run(main)

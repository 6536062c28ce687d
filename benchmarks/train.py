"""Items a second from files to weights, beside what people use today, and beside the matrix products alone.

    python -m benchmarks.train --list_lengths 5,50

Each program reads its own form of the same made-up log (`benchmarks.made_up_log`), ours transformed requests, the
others flat rows, and trains with Adam, ours with the lazy form of it unless `--variants` says otherwise. Input pipeline
included, from the second step on, equal batches for all. Prints a table and writes it as JSON.
"""

import pathlib
import subprocess
import sys

from absl import app, flags, logging

from benchmarks.flat_rows import is_written, write_rows
from benchmarks.harness import markdown_table, write
from benchmarks.made_up_log import HISTORY_LENGTH, SCHEMA, TransformedLog, transformed_log
from benchmarks.variants import sections
from benchmarks.workers import REPETITIONS, Program, interleaved, machine_settings, median_figures

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_LOCK = _ROOT / "benchmarks" / "deepctr.lock"

_LIST_LENGTHS = flags.DEFINE_list("list_lengths", ["5", "50"], "Items a request.")
_VARIANTS = flags.DEFINE_list(
    "variants",
    [
        "adv_hsc_moe;train.optimizer=lazy_adam",
        "adv_hsc_moe;train.optimizer=lazy_adam;bfloat16=true",
        "adv_hsc_moe;train.optimizer=lazy_adam;history=attention",
        "adv_hsc_moe",
    ],
    "Of the ranker, with settings of their own; the others are compared with the first.",
)
_IMPRESSIONS = flags.DEFINE_integer("impressions", 300_000, "Of a log's training split.")
_BATCH_ITEMS = flags.DEFINE_integer("batch_items", 2_560, "Items a step.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Of a measurement of the others; ours is a pass over the log.")
_DEEPCTR = flags.DEFINE_bool("deepctr", True, "Compare with DeepCTR, in an environment that is made on first use.")
_TOY = flags.DEFINE_bool("toy", False, "Tiny and in a minute or two: shows that it runs, no figures to quote.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/train.json", "The figures.")

# The ranker's defaults of [C], named here because they are what is compared.
_MIXTURE = {"experts": 10, "top_k": 4, "hidden": [128, 64], "embedding_size": 16}
_DISAGREEING = 1


def main(_) -> None:
    """Measures, prints and writes."""
    logging.set_verbosity(logging.WARNING)
    if _TOY.value:
        flags.FLAGS.set_default("impressions", 4_000)
        flags.FLAGS.set_default("list_lengths", ["5"])
        flags.FLAGS.set_default("variants", _VARIANTS.value[:1])  # of the others only the configuration differs
        flags.FLAGS.set_default("batch_items", 320)
        flags.FLAGS.set_default("repetitions", 1)
        flags.FLAGS.set_default("seconds", 0.2)
    folder = pathlib.Path(_OUT.value).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    deepctr = deepctr_environment(folder) if _DEEPCTR.value else None
    rows, figures = [], {}
    for length in map(int, _LIST_LENGTHS.value):
        log = transformed_log(folder / "logs", _IMPRESSIONS.value, length)
        programs = programs_of(log, folder / "logs" / f"rows-{_IMPRESSIONS.value}-by-{length}", length, deepctr)
        figures[length] = interleaved(programs, REPETITIONS.value, folder / "train.log")
        speeds = {name: figure["items_per_second"] for name, figure in median_figures(figures[length]).items()}
        ours = speeds[programs[0].name]
        rows += [(name, length, speed, speed / ours) for name, speed in speeds.items()]
    print(markdown_table(["program", "list length", "items a second", f"ratio to {programs[0].name}"], rows))
    write(_OUT.value, {"figures": figures})


def programs_of(log: TransformedLog, rows: pathlib.Path, length: int, deepctr: str | None) -> list[Program]:
    """All programs on one log, ours first."""
    programs = ours(log, length)
    size = _write_rows(log, rows)
    shared = {"batch_items": _BATCH_ITEMS.value, "seconds": _SECONDS.value, **machine_settings()}
    of_rows = shared | {"rows": str(rows)}
    # The ranker's training sets one thread an operation (`common.threads`); the others run with TensorFlow's default,
    # and once more with ours, so that the choice does not pass for a merit of the model.
    for suffix, threads in (("", {}), (", one thread an operation", {"threads_an_operation": 1})):
        name = f"plain Keras mixture of experts{suffix}"
        programs.append(Program(name, "benchmarks.programs.plain_keras", of_rows | _MIXTURE | threads))
        if deepctr:
            sizes = {name: _MIXTURE[name] for name in ("hidden", "embedding_size")}
            for model in ("dcn", "din"):
                settings = of_rows | sizes | {"model": model} | threads
                name = f"DeepCTR {model.upper()}{suffix}"
                programs.append(Program(name, "benchmarks.programs.deepctr_models", settings, deepctr))
    floor = shared | {"towers": _MIXTURE["top_k"] + _DISAGREEING, "size": size, "hidden": _MIXTURE["hidden"]}
    for dtype in ("float32", "bfloat16"):
        settings = floor | {"dtype": dtype}
        programs.append(Program(f"matrix products alone, {dtype}", "benchmarks.programs.matrix_products", settings))
    return programs


def ours(log: TransformedLog, length: int) -> list[Program]:
    """The variants of the ranker."""
    shared = {
        "schema": SCHEMA.read_text(encoding="utf-8"),
        "transform_graph": log.transform_graph,
        "train_files": log.files("train"),
        "valid_files": log.files("valid"),
        **machine_settings(),
    }
    model = _MIXTURE | {"disagreeing": _DISAGREEING}
    batch_requests = max(1, round(_BATCH_ITEMS.value / length))
    train = {"epochs": 1, "validations_per_epoch": 1, "batch_requests": batch_requests}
    return [
        Program(variant, "benchmarks.programs.aislerank", shared | sections(variant, model, train))
        for variant in _VARIANTS.value
    ]


def deepctr_environment(folder: pathlib.Path) -> str:
    """The interpreter of DeepCTR's environment, which is made if it is not there or the lock has changed."""
    place, wanted = folder / "deepctr-env", _LOCK.read_text(encoding="utf-8")
    python, stamp = place / "bin" / "python", place / ".made-from"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        uv = pathlib.Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", _LOCK]
        subprocess.run(install, check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return str(python)


def _write_rows(log: TransformedLog, rows: pathlib.Path) -> int:
    """Writes the training split as flat rows; returns the size of an item's input in the ranker."""
    import tensorflow_transform as tft

    from models.inputs.features import ranker_inputs
    from models.inputs.hierarchy import hierarchy_folder, read_hierarchy

    transform_output = tft.TFTransformOutput(log.transform_graph)
    inputs = ranker_inputs(log.schema, transform_output, read_hierarchy(hierarchy_folder(log.transform_graph)))
    if not is_written(rows):
        write_rows(rows, log.files("train"), transform_output.transformed_feature_spec(), inputs, HISTORY_LENGTH)
    embedded = (inputs.categories, inputs.request_categorical, inputs.item_categorical, inputs.histories)
    numeric = len(inputs.request_numeric) + len(inputs.item_numeric)
    return numeric + _MIXTURE["embedding_size"] * sum(map(len, embedded))


if __name__ == "__main__":
    app.run(main)

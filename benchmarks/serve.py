"""How long the exported model takes to rank one request, by its number of items.

    python -m benchmarks.serve --items 10,100,500

In process, from plain values to scores, Transform's graph included; the lengths are measured in turns. Prints a table
and writes it as JSON.
"""

import pathlib

from absl import app, flags, logging

from benchmarks.harness import markdown_table, write
from benchmarks.made_up_log import SCHEMA, transformed_log
from benchmarks.variants import sections
from benchmarks.workers import REPETITIONS, Program, interleaved, machine_settings, median_figures

_ITEMS = flags.DEFINE_list("items", ["10", "100", "500"], "Of a request.")
_VARIANT = flags.DEFINE_string("variant", "adv_hsc_moe", "Of the ranker, with its settings.")
_IMPRESSIONS = flags.DEFINE_integer("impressions", 300_000, "Of the log that Transform is run on: sets vocabularies.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Of a measurement.")
_TOY = flags.DEFINE_bool("toy", False, "Tiny: shows that it runs, no figures to quote.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/serve.json", "The figures.")


def main(_) -> None:
    """Measures, prints and writes."""
    logging.set_verbosity(logging.WARNING)
    if _TOY.value:
        flags.FLAGS.set_default("impressions", 4_000)
        flags.FLAGS.set_default("repetitions", 1)
        flags.FLAGS.set_default("seconds", 0.5)
    folder = pathlib.Path(_OUT.value).resolve().parent
    log = transformed_log(folder / "logs", _IMPRESSIONS.value, list_length=5)
    shared = {
        "schema": SCHEMA.read_text(encoding="utf-8"),
        "transform_graph": log.transform_graph,
        "valid_files": log.files("valid"),
        "model": sections(_VARIANT.value, {"experts": 10, "top_k": 4, "disagreeing": 1})["model"],
        "seconds": _SECONDS.value,
        **machine_settings(),
    }
    programs = [Program(items, "benchmarks.programs.rank", shared | {"items": int(items)}) for items in _ITEMS.value]
    figures = interleaved(programs, REPETITIONS.value, folder / "serve.log")
    rows = [
        (items, figure["p50_milliseconds"], figure["p99_milliseconds"])
        for items, figure in median_figures(figures).items()
    ]
    print(markdown_table(["items", "p50, ms", "p99, ms"], rows))
    write(_OUT.value, {"variant": _VARIANT.value, "figures": figures})


if __name__ == "__main__":
    app.run(main)

"""How long the exported model takes to rank one request, by its number of items and of experts.

    python -m benchmarks.serve --items 10,100,500 --experts 10,64

In process, from plain values to scores, Transform's graph included: the signature `rank` with the gate's network and
with the gate folded into a table, and `rank_ids`, whose caller has looked the ids up. All are measured in turns. Prints
a table and writes it as JSON.
"""

import itertools
import pathlib

from absl import app, flags, logging

from benchmarks.harness import markdown_table, write
from benchmarks.made_up_log import SCHEMA, transformed_log
from benchmarks.variants import sections
from benchmarks.workers import REPETITIONS, Program, interleaved, machine_settings, median_figures

_ITEMS = flags.DEFINE_list("items", ["10", "100", "500"], "Of a request.")
_EXPERTS = flags.DEFINE_list("experts", ["10", "64"], "N of the ranker; K is 4.")
_VARIANT = flags.DEFINE_string("variant", "adv_hsc_moe", "Of the ranker, with its settings.")
_IMPRESSIONS = flags.DEFINE_integer("impressions", 300_000, "Of the log that Transform is run on: sets vocabularies.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Of a measurement.")
_TOY = flags.DEFINE_bool("toy", False, "Tiny: shows that it runs, no figures to quote.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/serve.json", "The figures.")

CALLS = {
    "rank, gate's network": {"signature": "rank", "folded": False},
    "rank": {"signature": "rank", "folded": True},
    "rank_ids": {"signature": "rank_ids", "folded": True},
}


def main(_) -> None:
    """Measures, prints and writes."""
    logging.set_verbosity(logging.WARNING)
    if _TOY.value:
        toy = {"impressions": 4_000, "repetitions": 1, "seconds": 0.5, "items": ["10"], "experts": ["10"]}
        for flag, value in toy.items():
            flags.FLAGS.set_default(flag, value)
    folder = pathlib.Path(_OUT.value).resolve().parent
    log = transformed_log(folder / "logs", _IMPRESSIONS.value, list_length=5)
    shared = {
        "schema": SCHEMA.read_text(encoding="utf-8"),
        "transform_graph": log.transform_graph,
        "valid_files": log.files("valid"),
        "seconds": _SECONDS.value,
        **machine_settings(),
        "threads_an_operation": 1,  # as it is served
    }
    programs, titles = [], {}
    for experts, (title, call), items in itertools.product(_EXPERTS.value, CALLS.items(), _ITEMS.value):
        name = f"{title}, {experts} experts, {items} items"
        titles[name] = (title, experts, items)
        model = sections(_VARIANT.value, {"experts": int(experts), "top_k": 4, "disagreeing": 1})["model"]
        settings = shared | call | {"model": model, "items": int(items)}
        programs.append(Program(name, "benchmarks.programs.rank", settings))
    figures = interleaved(programs, REPETITIONS.value, folder / "serve.log")
    rows = [
        (*titles[name], figure["p50_milliseconds"], figure["p99_milliseconds"])
        for name, figure in median_figures(figures).items()
    ]
    print(markdown_table(["signature", "N", "items", "p50, ms", "p99, ms"], rows))
    write(_OUT.value, {"variant": _VARIANT.value, "figures": figures})


if __name__ == "__main__":
    app.run(main)

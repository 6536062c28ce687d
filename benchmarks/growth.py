"""How the time of a training step grows: with experts, active experts, vocabulary, list length and batch.

    python -m benchmarks.growth --sweeps experts,vocabulary

Steps of the ranker on made-up batches in memory. One thing is varied at a time; the settings of a sweep are measured
in turns. Prints a table and writes it as JSON.
"""

import pathlib

from absl import app, flags, logging

from benchmarks.harness import markdown_table, write
from benchmarks.made_up_log import SCHEMA
from benchmarks.variants import sections
from benchmarks.workers import REPETITIONS, Program, interleaved, machine_settings, median_figures

_EXPERTS = [10, 32, 128, 256]
_SWEEPS = {
    "experts": [{"experts": experts} for experts in _EXPERTS],
    "experts_lists_of_50": [{"experts": experts, "list_length": 50} for experts in _EXPERTS],
    "experts_large_batch": [{"experts": experts, "list_length": 50, "batch_items": 40_960} for experts in _EXPERTS],
    "top_k": [{"top_k": top_k} for top_k in (1, 2, 4, 8)],
    "vocabulary": [{"vocabulary": 10**power} for power in (4, 5, 6)],
    # 10,000 items a batch, or there would be no batch of lists of 500
    "list_length": [{"list_length": length, "batch_items": 10_000} for length in (5, 20, 100, 500)],
    "batch_items": [{"batch_items": items} for items in (160, 640, 2_560, 10_240, 40_960)],
}
_TOY_SWEEPS = {"vocabulary": _SWEEPS["vocabulary"][:2]}
_BASE = {"experts": 10, "top_k": 4, "vocabulary": 17_000, "list_length": 5, "batch_items": 2_560}

_CHOSEN = flags.DEFINE_list("sweeps", [], f"Some of {', '.join(_SWEEPS)}; all, if none is named.")
_VARIANT = flags.DEFINE_string("variant", "adv_hsc_moe;train.optimizer=lazy_adam", "Of the ranker, with its settings.")
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Of a measurement.")
_TOY = flags.DEFINE_bool("toy", False, "One small sweep, once: shows that it runs, no figures to quote.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/growth.json", "The figures.")


def main(_) -> None:
    """Measures, prints and writes."""
    logging.set_verbosity(logging.WARNING)
    if _TOY.value:
        flags.FLAGS.set_default("repetitions", 1)
        flags.FLAGS.set_default("seconds", 0.2)
    sweeps = {
        name: settings
        for name, settings in (_TOY_SWEEPS if _TOY.value else _SWEEPS).items()
        if not _CHOSEN.value or name in _CHOSEN.value
    }
    folder = pathlib.Path(_OUT.value).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    rows, figures = [], {}
    for sweep, varied in sweeps.items():
        programs = [_program(settings) for settings in varied]
        figures[sweep] = interleaved(programs, REPETITIONS.value, folder / "growth.log")
        steps = median_figures(figures[sweep])
        first = steps[programs[0].name]["median_step_milliseconds"]
        for name, of_setting in steps.items():
            milliseconds = of_setting["median_step_milliseconds"]
            rows.append((sweep, name, milliseconds, of_setting["items_per_second"], milliseconds / first))
    print(markdown_table(["sweep", "setting", "median step, ms", "items a second", "time to the first"], rows))
    write(_OUT.value, {"variant": _VARIANT.value, "base": _BASE, "figures": figures})


def _program(varied: dict) -> Program:
    setting = _BASE | varied
    name = ", ".join(f"{key}={value}" for key, value in varied.items())
    settings = {
        "schema": SCHEMA.read_text(encoding="utf-8"),
        "vocabulary": setting["vocabulary"],
        "list_length": setting["list_length"],
        "batch_requests": max(1, round(setting["batch_items"] / setting["list_length"])),
        **sections(_VARIANT.value, {"experts": setting["experts"], "top_k": setting["top_k"], "disagreeing": 1}),
        "seconds": _SECONDS.value,
        **machine_settings(),
    }
    return Program(name, "benchmarks.programs.training_step", settings)


if __name__ == "__main__":
    app.run(main)

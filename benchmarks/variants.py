"""Trains variants over several seeds on one log and compares them on the test split.

    python benchmarks/variants.py --config pipeline/configs/demo.yaml --variants dnn,moe,adv_hsc_moe --seeds 1,2,3

Each is a run of the pipeline, which reuses everything before the Trainer. Prints a Markdown table of
mean and standard deviation over the seeds, the difference in session AUC to the first variant, paired by
seed, with its 95 % interval by Student's t (over seeds, not over requests), and writes all figures as JSON.
"""

import json
import pathlib
import statistics
import subprocess
import sys

from absl import app, flags
from scipy import stats

_CONFIG = flags.DEFINE_string("config", "pipeline/configs/demo.yaml", "The run's YAML file.")
_DATA = flags.DEFINE_string("data", None, "The folder of the log.")
_VARIANTS = flags.DEFINE_list("variants", ["dnn", "moe", "adv_hsc_moe"], "The variants.")
_SEEDS = flags.DEFINE_list("seeds", ["1", "2", "3"], "The seeds.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides, as of `python -m pipeline run`.")
_RUNS = flags.DEFINE_string("runs", "runs/benchmarks", "Where the runs go, and the figures: variants.json.")

_METRICS = ("session_auc", "ndcg_at_10", "mrr", "auc", "log_loss")


def _run(variant: str, seed: str) -> dict:
    overrides = [*_SET.value, "name=variants", f"model.variant={variant}", f"train.seed={seed}"]
    command = [sys.executable, "-m", "pipeline", "run", "--config", _CONFIG.value, "--runs", _RUNS.value]
    command += [part for override in overrides for part in ("--set", override)]
    command += ["--data", _DATA.value] if _DATA.value else []
    subprocess.run(command, check=True, stdout=sys.stderr)
    return json.loads((pathlib.Path(_RUNS.value) / "variants" / "summary.json").read_text(encoding="utf-8"))


def _cell(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def _difference(runs: list[dict], others: list[dict]) -> str:
    differences = [
        run["metrics"]["session_auc"] - other["metrics"]["session_auc"] for run, other in zip(runs, others, strict=True)
    ]
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.4f}"
    half = stats.t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]"


def report(summaries: dict[str, list[dict]]) -> None:
    """Prints the table; ``summaries``: of each variant, one a seed."""
    first = next(iter(summaries))
    print(f"| variant | {' | '.join(_METRICS)} | session_auc - {first} | parameters | items trained a second |")
    print(f"|---|{'---|' * (len(_METRICS) + 3)}")
    for variant, runs in summaries.items():
        cells = [_cell([run["metrics"][metric] for run in runs]) for metric in _METRICS]
        speed = statistics.median(run["train_items_per_second"] for run in runs)
        cells.append(_difference(runs, summaries[first]) if variant != first else "")
        print(f"| {variant} | {' | '.join(cells)} | {runs[0]['training']['parameters']:,} | {speed:,.0f} |")
    oracle = next(iter(summaries.values()))[0].get("oracle_session_auc")
    if oracle is not None:
        print(f"\nBest possible session AUC on this simulated log: {oracle:.4f}")


def main(_) -> None:
    """Runs, prints and writes."""
    summaries = {variant: [_run(variant, seed) for seed in _SEEDS.value] for variant in _VARIANTS.value}
    report(summaries)
    path = pathlib.Path(_RUNS.value) / "variants.json"
    path.write_text(json.dumps(summaries, indent=2), encoding="utf-8")


if __name__ == "__main__":
    app.run(main)

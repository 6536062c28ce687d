"""What a search for hyperparameters came to: the trials, and the best of them as YAML."""

import json
import pathlib

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table

from models.training.tuned_values import decode
from models.tuning.search_space import show

_FILE = "hyperparameters.yaml"
_SHOWN = 10


def read_trials(outputs: dict[str, str], folder: pathlib.Path) -> list[dict]:
    """Reads the Tuner's artifacts and writes ``hyperparameters.yaml`` into the run's folder.

    Args:
      outputs: of the Tuner, URI by output key.
      folder: the run's.

    Returns:
      the trials, the best first: of each the ``trial``, counted from 1, its ``session_auc`` of the validation
      split and its ``hyperparameters`` by key.
    """
    results = json.loads((pathlib.Path(outputs["tuner_results"]) / "tuner_results.json").read_text(encoding="utf-8"))
    trials = []
    for result in results:
        number, session_auc = int(result.pop("trial_id")) + 1, result.pop("score")
        trials.append({"trial": number, "session_auc": session_auc, "hyperparameters": decode(result)})
    (folder / _FILE).write_text(_best_as_yaml(trials), encoding="utf-8")
    return trials


def trials_table(trials: list[dict]) -> RenderableType:
    """The best trials, and the best of them as YAML."""
    shown = f"the best {_SHOWN} of " if len(trials) > _SHOWN else ""
    table = Table(title=f"Validation split: {shown}{len(trials)} trials", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column("session AUC", justify="right", no_wrap=True)
    for key in trials[0]["hyperparameters"]:
        # Spaces, so that a narrow screen breaks a long name instead of cutting it.
        table.add_column(key.partition(".")[2].replace("_", " "), justify="right")
    for index, trial in enumerate(trials[:_SHOWN]):
        values = [show(value) for value in trial["hyperparameters"].values()]
        row = [str(trial["trial"]), f"{trial['session_auc']:.4f}", *values]
        table.add_row(*row, style="bold" if index == 0 else None)
    return Group(table, Syntax(_best_as_yaml(trials), "yaml", background_color="default"))


def _best_as_yaml(trials: list[dict]) -> str:
    best = trials[0]
    lines = [f"# The best of {len(trials)} trials: session AUC {best['session_auc']:.4f} on the validation split."]
    sections: dict[str, list[str]] = {}
    for key, value in best["hyperparameters"].items():
        section, _, name = key.partition(".")
        # JSON is YAML, and gives a float so that it is read back as it was.
        sections.setdefault(section, []).append(f"  {name}: {json.dumps(value)}")
    for section, keys in sections.items():
        lines += [f"{section}:", *keys]
    return "\n".join(lines) + "\n"

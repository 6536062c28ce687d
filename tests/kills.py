"""Kills the pipeline again and again, starts the same command again, and compares what it ends with.

    python -m tests.kills --kills=50

A small demo log is run undisturbed. Then rounds begin, each in a new folder: the same command is started, its whole
process group gets SIGKILL at a random moment, it is started again, and so on, 17 times; then it is left alone. The
moments are by turns: uniform over the length of what is left to do; soon after a component has made a folder for its
outputs; while SQLite has a transaction of ML Metadata open. All along it is looked whether a server would find half a
version. At the end of a round everything is compared with the undisturbed run, bit by bit on one thread. Prints a
table; a difference makes it fail.
"""

import collections
import json
import pathlib
import random
import shutil
import sys
import tempfile
from collections.abc import Callable

from absl import app, flags, logging

from tests.attempts import Attempt, Look, after, attempt, fork, in_transaction, while_writing
from tests.run_state import differences, digests, inconsistencies

_KINDS = ("uniform", "outputs", "metadata")
_KILLS_A_ROUND = 17

_KILLS = flags.DEFINE_integer("kills", 50, "At least so many; the last round is finished.")
_MOMENTS = flags.DEFINE_integer("moments", 1, "The seed of the moments.")


def main(_) -> None:
    """Runs, kills, compares and prints."""
    logging.set_verbosity(logging.WARNING)
    moments = random.Random(_MOMENTS.value)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="aislerank-kills-"))
    whole = attempt(folder / "undisturbed", start=fork)
    if whole.code:
        raise RuntimeError(whole.output)
    seconds = json.loads((folder / "undisturbed" / "demo" / "summary.json").read_text(encoding="utf-8"))["seconds"]
    expected = digests(folder / "undisturbed" / "demo")
    wrong = [f"undisturbed: {line}" for line in inconsistencies(folder / "undisturbed" / "demo")]
    print(f"undisturbed: {whole.seconds:.1f} s, {whole.transactions} transactions", flush=True)
    attempts: list[tuple[str, Attempt]] = []
    rounds = resumed = 0
    while sum(one.killed for _, one in attempts) < _KILLS.value:
        rounds += 1
        runs, at = folder / f"round-{rounds:03d}", 0
        for place in range(_KILLS_A_ROUND + 1):
            kind = _KINDS[len(attempts) % len(_KINDS)] if place < _KILLS_A_ROUND else "none"
            moment = _moment(kind, moments, whole, seconds, at)
            one = attempt(runs, moment, start=fork)
            attempts.append((kind, one))
            wrong += [f"{runs.name}: half a version {version}" for version in one.halves]
            summary = runs / "demo" / "summary.json"
            if summary.exists():
                json.loads(summary.read_text(encoding="utf-8"))
            if one.components:
                at = whole.components.index(one.components[-1])
            how = "killed at" if one.killed else "ended at"
            print(f"{runs.name}: {kind}, {one.seconds:.1f} s, {how} {one.at}", flush=True)
            if not one.killed:
                break
        if one.code:
            wrong.append(f"{runs.name}: exit code {one.code}: {one.output[-500:]}")
        else:
            wrong += [f"{runs.name}: {line}" for line in inconsistencies(runs / "demo")]
            wrong += [f"{runs.name}: differs in {name}" for name in differences(expected, digests(runs / "demo"))]
            result = json.loads(summary.read_text(encoding="utf-8"))
            resumed += result["training"]["resumed_from_step"] > 0
        for line in wrong:
            print(line, flush=True)
        if not any(line.startswith(runs.name) for line in wrong):
            shutil.rmtree(runs)
    _report(attempts, rounds, resumed, wrong)
    if wrong:
        sys.exit(f"{len(wrong)} differences; see {folder}")
    shutil.rmtree(folder)


def _moment(
    kind: str, moments: random.Random, whole: Attempt, seconds: dict[str, float], at: int
) -> Callable[[Look], bool]:
    """A moment of a kind, for a run whose component number ``at`` is the first that is not finished.

    Args:
      kind: see the table.
      moments: draws it.
      whole: the undisturbed run.
      seconds: of its components.
      at: see above.
    """
    if kind == "uniform":
        return after(moments.uniform(0, whole.seconds - sum(seconds[name] for name in whole.components[:at])))
    if kind == "outputs":
        component = moments.choice(whole.components[at : at + 2])
        return while_writing(component, moments.expovariate(1.0))
    if kind == "metadata":
        # Fewer than there are: not all are seen, and of what is finished there are fewer.
        return in_transaction(moments.randint(1, whole.transactions // 2))
    return lambda _: False


def _report(attempts: list[tuple[str, Attempt]], rounds: int, resumed: int, wrong: list[str]) -> None:
    kills = collections.Counter((one.at, kind) for kind, one in attempts if one.killed)
    components = dict.fromkeys(name for _, one in attempts for name in one.components)
    places = [name for name in ("start-up", *components, "summary") if any(place == name for place, _ in kills)]
    rows = [
        [place, *(kills[place, kind] for kind in _KINDS), sum(kills[place, kind] for kind in _KINDS)]
        for place in places
    ]
    totals = [sum(row[column] for row in rows) for column in range(1, len(_KINDS) + 2)]
    header = ["killed at", *_KINDS, "kills"]
    for row in (header, ["---"] * len(header), *rows, ["all", *totals]):
        print(f"| {' | '.join(map(str, row))} |")
    figures = {"kills": totals[-1], "rounds": rounds, "trainings resumed": resumed, "differences": len(wrong)}
    print(", ".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    app.run(main)

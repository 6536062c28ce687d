"""The trainings of a run, and TensorBoard on their logs."""

import contextlib
import dataclasses
import datetime
import errno
import json
import pathlib
import socket
import sys

from common.files import TRAINING_FILE

_IMAGES = 1000  # of a tag that it keeps, one a validation; it would keep ten, chosen at random


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of a run.

    Attributes:
      number: of its execution, which names its folder.
      began: when it wrote its first log, in local time.
      steps, best_step, session_auc: at its end; None of a training that goes on, or was ended before.
    """

    number: int
    began: datetime.datetime
    steps: int | None = None
    best_step: int | None = None
    session_auc: float | None = None

    def __str__(self):
        at = f"training {self.number}, {self.began:%Y-%m-%d %H:%M:%S}"
        if self.steps is None:
            return f"{at}: not finished"
        return f"{at}: {self.steps:,} steps, the best of them {self.best_step:,}, session AUC {self.session_auc:.4f}"


def logs_of(run: pathlib.Path) -> pathlib.Path:
    """The folder of all trainings' logs, a folder for each: Trainer's artifacts `model_run`."""
    return run / "artifacts" / "Trainer" / "model_run"


def list_trainings(run: pathlib.Path) -> list[Training]:
    """The trainings of the run in a folder that have written logs, the newest last."""
    found = []
    for folder in logs_of(run).glob("[0-9]*"):
        events = [path.stat().st_mtime for path in folder.glob("*/*tfevents*")]
        if folder.name.isdigit() and events:
            result = {}
            with contextlib.suppress(OSError, ValueError):  # there at the end, and whole a moment later
                result = json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
            of_it = {name: result.get(name) for name in ("steps", "best_step", "session_auc")}
            found.append(Training(int(folder.name), datetime.datetime.fromtimestamp(min(events)), **of_it))
    return sorted(found, key=lambda training: training.number)


def refusal(host: str, port: int) -> str | None:
    """Why a port cannot be opened; None if it can."""
    try:
        [(family, *_, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"--port={port} is taken by another program. Give another, as --port={port + 1}; 0 takes a free one"
        return f"--host={host} --port={port} cannot be opened: {error.strerror}"
    return None


def command(run: pathlib.Path, host: str, port: int) -> list[str]:
    """The command line of TensorBoard on all trainings of a run, later ones included: it looks for new logs by itself.

    Args:
      run: the run's folder.
      host: the address of this machine where the port opens.
      port: 0 for one that is free.
    """
    # The fast reader is a program of its own, which TensorBoard calls experimental.
    options = [f"--host={host}", f"--port={port}", "--load_fast=false", f"--samples_per_plugin=images={_IMAGES}"]
    return [sys.executable, "-m", "tensorboard.main", f"--logdir={logs_of(run).resolve()}", *options]

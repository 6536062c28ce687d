"""tensorboard: show the trainings of a run in TensorBoard."""

import argparse
import contextlib
import dataclasses
import datetime
import errno
import json
import os
import pathlib
import socket
import sys

from common.files import TRAINING_FILE
from pipeline.model_names import node_id
from pipeline.verbs.parser import Parser, Refused, add_run_flags, add_server_flags, load

_IMAGES = 1000  # images kept of a tag, which has one a validation; TensorBoard's default is 10 random ones
# TensorBoard would show log lines of TensorFlow and warnings of Python, and Keras would write to the home directory.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "KERAS_HOME": os.devnull}


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.description += " It shows losses, gates, experts and embeddings."
    add_run_flags(parser)
    add_server_flags(parser, 6006, "")


def tensorboard(flags: argparse.Namespace) -> None:
    """Becomes TensorBoard."""
    config, _ = load(flags, needs_log=False)
    run = pathlib.Path(flags.runs) / config.name
    if not run.is_dir():
        raise Refused(f"{run}: there is no such run. `make run CONFIG={flags.config}` makes it")
    trainings = _list_trainings(run)
    if not trainings:
        raise Refused(f"{run}: nothing was trained yet. `make run CONFIG={flags.config}` trains")
    if refused := _refusal(flags.host, flags.port):
        raise Refused(f"tensorboard: {refused}")
    for training in trainings:
        print(training)
    print("TensorBoard shows each training by its number, the newest last.", flush=True)
    arguments = _command(run, flags.host, flags.port)
    os.execve(arguments[0], arguments, os.environ | _QUIET)


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of a run.

    Attributes:
      number: the number of its execution, which names its folder.
      began: the time of its first log, in local time.
      steps, best_step, session_auc: its results; None if the training has not finished.
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


def _logs_of(run: pathlib.Path) -> pathlib.Path:
    """The folder of all trainings' logs, a folder for each: Trainer's artifacts `model_run`."""
    return run / "artifacts" / node_id("Trainer") / "model_run"


def _list_trainings(run: pathlib.Path) -> list[Training]:
    """The trainings of a run that have written logs, the newest last."""
    found = []
    for folder in _logs_of(run).glob("[0-9]*"):
        events = [path.stat().st_mtime for path in folder.glob("*/*tfevents*")]
        if folder.name.isdigit() and events:
            result = {}
            with contextlib.suppress(OSError, ValueError):  # the file is missing or not whole yet
                result = json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
            of_it = {name: result.get(name) for name in ("steps", "best_step", "session_auc")}
            found.append(Training(int(folder.name), datetime.datetime.fromtimestamp(min(events)), **of_it))
    return sorted(found, key=lambda training: training.number)


def _refusal(host: str, port: int) -> str | None:
    """Why the port cannot be opened; None if it can."""
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


def _command(run: pathlib.Path, host: str, port: int) -> list[str]:
    """The command line of TensorBoard on all trainings of a run; it also finds later trainings.

    Args:
      run: the run's folder.
      host: the address of this machine where the port opens.
      port: the port; 0 for a free one.
    """
    # Without the fast reader, a program of its own that TensorBoard calls experimental.
    options = [f"--host={host}", f"--port={port}", "--load_fast=false", f"--samples_per_plugin=images={_IMAGES}"]
    return [sys.executable, "-m", "tensorboard.main", f"--logdir={_logs_of(run).resolve()}", *options]

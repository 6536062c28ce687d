"""Starts the workers of a training on this machine, and starts them again from the last checkpoint when one dies."""

import contextlib
import json
import logging
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

from common.progress import progress

# The worker's end of the pipe for lines of progress; in the environment of a process that is to train.
PROGRESS = "AISLERANK_PROGRESS"
JOB_FILE = "job.json"
# `FAILED`: exit code of a worker whose error a retry cannot fix. `LOST`: exit code of a worker that lost its peers.
FAILED, LOST = 1, 75
# What a worker process runs. It is started by name: this room imports nothing of models.training.
_PROGRAM = "models.training.worker"
_PROJECT = pathlib.Path(__file__).resolve().parents[2]
_RESTARTS = 3
_LOG_LINES = 30
_SECONDS_BETWEEN_POLLS = 0.2
_SECONDS_TO_READ = 10.0  # what a worker said before it died


class WorkerFailed(RuntimeError):
    """A worker died more often than it is started again; the message holds the end of its log."""


def train_on_workers(job: dict, folder: str, workers: int, fault: type[Exception]) -> None:
    """Trains in processes of their own, of which the chief saves the model.

    TensorFlow must be told of a cluster before it computes anything, and this process may have used it already. With
    TF_CONFIG in the environment the one process is started whose task this is, and the others of the cluster are those
    of other machines. Without it, ``workers`` are started here.

    Args:
      job: what each worker reads, as JSON.
      folder: of the job's file and the workers' logs; all machines share it.
      workers: how many processes to start without TF_CONFIG.
      fault: see `supervise`.

    Raises:
      WorkerFailed, or ``fault``: see `supervise`.
    """
    file = pathlib.Path(folder) / JOB_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(job), encoding="utf-8")
    unfinished.rename(file)
    if os.environ.get("TF_CONFIG"):
        progress.info("the other workers of the cluster are started with `python -m %s %s`", _PROGRAM, file)
    try:
        supervise(str(file), [json.loads(os.environ["TF_CONFIG"])] if os.environ.get("TF_CONFIG") else workers, fault)
    finally:
        file.unlink()


def supervise(job: str, clusters: int | list[dict], fault: type[Exception]) -> None:
    """Runs the workers of a job until it is done.

    Args:
      job: the file.
      clusters: the TF_CONFIG of each worker that is started here, or how many workers the cluster shall have, all here.
      fault: raised with a worker's message if the worker reports, at level CRITICAL, that the training must not go on.

    Raises:
      WorkerFailed: if a worker fails by itself, or dies once more after three restarts.
    """
    for restart in range(_RESTARTS + 1):
        # Ports of their own each time: those of the last attempt may not be free yet.
        configs = _local_cluster(clusters) if isinstance(clusters, int) else clusters
        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(_Worker(job, config, anew=not restart)) for config in configs]
            dead = _first_dead(workers)
        if dead is None:
            return
        if dead.fault:
            raise fault(dead.fault)
        if dead.code == FAILED or restart == _RESTARTS:
            break
        progress.warning(
            "%s died (%s); all start again from the last checkpoint, restart %d of %d",
            dead.name,
            dead.how_it_ended,
            restart + 1,
            _RESTARTS,
        )
    raise WorkerFailed(f"{dead.name} died ({dead.how_it_ended}). The end of its log, {dead.log}:\n{dead.end_of_log()}")


def wait_for(job: str) -> None:
    """Waits until there is such a file."""
    if not os.path.exists(job):
        progress.info("waiting for %s, which the Trainer writes", job)
    while not os.path.exists(job):
        time.sleep(_SECONDS_BETWEEN_POLLS)


def _local_cluster(workers: int) -> list[dict]:
    """The TF_CONFIG of each worker of a cluster on ports of this machine that are free."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(workers)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    return [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(workers)]


def _first_dead(workers: list["_Worker"]) -> "_Worker | None":
    """Waits for the first worker that dies, or for the first of the list to finish.

    Of several that died, one that was killed comes first, then one that failed: the others will have died of that.
    """
    while True:
        codes = [worker.process.poll() for worker in workers]
        if codes[0] == 0:  # the chief, if it is here, ends last: it saves
            return None
        if any(codes):
            time.sleep(_SECONDS_BETWEEN_POLLS)  # for those that died of the same
            dead = [worker for worker in workers if worker.process.poll()]
            return min(dead, key=lambda worker: (worker.code > 0, worker.code != FAILED))
        time.sleep(_SECONDS_BETWEEN_POLLS)


class _Worker:
    """A process that trains; the one that starts it shows the first one's progress, and takes it along when it dies.

    Args:
      job: the file.
      config: its TF_CONFIG.
      anew: whether its log is that of a new training, not that of a restart.

    Attributes:
      process: of it.
      fault: its report that the training must not go on, a line of progress at level CRITICAL; None until then.
    """

    def __init__(self, job: str, config: dict, anew: bool):
        task = config["task"]
        self.name = f"{task['type']} {task['index']}"
        self.log = pathlib.Path(job).parent / f"{task['type']}-{task['index']}.log"
        self._job, self._config = os.path.abspath(job), config
        self._shows = task["index"] == 0
        self._mode = "wb" if anew else "ab"

    def __enter__(self):
        reader, writer = os.pipe()
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH")])),
            "TF_CONFIG": json.dumps(self._config),
            PROGRESS: str(writer),
        }
        with self.log.open(self._mode) as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM, self._job],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
            )
        os.close(writer)
        self.fault = None
        self._reading = threading.Thread(target=self._show, args=[reader], daemon=True)
        self._reading.start()
        return self

    def __exit__(self, *_):
        self.process.kill()  # one that waits for a dead one would wait for minutes
        self.process.wait()
        self._reading.join(timeout=_SECONDS_TO_READ)
        self.process.stdin.close()

    def _show(self, reader: int) -> None:
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                with contextlib.suppress(ValueError):  # cut by its end
                    level, message, fields = json.loads(line)
                    if level >= logging.CRITICAL:
                        self.fault = message
                    elif self._shows:
                        progress.log(level, "%s", message, extra=fields)

    @property
    def code(self) -> int:
        """Its exit code; negative for a signal."""
        return self.process.returncode

    @property
    def how_it_ended(self) -> str:
        """In words."""
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"

    def end_of_log(self) -> str:
        """Its last lines."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])

"""Starts the pipeline in a process of its own, looks at its folder all the time, and kills it at a chosen moment."""

import contextlib
import dataclasses
import fcntl
import multiprocessing
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Mapping

from tests.run_state import sizes

_ROOT = pathlib.Path(__file__).resolve().parent.parent
# The demo made small, with a training of several validations, that is, checkpoints; and with `few_features`.
_LEFT_OUT = ("history_item", "history_brand", "shop", "sales", "rating", "age_days", "purchase")
SETS = (
    "simulate.rows=8000",
    "train.epochs=2",
    "train.validations_per_epoch=4",
    "train.patience=99",
    "model.experts=4",
    "model.top_k=2",
    "evaluation.min_session_auc=0.2",
    "evaluation.max_calibration_error=null",  # of a training as short as this
    "report.enabled=false",  # it holds times, which differ
)
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
# Of the plain lines, and of the list on a terminal.
_STARTED = re.compile(r"(?:^\[\d+/\d+\]|▶) (\w+)", re.MULTILINE)
_FINISHED = re.compile(r"^    done: ", re.MULTILINE)
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_COLUMNS, _LINES = 60, 24  # of the terminal
_LOOK_SECONDS = 0.005  # often enough to meet a push at work, and no core is busy with it


@dataclasses.dataclass
class Attempt:
    """One start of the command.

    Attributes:
      killed: whether it was, before it came to its end.
      at: the component that was at work; "start-up", or "summary" after the last.
      seconds: how long it ran.
      code: its exit code.
      halves: versions that a server would have found half-written.
      transactions: how many of ML Metadata's were seen.
      components: in the order in which they were started.
      output: what it printed.
    """

    killed: bool
    at: str
    seconds: float
    code: int
    halves: list[str]
    transactions: int
    components: list[str]
    output: str


def new_process(arguments: list[str], environment: Mapping[str, str], out: str) -> subprocess.Popen:
    """Starts ``python -m pipeline``, its output going to the file ``out``, with a process group of its own."""
    with open(out, "wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=_ROOT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def fork(
    arguments: list[str],
    environment: Mapping[str, str],
    out: str,
    err: str | None = None,
    folder: str | os.PathLike = _ROOT,
) -> "_Fork":
    """As `new_process`, from a process that has imported all and done nothing: imports are a third of a small run.

    Args:
      arguments, environment, out: as of `new_process`.
      err: a file for what goes to standard error, if not ``out``.
      folder: to work in.
    """
    return _Fork(arguments, environment, out, err, folder)


class _Fork:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(
        ["pipeline.__main__", "pipeline.runners.local", "pipeline.summary", "pipeline.scoring.runner"]
    )

    def __init__(self, *arguments):
        self._process = self._context.Process(target=_run_pipeline, args=arguments)
        self._process.start()
        self.pid = self._process.pid
        self.at_end = lambda: None

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode

    @property
    def returncode(self) -> int:
        return self._process.exitcode


def fork_on_terminal(arguments: list[str], environment: Mapping[str, str], out: str) -> "_Fork":
    """As `fork`, on a narrow terminal of its own; what is written to that goes to the file ``out``."""
    keyboard, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    process = fork(arguments, {"TERM": "xterm", **environment}, os.ttyname(terminal))

    def copy() -> None:
        with open(out, "wb", buffering=0) as file, contextlib.suppress(OSError):  # EIO: all who wrote to it are gone
            while data := os.read(keyboard, 1 << 16):
                file.write(data)

    copying = threading.Thread(target=copy, daemon=True)
    copying.start()
    process.at_end = lambda: (os.close(terminal), copying.join())
    return process


def _run_pipeline(arguments: list[str], environment: Mapping[str, str], out: str, err: str | None, folder: str) -> None:
    from pipeline.__main__ import main  # not with this module: its flags are only for who runs it

    os.setsid()
    os.chdir(folder)
    os.environ.update(environment)
    for path, descriptor in ((out, 1), (err or out, 2)):
        # After setsid: if it is a terminal, it is the one of this process.
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), descriptor)
    sys.argv = ["pipeline", *arguments]
    main()


def _kill(process: int, number: int) -> bool:
    try:
        os.killpg(process, number)
    except ProcessLookupError:  # has not begun its group, or has come to its end
        return False
    return True


def attempt(
    runs: pathlib.Path,
    moment: Callable[["Look"], bool] = lambda _: False,
    number: int = signal.SIGKILL,
    *,
    sets: tuple[str, ...] = SETS,
    data: str | None = None,
    environment: Mapping[str, str] = ONE_THREAD,
    start: Callable = new_process,
) -> Attempt:
    """Starts the command and kills its process group when ``moment``, asked all the time, says so.

    Args:
      runs: the folder of runs.
      moment: see `Look`.
      number: the signal.
      sets: overrides of the demo's configuration.
      data: the log's folder; a simulated one unless given.
      environment: beside that of this process.
      start: `new_process`, `fork` or `fork_on_terminal`.
    """
    runs.mkdir(parents=True, exist_ok=True)
    sets = (*sets, f"schema={few_features(runs)}")
    flags = [f"--runs={runs}", *(f"--set={one}" for one in sets), *([f"--data={data}"] if data else [])]
    began = time.monotonic()
    with tempfile.NamedTemporaryFile("r+") as out:
        process = start(["run", *flags], {"TF_CPP_MIN_LOG_LEVEL": "3", **environment}, out.name)
        look, killed = Look(runs / "demo"), False
        try:
            while process.poll() is None:
                if not killed and moment(look.again()):
                    killed = _kill(process.pid, number)
                time.sleep(_LOOK_SECONDS)
        finally:
            if process.poll() is None:
                _kill(process.pid, signal.SIGKILL)
        if isinstance(process, _Fork):
            process.at_end()
        text = out.read()
    look.again()
    plain = _CONTROLS.sub("", text)
    started = list(_STARTED.finditer(plain))
    at = started[-1][1] if started else "start-up"
    if at == "RankerPusher" and _FINISHED.search(plain, started[-1].end()):
        at = "summary"
    return Attempt(
        killed,
        at,
        time.monotonic() - began,
        process.returncode,
        look.halves,
        look.transactions,
        list(dict.fromkeys(match[1] for match in started)),
        text,
    )


def few_features(folder: pathlib.Path) -> pathlib.Path:
    """The demo's schema without some features, written into a folder: most of a small run is the making of graphs."""
    head, *features = (_ROOT / "schemas" / "demo.pbtxt").read_text(encoding="utf-8").split("\nfeature {")
    kept = [one for one in features if not any(f'name: "{name}"' in one for name in _LEFT_OUT)]
    path = folder / "few-features.pbtxt"
    path.write_text("\nfeature {".join([head, *kept]), encoding="utf-8")
    return path


class Look:
    """What is to be seen of a run from outside.

    Attributes:
      folder: the run's.
      seconds: since it was started.
      transactions: of ML Metadata, seen so far.
      in_transaction: whether one is open.
      halves: versions in the serving folder that had not all files when they were first seen.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.transactions, self.in_transaction, self.halves = 0, False, []
        self._began = time.monotonic()
        self._journal, self._serving = folder / "metadata.sqlite-journal", folder / "serving" / "ranker"
        self._seen = set(self._versions())

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def again(self) -> "Look":
        """Looks again."""
        open_now = self._journal.exists()
        self.transactions += open_now and not self.in_transaction
        self.in_transaction = open_now
        for version in set(self._versions()) - self._seen:
            self._seen.add(version)
            there = sizes(self._serving / version)
            models = [sizes(path) for path in self.folder.glob("artifacts/RankerTrainer/model/*/Format-Serving")]
            if there not in models:
                self.halves.append(version)
        return self

    def outputs_of(self, component: str) -> set[str]:
        """The folders of a component's outputs."""
        return {str(path) for path in self.folder.glob(f"artifacts/{component}/*/[0-9]*")}

    def _versions(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._serving) if name.isdigit()]
        except FileNotFoundError:
            return []


def after(seconds: float) -> Callable[[Look], bool]:
    """The moment so many seconds after the start."""
    return lambda look: look.seconds >= seconds


def while_writing(component: str, delay: float) -> Callable[[Look], bool]:
    """The moment so many seconds after a component has made a new folder for its outputs."""
    before, since = None, None

    def moment(look: Look) -> bool:
        nonlocal before, since
        there = look.outputs_of(component)
        before = there if before is None else before & there
        if since is None and there - before:
            since = look.seconds
        return since is not None and look.seconds >= since + delay

    return moment


def later(moment: Callable[[Look], bool], delay: float) -> Callable[[Look], bool]:
    """The moment so many seconds after another."""
    since = None

    def after_it(look: Look) -> bool:
        nonlocal since
        if since is None and moment(look):
            since = look.seconds
        return since is not None and look.seconds >= since + delay

    return after_it


def in_transaction(number: int) -> Callable[[Look], bool]:
    """The moment when ML Metadata's transaction of this number is open."""
    return lambda look: look.in_transaction and look.transactions >= number


def once_there(*patterns: str) -> Callable[[Look], bool]:
    """The moment when the run's folder has a file of each pattern."""
    return lambda look: all(any(look.folder.glob(pattern)) for pattern in patterns)

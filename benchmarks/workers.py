"""Programs that are measured in turns, each in a process of its own."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence

from absl import flags

THREADS = flags.DEFINE_integer("threads", 2, "Cores that a program may use, and TensorFlow's operations at a time.")
REPETITIONS = flags.DEFINE_integer("repetitions", 5, "Rounds that count; the table shows medians.")
DEVICE = flags.DEFINE_enum("device", "cpu", ["cpu", "gpu"], "What TensorFlow computes on.")

_ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Program:
    """One that is measured, in a process of its own: thread pools and memory are not shared.

    Attributes:
      name: as it stands in the table.
      module: run with ``python -m``; calls `answer`.
      settings: its one argument, as JSON.
      python: the interpreter.
    """

    name: str
    module: str
    settings: dict
    python: str = sys.executable


def interleaved(
    programs: Sequence[Program], repetitions: int, log: pathlib.Path, discard: int = 1
) -> dict[str, dict[str, list[float]]]:
    """Measures all programs in turns, A B C A B C, so that a disturbance of the machine meets all of them.

    The first round, in which graphs are traced and caches fill, is thrown away.

    Args:
      programs: with names of their own.
      repetitions: rounds that count.
      log: the file that takes what the workers say.
      discard: rounds that are thrown away.

    Returns:
      by program and figure, a value a round.

    Raises:
      RuntimeError: naming the program that failed and the log.
    """
    figures: dict[str, dict[str, list[float]]] = {program.name: {} for program in programs}
    with contextlib.ExitStack() as stack:
        workers = {program.name: stack.enter_context(_Worker(program, log)) for program in programs}
        for turn in range(repetitions + discard):
            for name, worker in workers.items():
                for figure, value in worker.measure().items():
                    if turn >= discard:
                        figures[name].setdefault(figure, []).append(value)
    return figures


def median_figures(figures: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """The median of each program's figures."""
    return {
        program: {figure: statistics.median(values) for figure, values in of_program.items()}
        for program, of_program in figures.items()
    }


def machine_settings() -> dict:
    """The settings ``threads`` and ``device`` of a program, as the flags say."""
    return {"threads": THREADS.value, "device": DEVICE.value}


def answer(prepare: Callable[[dict], Callable[[], dict[str, float]]]) -> None:
    """A worker's main: after ``prepare(settings)``, measures once for each line on standard input and answers in JSON.

    `settings["threads"]`, if given, is also the number of cores that the process may use; and `settings["device"]` what
    TensorFlow computes on.

    Raises:
      RuntimeError: if that is a GPU and there is none.
    """
    settings = json.loads(sys.argv[1])
    if "threads" in settings and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: settings["threads"]])
    if "device" in settings:
        _use_device(settings["device"])
    measure = prepare(settings)
    with os.fdopen(int(sys.argv[2]), "w", buffering=1) as answers:
        for _ in sys.stdin:
            answers.write(json.dumps(measure()) + "\n")


def use_threads(settings: dict) -> None:
    """Pins TensorFlow's thread pools: ``threads`` operations at a time, each by ``threads_an_operation`` (``threads``).

    To be called before TensorFlow computes anything.
    """
    import tensorflow as tf  # Only the workers need it.

    tf.config.threading.set_intra_op_parallelism_threads(settings.get("threads_an_operation", settings["threads"]))
    tf.config.threading.set_inter_op_parallelism_threads(settings["threads"])


def _use_device(device: str) -> None:
    import tensorflow as tf  # Only the workers need it.

    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif not tf.config.list_physical_devices("GPU"):
        raise RuntimeError("--device gpu: TensorFlow sees no GPU on this machine")


class _Worker:
    def __init__(self, program: Program, log: pathlib.Path):
        self._program, self._log_path = program, log

    def __enter__(self):
        self._log = self._log_path.open("a", encoding="utf-8")
        # A pipe of its own for the answers: libraries print on standard output, too.
        reader, writer = os.pipe()
        program = self._program
        self._process = subprocess.Popen(
            [program.python, "-m", program.module, json.dumps(program.settings), str(writer)],
            cwd=_ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[writer],
            text=True,
            bufsize=1,
        )
        os.close(writer)
        self._answers = os.fdopen(reader, encoding="utf-8")
        return self

    def measure(self) -> dict[str, float]:
        """One repetition."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the benchmark's program {self._program.name!r} ended early; see {self._log_path}")
        return json.loads(line)

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGKILL)  # It has nothing to put in order, and TensorFlow ends slowly.
        self._process.wait()
        self._answers.close()
        self._log.close()

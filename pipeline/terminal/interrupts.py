"""SIGINT and SIGTERM end the process at once; the terminal stays usable, and a message names the command to go on."""

import os
import shlex
import signal
import sys
import threading

from pipeline.terminal.display import Display

_ENDING = (signal.SIGINT, signal.SIGTERM)
_SECONDS_FOR_THE_SCREEN = 2.0  # how long to wait for a thread that writes to the screen


def end_by_signal(display: Display, error: int) -> None:
    """Makes SIGINT and SIGTERM end the process with the exit code 128 + signal. Call it in the main thread.

    The end is as abrupt as by SIGKILL, and the next run repairs what it leaves. An exception would not do: Beam would
    take it for an error of the component, and the threads of Beam and TensorFlow would run on for minutes. The end
    does not wait for the main thread, which may be inside TensorFlow. A second signal ends the process without a
    message.

    Args:
      display: the display to stop.
      error: the file descriptor of the real stderr.
    """
    descriptor, command = os.dup(error), _this_command()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _ENDING:
        signal.signal(number, lambda *_: None)  # Python's own handler would raise

    def end(number: int) -> None:
        try:
            message = how_to_go_on(display, number, command)
            if display.showing.acquire(timeout=_SECONDS_FOR_THE_SCREEN):
                display.stop()
            os.write(descriptor, message.encode())
        finally:
            os._exit(128 + number)

    def wait() -> None:
        ended = False
        while True:
            number = os.read(reader, 1)[0]
            if number in _ENDING and ended:
                os._exit(128 + number)
            if number in _ENDING:
                ended = True
                threading.Thread(target=end, args=[number], daemon=True).start()

    threading.Thread(target=wait, daemon=True).start()


def how_to_go_on(display: Display, number: int, command: str) -> str:
    """The message after a signal: the stopped step, what is kept, and the command to go on."""
    step = display.at_work
    steps = [one for one in display.steps if one.began is not None or one.outcome is None]  # without those left out
    finished = [one for one in steps if one.outcome is not None]
    said = [f"{signal.Signals(number).name}: interrupted{f', {step.name} was at work' if step else ''}."]
    if finished:
        said.append(f"What is finished is kept: {len(finished)} of {len(steps)}.")
    if step:
        said.append(f"{step.name} goes on from {step.kept}." if step.kept else f"{step.name} will begin anew.")
    return f"{' '.join(said)}\nThe same command goes on from here:\n    {command}\n"


def _this_command() -> str:
    return shlex.join([sys.orig_argv[0], "-m", "pipeline", *sys.argv[1:]])

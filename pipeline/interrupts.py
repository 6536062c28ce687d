"""SIGINT and SIGTERM: the process ends at once, with the screen in order, and says how to go on."""

import os
import shlex
import signal
import sys
import threading
import typing

if typing.TYPE_CHECKING:
    from pipeline.display import Display

_ENDING = (signal.SIGINT, signal.SIGTERM)
_SECONDS_FOR_THE_SCREEN = 2.0  # for who is just writing to it


def end_by_signal(display: "Display", error: int) -> None:
    """Ends the process at SIGINT and SIGTERM with 128 and the signal's number; to be called in the main thread.

    As abruptly as SIGKILL would, which leaves nothing that the next run does not mend. An exception would be taken by
    Beam for one of the component's own, and the threads of Beam and TensorFlow would keep the process for minutes. It
    does not wait for the main thread either, which may be in TensorFlow for long. The second signal ends it without
    another word.

    Args:
      display: what shows something; it is stopped.
      error: the descriptor of the real stderr.
    """
    descriptor, command = os.dup(error), _this_command()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _ENDING:
        signal.signal(number, lambda *_: None)  # Python's own would raise

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


def how_to_go_on(display: "Display", number: int, command: str) -> str:
    """What was stopped by a signal, what is kept, and the command that goes on."""
    step = display.at_work
    steps = [one for one in display.steps if one.began is not None or one.outcome is None]  # none that is left out
    finished = [one for one in steps if one.outcome is not None]
    said = [f"{signal.Signals(number).name}: interrupted{f', {step.name} was at work' if step else ''}."]
    if finished:
        said.append(f"What is finished is kept: {len(finished)} of {len(steps)}.")
    if step:
        said.append(f"{step.name} goes on from {step.kept}." if step.kept else f"{step.name} will begin anew.")
    return f"{' '.join(said)}\nThe same command goes on from here:\n    {command}\n"


def _this_command() -> str:
    return shlex.join([sys.orig_argv[0], "-m", "pipeline", *sys.argv[1:]])

"""tensorboard: show the trainings of a run in TensorBoard."""

import os
import pathlib

from pipeline.verbs.common import CONFIG, DATA, HOST, PORT, RUNS, SET, Refused

_DEFAULT_PORT = 6006
# It reads files by TensorFlow, whose remarks nobody asked for, imports what Python warns of, and Keras with it, which
# would keep a file of settings in the home directory.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "KERAS_HOME": os.devnull}


def tensorboard() -> None:
    """Becomes TensorBoard."""
    from pipeline.config import ConfigError, load_config
    from pipeline.tensorboard import command, list_trainings, refusal

    try:
        config, _ = load_config(CONFIG.value, SET.value, DATA.value, needs_log=False)
    except ConfigError as error:
        raise Refused(str(error)) from error
    run = pathlib.Path(RUNS.value) / config.name
    if not run.is_dir():
        raise Refused(f"{run}: there is no such run. `make run CONFIG={CONFIG.value}` makes it")
    trainings = list_trainings(run)
    if not trainings:
        raise Refused(f"{run}: nothing was trained yet. `make run CONFIG={CONFIG.value}` trains")
    port = _DEFAULT_PORT if PORT.value is None else PORT.value
    if refused := refusal(HOST.value, port):
        raise Refused(f"tensorboard: {refused}")
    for training in trainings:
        print(training)
    print("TensorBoard shows each by its number, the newest last.", flush=True)
    arguments = command(run, HOST.value, port)
    os.execve(arguments[0], arguments, os.environ | _QUIET)

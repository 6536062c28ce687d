"""serve: serve the newest pushed model over gRPC and REST."""

import os
import pathlib
import shlex

from absl import flags

from pipeline.verbs.common import CONFIG, DATA, HOST, PORT, RUNS, SET, Refused

_BACKEND = flags.DEFINE_enum(
    "backend",
    "auto",
    ["auto", "tensorflow_model_server", "docker", "development"],
    "By what; auto takes TF Serving if it is on PATH, its image where docker runs, or the development server.",
)
_DEFAULT_PORT = 8500
_REST_PORT = flags.DEFINE_integer("rest_port", 8501, "serve: REST's port.", lower_bound=0)


def serve() -> None:
    """Becomes the server."""
    from pipeline import serve as backends
    from pipeline.config import MODEL, ConfigError, load_config
    from serving.versions import versions_in

    try:
        config, _ = load_config(CONFIG.value, SET.value, DATA.value, needs_log=False)
    except ConfigError as error:
        raise Refused(str(error)) from error
    folder = pathlib.Path(RUNS.value) / config.name / "serving" / MODEL
    if not versions_in(folder):
        raise Refused(f"{folder}: holds no pushed version. `make run CONFIG={CONFIG.value}` trains and pushes one")
    backend = backends.available_backend() if _BACKEND.value == "auto" else _BACKEND.value
    port = _DEFAULT_PORT if PORT.value is None else PORT.value
    command = backends.command(backend, folder, HOST.value, port, _REST_PORT.value)
    print(shlex.join(command), flush=True)
    if backend == "tensorflow_model_server":
        print(
            "Its ports are open on all addresses of this machine, to callers whom nobody asks who they are.", flush=True
        )
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise Refused(f"{command[0]}: cannot be started: {error.strerror}") from error

"""serve: serve the newest pushed model, by TF Serving if this machine has it, else by the development server."""

import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

from pipeline.verbs.parser import Parser, Refused, add_run_flags, add_server_flags, load, number
from serving.cores import available_cores
from serving.versions import versions_in

IMAGE = "tensorflow/serving:2.15.1"  # the TensorFlow that the model was saved with
_CONFIG = pathlib.Path(__file__).parents[2] / "deploy" / "serving" / "config"
_DOCKER_SECONDS = 10


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    add_run_flags(parser)
    parser.add_argument(
        "--backend",
        choices=["auto", "tensorflow_model_server", "docker", "development"],
        default="auto",
        help="The server; auto takes TF Serving if it is on PATH, its image if docker runs, or the development server.",
    )
    add_server_flags(parser, 8500, "; tensorflow_model_server opens them on all addresses of the machine")
    parser.add_argument("--rest_port", type=number(int, 0), default=8501, help="The port of REST.")


def serve(flags: argparse.Namespace) -> None:
    """Becomes the server."""
    from pipeline.model_names import RANKER

    config, _ = load(flags, needs_log=False)
    folder = pathlib.Path(flags.runs) / config.name / "serving" / RANKER
    if not versions_in(folder):
        raise Refused(f"{folder}: holds no pushed version. `make run CONFIG={flags.config}` trains and pushes one")
    backend = _available_backend() if flags.backend == "auto" else flags.backend
    command = command_of(backend, folder, flags.host, flags.port, flags.rest_port)
    print(shlex.join(command), flush=True)
    if backend == "tensorflow_model_server":
        print("Its ports are open on all addresses of this machine, without authentication.", flush=True)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise Refused(f"{command[0]}: cannot be started: {error.strerror}") from error


def _available_backend() -> str:
    """The best server that this machine can run."""
    if shutil.which("tensorflow_model_server"):
        return "tensorflow_model_server"
    return "docker" if _docker_runs() else "development"


def command_of(backend: str, folder: pathlib.Path, host: str, port: int, rest_port: int) -> list[str]:
    """The command line of a server.

    Args:
      backend: "tensorflow_model_server", "docker" or "development".
      folder: the model's folder, whose name is the model's; it holds a folder for each version.
      host: the address where the ports open; tensorflow_model_server opens them on all addresses.
      port, rest_port: the ports of gRPC and of REST.
    """
    folder = folder.resolve()
    if backend == "development":
        ports = [f"--host={host}", f"--port={port}", f"--rest_api_port={rest_port}"]
        server = [sys.executable, "-m", "serving.development"]
        return [*server, f"--model_name={folder.name}", f"--model_base_path={folder}", *ports]
    # docs/deployment.md explains one thread an operation, and no batching.
    options = [
        f"--model_name={folder.name}",
        "--file_system_poll_wait_seconds=1",
        "--tensorflow_intra_op_parallelism=1",
        f"--tensorflow_inter_op_parallelism={available_cores()}",
    ]
    if backend == "tensorflow_model_server":
        places = [f"--model_base_path={folder}", f"--monitoring_config_file={_CONFIG / 'monitoring.config'}"]
        return ["tensorflow_model_server", f"--port={port}", f"--rest_api_port={rest_port}", *places, *options]
    volumes = [f"--volume={folder}:/models/{folder.name}:ro", f"--volume={_CONFIG}:/etc/serving:ro"]
    ports = [f"--publish={host}:{port}:8500", f"--publish={host}:{rest_port}:8501"]
    places = [f"--model_base_path=/models/{folder.name}", "--monitoring_config_file=/etc/serving/monitoring.config"]
    container = ["docker", "run", "--rm", "--init", *ports, *volumes, "--entrypoint=tensorflow_model_server", IMAGE]
    return [*container, "--port=8500", "--rest_api_port=8501", *places, *options]


def _docker_runs() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=_DOCKER_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False

"""Serves the newest pushed model: by TF Serving where there is one, else by the development server."""

import pathlib
import shutil
import subprocess
import sys

from pipeline.config import MODEL
from serving.cores import available_cores

IMAGE = "tensorflow/serving:2.15.1"  # the TensorFlow that the model was saved with
_CONFIG = pathlib.Path(__file__).parents[1] / "deploy" / "serving" / "config"
_DOCKER_SECONDS = 10


def available_backend() -> str:
    """What can run here: "tensorflow_model_server", else "docker", else "development"."""
    if shutil.which("tensorflow_model_server"):
        return "tensorflow_model_server"
    return "docker" if _docker_runs() else "development"


def command(backend: str, folder: pathlib.Path, host: str, port: int, rest_port: int) -> list[str]:
    """The command line of a server.

    Args:
      backend: one of those of `available_backend`.
      folder: of the model, with a folder for each version.
      host: the address of this machine where the ports open; TF Serving's binary opens them on all of them.
      port, rest_port: gRPC's and REST's.
    """
    folder = folder.resolve()
    if backend == "development":
        ports = [f"--host={host}", f"--port={port}", f"--rest_api_port={rest_port}"]
        server = [sys.executable, "-m", "serving.development"]
        return [*server, f"--model_name={MODEL}", f"--model_base_path={folder}", *ports]
    # docs/deployment.md tells why one thread an operation, and why no batching.
    options = [
        f"--model_name={MODEL}",
        "--file_system_poll_wait_seconds=1",
        "--tensorflow_intra_op_parallelism=1",
        f"--tensorflow_inter_op_parallelism={available_cores()}",
    ]
    if backend == "tensorflow_model_server":
        places = [f"--model_base_path={folder}", f"--monitoring_config_file={_CONFIG / 'monitoring.config'}"]
        return ["tensorflow_model_server", f"--port={port}", f"--rest_api_port={rest_port}", *places, *options]
    volumes = [f"--volume={folder}:/models/{MODEL}:ro", f"--volume={_CONFIG}:/etc/serving:ro"]
    ports = [f"--publish={host}:{port}:8500", f"--publish={host}:{rest_port}:8501"]
    places = [f"--model_base_path=/models/{MODEL}", "--monitoring_config_file=/etc/serving/monitoring.config"]
    container = ["docker", "run", "--rm", "--init", *ports, *volumes, "--entrypoint=tensorflow_model_server", IMAGE]
    return [*container, "--port=8500", "--rest_api_port=8501", *places, *options]


def _docker_runs() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=_DOCKER_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False

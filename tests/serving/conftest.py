"""A model of two versions, and the development server as a process of its own."""

import contextlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import pytest
import tensorflow as tf

from serving.client import GrpcClient, RestClient
from tests.models.conftest import SmallLog, export

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def dtypes_of(schema) -> dict[str, tf.DType]:
    """Of what a model takes, by name."""
    return {feature.name: {"bytes": tf.string, "float": tf.float32}[feature.dtype] for feature in schema.model_inputs}


@pytest.fixture(scope="session")
def versions(small_log: SmallLog, exported, tmp_path_factory) -> list[pathlib.Path]:
    """Two SavedModels of different weights."""
    return [exported, export(small_log, tmp_path_factory.mktemp("versions") / "2", seed=2)]


class Server(NamedTuple):
    process: subprocess.Popen
    folder: pathlib.Path  # of the model
    address: str  # gRPC's
    url: str

    def push(self, version: pathlib.Path, number: int) -> None:
        """As a Pusher does that copies first and renames then."""
        shutil.copytree(version, self.folder / f"{number}.unfinished")
        (self.folder / f"{number}.unfinished").rename(self.folder / str(number))

    def wait_for(self, number: int, state: str = "AVAILABLE", seconds: float = 300.0) -> None:
        client, end = RestClient(self.url), time.monotonic() + seconds
        while time.monotonic() < end:
            if client.status().get(number) == state:
                return
            time.sleep(0.02)
        raise TimeoutError(f"version {number} is not {state}: {client.status()}")


@contextlib.contextmanager
def serving(folder: pathlib.Path, *flags: str, first: tuple[pathlib.Path, int] | None = None):
    """The server of a folder, into which ``first``, a version and its number, is copied."""
    if first:
        shutil.copytree(first[0], folder / str(first[1]))
    arguments = ["--port=0", "--rest_api_port=0", "--file_system_poll_wait_seconds=0.05", *flags]
    command = [sys.executable, "-m", "serving.development", f"--model_base_path={folder}", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT, text=True)
        try:
            yield _started(process, folder, log)
        finally:
            running = process.poll() is None
            process.terminate()
            assert process.wait(120) == 0 or not running


def _started(process: subprocess.Popen, folder: pathlib.Path, log) -> Server:
    end = time.monotonic() + 300  # of a busy machine
    while time.monotonic() < end:
        ended = process.poll() is not None
        log.seek(0)
        text = log.read()
        if found := re.search(r"gRPC (\S+), REST (http://[^/]+)", text):
            return Server(process, folder, found[1], found[2])
        if ended:
            raise RuntimeError(text)
        time.sleep(0.05)
    raise TimeoutError(text)


@pytest.fixture(scope="session")
def server(versions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranker")
    with serving(folder, first=(versions[0], 1)) as running:
        yield running


@pytest.fixture(scope="session")
def grpc_client(server):
    return GrpcClient(server.address)


@pytest.fixture(scope="session")
def rest_client(server):
    return RestClient(server.url)

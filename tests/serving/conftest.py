"""A model of two versions, and the development server as a process of its own."""

import contextlib
import pathlib
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

import pytest
import tensorflow as tf

from models.config import ModelConfig
from models.export import ServedRanker
from models.ranker import Ranker
from models.requests import read_requests
from serving.client import GrpcClient, RestClient
from tests.models.conftest import SmallLog, small_log  # noqa: F401

PROJECT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def versions(small_log: SmallLog, tmp_path_factory) -> list[pathlib.Path]:  # noqa: F811
    """Two SavedModels of different weights."""
    folders = []
    for seed in (1, 2):
        tf.keras.utils.set_random_seed(seed)
        config = ModelConfig(variant="adv_hsc_moe", experts=6, top_k=2, hidden=[8], embedding_size=4)
        ranker = Ranker(small_log.schema, small_log.inputs, config)
        for batch in read_requests(small_log.valid_files, small_log.feature_spec, 8).take(1):
            ranker(batch)
        folders.append(tmp_path_factory.mktemp("versions") / str(seed))
        ServedRanker(ranker, small_log.transform_output, small_log.hierarchy, small_log.schema).save(str(folders[-1]))
    return folders


class Server(NamedTuple):
    process: subprocess.Popen
    folder: pathlib.Path  # of the model
    address: str  # gRPC's
    url: str

    def push(self, version: pathlib.Path, number: int) -> None:
        """As a Pusher does that copies first and renames then."""
        shutil.copytree(version, self.folder / f"{number}.unfinished")
        (self.folder / f"{number}.unfinished").rename(self.folder / str(number))

    def wait_for(self, number: int, seconds: float = 60.0) -> None:
        client, end = RestClient(self.url), time.monotonic() + seconds
        while time.monotonic() < end:
            if client.status().get(number) == "AVAILABLE":
                return
            time.sleep(0.02)
        raise TimeoutError(f"version {number} does not serve: {client.status()}")


@contextlib.contextmanager
def serving(folder: pathlib.Path, *flags: str):
    arguments = ["--port=0", "--rest_api_port=0", "--file_system_poll_wait_seconds=0.05", *flags]
    command = [sys.executable, "-m", "serving.development", f"--model_base_path={folder}", *arguments]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output = []
        for line in process.stdout:
            output.append(line)
            if found := re.search(r"gRPC (\S+), REST (http://[^/]+)", line):
                yield Server(process, folder, found[1], found[2])
                break
        else:
            raise RuntimeError("".join(output))
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture(scope="session")
def server(versions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranker")
    shutil.copytree(versions[0], folder / "1")
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="session")
def grpc_client(server):
    return GrpcClient(server.address)


@pytest.fixture(scope="session")
def rest_client(server):
    return RestClient(server.url)

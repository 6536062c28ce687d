import os
import pathlib
import re
import stat
import subprocess
import sys

import pytest
import yaml

from pipeline.verbs import serve
from tests.deploy.test_manifests import FLAGS

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def run(*flags: str, path: pathlib.Path | None = None) -> subprocess.CompletedProcess:
    environment = os.environ | ({"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else {})
    command = [sys.executable, "-m", "pipeline", "serve", *flags]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def pushed(tmp_path):
    """A runs folder in which something was pushed."""
    version = tmp_path / "runs" / "demo" / "serving" / "ranker" / "7"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    return tmp_path / "runs"


def program(folder: pathlib.Path, name: str, script: str) -> pathlib.Path:
    """A program of that name in a folder for PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(stat.S_IRWXU)
    return folder


@pytest.mark.parametrize("backend", ["tensorflow_model_server", "docker"])
def test_tf_serving_gets_flags_that_it_has(pushed, backend):
    folder = pushed / "demo" / "serving" / "ranker"
    command = serve.command_of(backend, folder, "127.0.0.1", 9000, 9001)
    server = command[command.index(serve.IMAGE) + 1 :] if backend == "docker" else command[1:]
    flags = dict(re.fullmatch("--([a-z_]+)=(.+)", flag).groups() for flag in server)
    assert set(flags) <= set(FLAGS.split())
    assert flags["model_name"] == "ranker"
    if backend == "docker":
        assert {"--publish=127.0.0.1:9000:8500", "--publish=127.0.0.1:9001:8501"} <= set(command)
        assert (flags["port"], flags["rest_api_port"], flags["model_base_path"]) == ("8500", "8501", "/models/ranker")
        assert f"--volume={folder}:/models/ranker:ro" in command
        compose = yaml.safe_load((PROJECT / "deploy" / "serving" / "compose.yaml").read_text())
        assert compose["services"]["serving"]["image"] == serve.IMAGE
    else:
        assert (flags["port"], flags["rest_api_port"], flags["model_base_path"]) == ("9000", "9001", str(folder))
        assert pathlib.Path(flags["monitoring_config_file"]).exists()


def test_the_binary_of_tf_serving_is_taken_where_it_is(pushed, tmp_path):
    path = program(tmp_path / "bin", "tensorflow_model_server", 'echo "this is it: $@"')
    process = run(f"--runs={pushed}", "--port=9000", path=path)
    assert process.returncode == 0
    assert "this is it: --port=9000" in process.stdout


@pytest.mark.parametrize(("status", "backend"), [(0, "docker"), (1, "development")])
def test_docker_is_taken_where_it_runs_and_else_the_development_server(monkeypatch, tmp_path, status, backend):
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "docker", f"exit {status}")))
    assert serve._available_backend() == backend


def test_nothing_pushed_and_unknown_backends_are_told(tmp_path, pushed):
    process = run(f"--runs={tmp_path / 'none'}")
    assert process.returncode == 2
    assert re.search("holds no pushed version. `make run CONFIG=.*demo.yaml` trains and pushes one", process.stderr)
    process = run(f"--runs={pushed}", "--backend=triton")
    assert process.returncode != 0
    assert "triton" in process.stderr
    process = run(f"--runs={pushed}", "--backend=development")
    assert process.returncode == 1
    assert re.search("ranker/7: cannot be loaded", process.stderr)

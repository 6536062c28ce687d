"""What can be known of deploy/Dockerfile without a docker engine: its form, and its steps for the project, run here.

The steps that install the system's packages and the lock are not run: the environment of these tests, made of the
same lock by the same tool, stands in for what they give. The base image, the user's rights and the size of the
layers are seen by nobody here.
"""

import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig

import dockerfile_parse
import pytest

from pipeline.config import load_config
from pipeline.runners import kubeflow
from pipeline.simulation.simulate import simulate

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PARSED = dockerfile_parse.DockerfileParser(path=str(PROJECT / "deploy"))
INSTRUCTIONS = [(step["instruction"], step["value"]) for step in PARSED.structure if step["instruction"] != "COMMENT"]
_FIRST_OF_FINAL = max(i for i, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
BUILD, FINAL = INSTRUCTIONS[:_FIRST_OF_FINAL], INSTRUCTIONS[_FIRST_OF_FINAL:]


def the(name: str, instructions: list[tuple[str, str]]) -> str:
    (value,) = [value for instruction, value in instructions if instruction == name]
    return value


def copies(instructions: list[tuple[str, str]]) -> list[list[str]]:
    """[sources.., destination] of each COPY from the project's folder."""
    return [shlex.split(value) for name, value in instructions if name == "COPY" and not value.startswith("--from")]


def copy(sources: list[str], destination: pathlib.Path) -> None:
    """As COPY does: a folder's content, or files into a folder."""
    destination.mkdir(parents=True, exist_ok=True)
    for path in [path for source in sources for path in sorted(PROJECT.glob(source))]:
        if path.is_dir():
            shutil.copytree(path, destination, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, destination)


def test_it_is_built_from_the_lock_as_the_environment_is():
    environment = (PROJECT / "deploy" / "environment.sh").read_text()
    runs = [value for name, value in BUILD if name == "RUN"]
    (uv,) = [run for run in runs if run.startswith("pip install")]
    assert re.search(r"uv==[\d.]+", uv)[0] == re.search(r"uv==[\d.]+", environment)[0]
    assert any(run.endswith("--compile-bytecode -r requirements.lock") for run in runs)
    bases = {value.split()[0] for name, value in INSTRUCTIONS if name == "FROM"}
    assert bases == {f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"}


def test_it_runs_as_a_number_that_is_not_root():
    user = the("USER", FINAL)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]} " in the("RUN", FINAL)
    assert [name for name, _ in FINAL].index("RUN") < [name for name, _ in FINAL].index("USER")  # useradd needs root


def test_its_python_is_that_of_the_build():
    environment = dict(re.findall(r"(\w+)=(\S+)", the("ENV", FINAL)))
    (venv,) = {value.split()[1] for name, value in FINAL if name == "COPY" and value.startswith("--from=build")}
    assert environment["PATH"] == f"{venv}/bin:$PATH"
    assert all(f"--python {venv}/bin/python" in value for name, value in BUILD if name == "RUN" and "uv pip" in value)
    assert json.loads(the("ENTRYPOINT", FINAL))[0] == "python"


def test_what_it_copies_is_sent_to_the_engine_and_nothing_else_is():
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    sent = {line[1:] for line in lines if line.startswith("!")}
    asked = {source.split("/")[0] for *sources, _ in copies(INSTRUCTIONS) for source in sources}
    assert sent == asked
    assert not any(fnmatch.fnmatch(name, pattern) for name in sent for pattern in (".git*", ".venv", "runs", ".env*"))
    for *sources, _ in copies(INSTRUCTIONS):
        assert all(list(PROJECT.glob(source)) for source in sources), sources


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Runs the steps for the project in a clean folder and gives (root of the image, its python)."""
    root = tmp_path_factory.mktemp("image")
    venv = root / "opt" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    # The packages of the lock, and not the project: a .pth file in a folder that a .pth file names is not read.
    packages = venv / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "lock.pth").write_text(sysconfig.get_path("purelib"))
    environment = {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(root)}

    after_the_lock = 1 + max(i for i, (_, value) in enumerate(BUILD) if value.endswith("-r requirements.lock"))
    folder = root / the("WORKDIR", BUILD).lstrip("/")
    for name, value in BUILD[after_the_lock:]:
        if name == "COPY":
            *sources, destination = shlex.split(value)
            copy(sources, folder / destination)
        else:
            assert name == "RUN", f"{name}: this test does not know it"
            command = value.replace("/opt/venv", str(venv))
            done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    for *sources, destination in copies(FINAL):
        copy(sources, root / destination.lstrip("/"))
    return root, venv / "bin" / "python"


def test_the_steps_of_a_job_run_in_it(image, tmp_path):
    root, python = image
    assert not list(root.glob("build/**/__pycache__"))  # as the engine gets them
    log = tmp_path / "log"
    simulate(log, rows=1000, seed=1)
    assert {path.name for path in (root / "aislerank" / "configs").iterdir()} >= {"demo.yaml"}
    config, schema = load_config(
        PROJECT / "pipeline/configs/demo.yaml", ["tune.enabled=true"], "gs://bucket/log", needs_log=False
    )
    job = kubeflow.compile_job(config, schema, kubeflow.Target(str(tmp_path / "root"), "none"))
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"].values()
    classes = {executor["container"]["args"][1] for executor in executors if "container" in executor}
    assert {"components.trainer.executor.Executor", "components.tuner.Executor"} <= classes
    functions = [
        "models.training.entry.run_fn",
        "models.tuning.tuner.tuner_fn",
        "models.inputs.preprocessing.preprocessing_fn",
    ]
    types = set(re.findall(r"title: (components\.\w+)", json.dumps(job)))
    ours = ("CategoryHierarchy", "AnomalyReport", "Quarantine", "RequestScores", "ModelReport")
    assert types == {f"components.{name}" for name in ours}
    # A job looks for the schema in the image.
    text = json.dumps(job).replace(kubeflow.IMAGE_SCHEMAS, f"{root}{kubeflow.IMAGE_SCHEMAS}")
    (tmp_path / "job.json").write_text(text)

    program = f"""
import importlib, json, runpy, sys
places = {{}}
for path in {[*sorted(classes), *functions, *sorted(types)]!r}:
    module, _, name = path.rpartition(".")
    places[path] = sys.modules[getattr(importlib.import_module(module), name).__module__].__file__
from kfp.pipeline_spec import pipeline_spec_pb2
import pipeline.__main__
print(json.dumps(places))
sys.argv = ["rehearse", "{tmp_path}/job.json", "{tmp_path}/root", "--parameter=log={log}", "--in_process",
            "--until=ClickLogExampleGen"]
runpy.run_path("{PROJECT}/deploy/rehearse.py", run_name="__main__")
sys.argv[-1] = "--until=ImportSchemaGen"
runpy.run_path("{PROJECT}/deploy/rehearse.py", run_name="__main__")
"""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([python, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    places = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    for path, place in places.items():
        # Nothing may come from the repository: it is not in the image.
        assert not pathlib.Path(place).is_relative_to(PROJECT) or ".venv" in place, path
        if not path.startswith("tfx."):
            assert pathlib.Path(place).is_relative_to(root), path
    summary = json.loads(next((tmp_path / "root").glob("ClickLogExampleGen/*/quarantine/summary.json")).read_text())
    assert summary["rows_read"] == summary["rows_in_requests"] + summary["rows_quarantined"] > 900
    schema_made = next((tmp_path / "root").glob("ImportSchemaGen/*/schema/schema.pbtxt"))
    assert schema_made.read_text() == (PROJECT / "schemas" / "demo.pbtxt").read_text()

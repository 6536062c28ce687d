"""What `compile` writes for Airflow, and what the DAG file makes of it; the latter where `make airflow` has been."""

import ast
import json
import os
import pathlib
import subprocess
import sys

import pytest

from pipeline.config import ConfigError, load_config
from pipeline.runners.airflow_spec import write_spec
from pipeline.runners.component import SUMMARY
from pipeline.runners.local import pipeline_in, prepare
from pipeline.simulation.log import with_log

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DEMO = PROJECT / "pipeline" / "configs" / "demo.yaml"
DAG_FILE = PROJECT / "pipeline" / "runners" / "airflow.py"
AIRFLOW = PROJECT / ".venv-airflow" / "bin" / "python"


def compiled(folder: pathlib.Path, *sets: str, name: str = "demo") -> dict:
    config, schema = load_config(DEMO, [f"name={name}", *sets])
    out = folder / f"{name}.aislerank.json"
    config = with_log(config, folder / "runs", write=False)
    written = write_spec(config, schema, str(folder / "runs"), ["--config=demo.yaml", "--set=a={b: c}"], str(out))
    assert json.loads(out.read_text()) == written
    return written


@pytest.mark.parametrize(
    "sets",
    [
        (),
        ("stop_after=validation",),
        ("stop_after=transform",),
        ("tune.enabled=true",),
        ("tune.enabled=true", "stop_after=tune"),
    ],
)
def test_the_tasks_are_the_nodes_of_the_pipeline(tmp_path, sets):
    tasks = compiled(tmp_path, *sets)["tasks"]
    pipeline = pipeline_in(*prepare_demo(tmp_path, sets))
    assert tasks.keys() == {node.id for node in pipeline.components} | {SUMMARY}
    for node in pipeline.components:
        assert set(tasks[node.id]) == {before.id for before in node.upstream_nodes}
    # In an order in which they can run, and the summary after all of them.
    done: set[str] = set()
    for task, before in tasks.items():
        assert done.issuperset(before)
        done.add(task)
    behind = {SUMMARY}
    while more := {before for task in behind for before in tasks[task]} - behind:
        behind |= more
    assert behind == tasks.keys()


def prepare_demo(folder: pathlib.Path, sets: tuple[str, ...]):
    config, schema = load_config(DEMO, sets)
    return *prepare(with_log(config, folder / "runs", write=False), str(folder / "runs")), schema


def test_compile_says_whether_a_run_takes_a_day(tmp_path):
    assert not compiled(tmp_path)["dated"]
    assert compiled(tmp_path, "data.files=impressions-{YYYY}{MM}{DD}.csv")["dated"]
    assert compiled(tmp_path, "data.files=span-{SPAN:5}/*")["dated"]
    # It neither simulates nor reads a log.
    assert not list(tmp_path.glob("runs/demo/log-*"))


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("airflow.pools={Trainr: gpu}", r"`airflow\.pools` must name tasks: ClickLogExampleGen, .*Received: 'Trainr'"),
        ("airflow.wait_for_day_before=[Tuner]", r"`airflow\.wait_for_day_before` must name tasks"),
        ("airflow.start_date=yesterday", r"`airflow\.start_date`"),
        ("airflow.timezone=Mars", r"`airflow\.timezone`.*Received: 'Mars'"),
    ],
)
def test_a_wrong_section_is_refused(tmp_path, sets, message):
    with pytest.raises(ConfigError, match=message):
        compiled(tmp_path, sets)
    assert not list(tmp_path.glob("*.json"))


def test_compile_refuses_a_name_that_the_dag_file_would_not_find(tmp_path):
    config, schema = load_config(DEMO)
    with pytest.raises(ConfigError, match=r"--out must end with \.aislerank\.json.*Received: 'demo\.json'"):
        write_spec(config, schema, str(tmp_path), [], "demo.json")


def test_the_dag_file_imports_nothing_but_airflow():
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(DAG_FILE.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    # pendulum is what Airflow itself reckons dates with.
    assert imported - {"airflow", "pendulum"} <= sys.stdlib_module_names


_LOOK = """
import json, os, sys
from airflow.models.dagbag import DagBag
bag = DagBag(os.environ["DAGS"], include_examples=False, read_dags_from_db=False)
found = {"errors": list(bag.import_errors.values()), "dags": {}}
found["taken"] = sorted({"tfx", "tensorflow", "pipeline", "components", "models"} & set(sys.modules))
for name, dag in bag.dags.items():
    import pendulum
    span_of = dag.user_defined_macros["span_of"]
    found["dags"][name] = {
        "tasks": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "pools": {task.task_id: task.pool for task in dag.tasks},
        "waits": [task.task_id for task in dag.tasks if task.depends_on_past],
        "retries": sorted({(task.retries, task.retry_delay.total_seconds()) for task in dag.tasks}),
        "spans": [span_of(pendulum.datetime(2024, 1, 1, hour), dag) for hour in (0, 15, 16)],
        "runs": [
            str(info.logical_date) for info in dag.iter_dagrun_infos_between(None, dag.end_date or dag.start_date)
        ],
        "queues": sorted({task.queue for task in dag.tasks}),
        "span": dag.get_task("RankerTrainer").span,
        "command": dag.get_task("RankerTrainer").arguments,
    }
print(json.dumps(found))
"""


def airflow_sees(folder: pathlib.Path, home: pathlib.Path) -> dict:
    if not AIRFLOW.exists():
        pytest.skip("needs .venv-airflow, which `make airflow` sets up")
    environment = os.environ | {"AIRFLOW_HOME": str(home), "DAGS": str(folder)}
    done = subprocess.run(
        [AIRFLOW, "-c", _LOOK], env=environment, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_airflow_makes_a_dag_of_each_description(tmp_path):
    folder, home = tmp_path / "dags", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    plain = compiled(folder, name="plain")
    section = (
        "{timezone: Asia/Shanghai, retries: 5, retry_seconds: 7, wait_for_day_before: [RankerTrainer], pool: cpu, "
    )
    section += "queue: big, pools: {RankerTrainer: gpu}, end_date: 2024-01-02}"
    dated = compiled(folder, f"airflow={section}", "data.files=i-{YYYY}-{MM}-{DD}.csv", name="shanghai")
    (folder / "aislerank.py").symlink_to(DAG_FILE)
    found = airflow_sees(folder, home)
    assert found["errors"] == []
    assert found["taken"] == []
    assert found["dags"].keys() == {"plain", "shanghai"}
    for spec in (plain, dated):
        dag = found["dags"][spec["name"]]
        assert dag["tasks"] == {task: sorted(before) for task, before in spec["tasks"].items()}
        assert dag["command"] == ["-m", "pipeline", "component", "--config=demo.yaml", "--set=a={b: c}"]
    dag = found["dags"]["shanghai"]
    assert {task for task, pool in dag["pools"].items() if pool == "gpu"} == {"RankerTrainer"}
    assert set(dag["pools"].values()) == {"gpu", "cpu"}
    assert dag["waits"] == ["RankerTrainer"]
    assert dag["queues"] == ["big"]
    assert dag["retries"] == [[5, 7.0]]
    assert dag["spans"] == [19_723, 19_723, 19_724]  # in Shanghai the day ends at 16:00 UTC
    assert dag["runs"] == ["2023-12-31 16:00:00+00:00", "2024-01-01 16:00:00+00:00"]
    assert "span_of" in dag["span"]
    assert found["dags"]["plain"]["span"] == ""


def test_the_dag_file_says_what_to_do_where_descriptions_are_missing_or_malformed(tmp_path):
    folder, home = tmp_path / "dags", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (folder / "aislerank.py").symlink_to(DAG_FILE)
    [error] = airflow_sees(folder, home)["errors"]
    assert f"{folder}: holds no *.aislerank.json" in error
    assert "python -m pipeline compile --target=airflow" in error
    (folder / "demo.aislerank.json").write_text('{"name": "demo"}')
    [error] = airflow_sees(folder, home)["errors"]
    assert f"{folder}/demo.aislerank.json: is no description of a DAG (KeyError('airflow'))" in error
    assert "python -m pipeline compile --target=airflow" in error

"""Airflow's DAG file: one DAG for each `*.aislerank.json` beside it, or in the folder that $AISLERANK_DAGS names.

Link or copy it into Airflow's folder of DAGs. It imports nothing but Airflow. Each task runs one component by the
project's own Python; the JSON says which, and is written by::

    python -m pipeline compile --target=airflow --config=<yaml> --out=<folder of DAGs>/<name>.aislerank.json

$AISLERANK_PROJECT and $AISLERANK_PYTHON stand in for what the JSON says of them, on machines that have the project
elsewhere. docs/airflow.md tells the rest.
"""

import datetime
import json
import os
import pathlib

import pendulum
from airflow.exceptions import AirflowException, AirflowFailException
from airflow.hooks.subprocess import SubprocessHook
from airflow.models.baseoperator import BaseOperator
from airflow.models.dag import DAG

COMPILE = "python -m pipeline compile --target=airflow --config=<yaml> --out=<folder>/<name>.aislerank.json"
_REFUSED = 2  # the exit code of a configuration that is refused: another attempt would end the same


class ComponentOperator(BaseOperator):
    """Runs one component of the pipeline in the project's environment; its output is the task's log.

    Args:
      project: folder of the project.
      python: its interpreter.
      arguments: of the command; handed on as they are, without a shell and without templates.
      run: id of the run, by which its tasks find each other's outputs; a template.
      span: the day, in days since 1970-01-01, or "" where the log has no days; a template.
    """

    template_fields = ("run", "span")
    ui_color = "#e3f2fd"

    def __init__(self, *, project: str, python: str, arguments: list[str], run: str, span: str, **kwargs):
        super().__init__(**kwargs)
        self.project = project
        self.python = python
        self.arguments = arguments
        self.run = run
        self.span = span
        self._process = None

    def execute(self, context) -> dict:
        """Runs the component.

        Returns:
          the component's state, seconds and outputs.

        Raises:
          AirflowFailException: if the configuration is refused.
          AirflowException: if the component fails or is killed.
        """
        project = os.environ.get("AISLERANK_PROJECT", self.project)
        python = os.environ.get("AISLERANK_PYTHON", self.python)
        if not os.access(python, os.X_OK):
            raise AirflowException(
                f"{python}: no such program on this machine. `make environment` in {project} makes it; "
                "$AISLERANK_PROJECT and $AISLERANK_PYTHON name another place"
            )
        command = [python, *self.arguments, f"--id={self.task_id}", f"--run_id={self.run}"]
        if self.span:
            command.append(f"--span={self.span}")
        # What leads Airflow's Python to its packages would lead the project's there, too.
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
        quiet = {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = SubprocessHook()
        result = self._process.run_command(command, quiet | environment, cwd=project)
        if result.exit_code == _REFUSED:
            raise AirflowFailException(result.output)
        if result.exit_code:
            raise AirflowException(f"exit code {result.exit_code}: {result.output}")
        try:
            return json.loads(result.output)
        except ValueError:  # a library had the last word; the component has succeeded all the same
            return {}

    def on_kill(self) -> None:
        """Ends the component with the task."""
        if self._process:
            self._process.send_sigterm()


def span_of(moment: datetime.datetime, dag: DAG) -> int:
    """The day on which a run's logical date falls in the DAG's time zone, in days since 1970-01-01."""
    return (pendulum.instance(moment).in_timezone(dag.timezone).date() - datetime.date(1970, 1, 1)).days


def make_dag(spec: dict) -> DAG:
    """The DAG of a description that `compile` wrote.

    Raises:
      KeyError: if a key is missing.
    """
    airflow = spec["airflow"]
    zone = pendulum.timezone(airflow["timezone"])

    def midnight(day: str | None) -> datetime.datetime | None:
        return day and pendulum.instance(datetime.datetime.fromisoformat(day), tz=zone)

    command = " ".join(spec["arguments"])
    dag = DAG(
        dag_id=spec["name"],
        description=f"Aislerank: from a click log to a pushed ranker ({spec['name']})",
        schedule=airflow["schedule"],
        start_date=midnight(airflow["start_date"]),
        # To its last moment: a schedule need not be at midnight.
        end_date=airflow["end_date"] and midnight(airflow["end_date"]).add(days=1, microseconds=-1),
        catchup=airflow["catchup"],
        max_active_runs=1,  # a day starts from the model of the day before, and is compared with it
        tags=airflow["tags"],
        user_defined_macros={"span_of": span_of},
        doc_md=f"Runs in `{spec['project']}`:\n\n    {command} --id=<task>\n\nThe tasks follow from the configuration "
        "at the time of `compile`; after a change to it, compile again.",
        default_args={
            "retries": airflow["retries"],
            "retry_delay": datetime.timedelta(seconds=airflow["retry_seconds"]),
            "execution_timeout": datetime.timedelta(minutes=airflow["timeout_minutes"]),
            **({"queue": airflow["queue"]} if airflow["queue"] else {}),
        },
    )
    operators = {
        task: ComponentOperator(
            dag=dag,
            task_id=task,
            project=spec["project"],
            python=spec["python"],
            arguments=spec["arguments"],
            run="{{ run_id }}",
            span="{{ span_of(logical_date, dag) }}" if spec["dated"] else "",
            pool=airflow["pools"].get(task, airflow["pool"]),
            depends_on_past=task in airflow["wait_for_day_before"],
        )
        for task in spec["tasks"]
    }
    for task, before in spec["tasks"].items():
        operators[task].set_upstream([operators[name] for name in before])
    return dag


def make_dags(folder: str | os.PathLike) -> dict[str, DAG]:
    """The DAGs of all descriptions in a folder, by name.

    Raises:
      ValueError: if there is none, if one is malformed, or if two have the same name.
    """
    paths = sorted(pathlib.Path(folder).glob("*.aislerank.json"))
    if not paths:
        raise ValueError(f"{folder}: holds no *.aislerank.json ($AISLERANK_DAGS names another folder). Write one by\n"
                         f"    {COMPILE}")  # fmt: skip
    dags = {}
    for path in paths:
        try:
            dag = make_dag(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}: is no description of a DAG ({error!r}). Write it anew by\n    {COMPILE}"
            ) from error
        if dag.dag_id in dags:
            raise ValueError(f"{path}: a DAG of the name {dag.dag_id!r} is described by another file in {folder}, too")
        dags[dag.dag_id] = dag
    return dags


# By the path under which Airflow found this file, not by what a link leads to: the descriptions lie beside the link.
globals().update(make_dags(os.environ.get("AISLERANK_DAGS") or pathlib.Path(__file__).parent))

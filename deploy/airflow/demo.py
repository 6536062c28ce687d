"""Runs the pipeline under a real Airflow: three days of a simulated log, and a training that is killed half-way.

The first day by `airflow dags test`, the other two by the scheduler, in order, as `catchup` does it. The training of
the second day is killed (SIGKILL) after its first checkpoint; Airflow tries it again. Everything stands below
runs/airflow, Airflow's own files, too. Prints what became of each task, and exits with 1 if that is not success.

    python deploy/airflow/demo.py <folder of Airflow's environment>
"""

import datetime
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
HOME = PROJECT / "runs" / "airflow"
DAG = "airflow-demo"
DAYS = [datetime.date(2024, 1, day) for day in (1, 2, 3)]
ROWS = 30_000  # of all days
MINUTES = 60
SETTINGS = {
    "name": DAG,
    "data.files": "impressions-{YYYY}{MM}{DD}.csv",
    "data.window": 2,
    "train.warm_start": "true",
    "train.epochs": 6,
    "train.patience": 99,
    "train.validations_per_epoch": 3,
    # A day is a tenth of the log that the demo's thresholds are made for.
    "evaluation.min_session_auc": 0.2,
    "evaluation.max_session_auc_drop": 1.0,
    "evaluation.max_calibration_error": "null",
    "airflow.start_date": DAYS[0],  # whose run stands there when the scheduler starts
    "airflow.end_date": DAYS[-1],
    "airflow.catchup": "true",
    "airflow.retry_seconds": 5,
}
ENVIRONMENT = os.environ | {
    "AIRFLOW_HOME": str(HOME / "home"),
    "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",  # Airflow allows no other on SQLite
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "NO_COLOR": "1",
}


def main() -> None:
    """Runs it all."""
    binaries = pathlib.Path(sys.argv[1]).absolute() / "bin"
    airflow = binaries / "airflow"
    ENVIRONMENT["PATH"] = f"{binaries}:{os.environ['PATH']}"  # the executor starts `airflow`
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the scheduler is ended with this
    shutil.rmtree(HOME, ignore_errors=True)
    (HOME / "dags").mkdir(parents=True)
    (HOME / "dags" / "aislerank.py").symlink_to(PROJECT / "pipeline" / "runners" / "airflow.py")
    write_days(HOME / "log")
    sets = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    places = [f"--data={HOME / 'log'}", f"--runs={HOME / 'runs'}", f"--out={HOME / 'dags' / DAG}.aislerank.json"]
    run("compile", sys.executable, "-m", "pipeline", "compile", "--target=airflow", *places, *sets)
    run("db migrate", airflow, "db", "migrate")
    seconds = check_import(binaries / "python")
    print(f"the DAG file is imported in {seconds:.1f} s, without TFX, TensorFlow and the project", flush=True)
    run(f"dags test {DAYS[0]}", airflow, "dags", "test", DAG, str(DAYS[0]))
    run("dags reserialize", airflow, "dags", "reserialize")
    run("dags unpause", airflow, "dags", "unpause", DAG)
    killed = schedule(airflow)
    failures = report(killed)
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


def write_days(folder: pathlib.Path) -> None:
    """A file for each day of a simulated log."""
    days = [f"--days={len(DAYS)}", "--drift=0.2", "--new_categories=0.2"]
    run("simulate", sys.executable, "-m", "pipeline", "simulate", f"--out={folder}", f"--rows={ROWS}", *days)


def run(title: str, *command) -> None:
    """Runs a command with its output in a file; shows the end of it if it fails."""
    began = time.monotonic()
    log = HOME / f"{title.replace(' ', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        done = subprocess.run(command, cwd=PROJECT, env=ENVIRONMENT, stdout=file, stderr=subprocess.STDOUT, check=False)
    print(f"{title:<24} {time.monotonic() - began:6.1f} s", flush=True)
    if done.returncode:
        sys.exit(f"{log.read_text(encoding='utf-8')[-5000:]}\n{title} failed; the whole story is in {log}")


def check_import(python: pathlib.Path) -> float:
    """Seconds that a stock Airflow takes for the DAG file, Airflow's own import not counted; exits if it fails."""
    code = (
        "import time, sys, airflow, airflow.models.dag, airflow.models.baseoperator, airflow.hooks.subprocess\n"
        "from airflow.models.dagbag import DagBag\n"
        "began = time.monotonic()\n"
        "bag = DagBag(include_examples=False)\n"
        "seconds = time.monotonic() - began\n"
        "assert not bag.import_errors, bag.import_errors\n"
        f"assert list(bag.dags) == [{DAG!r}], list(bag.dags)\n"
        "taken = {'tfx', 'tensorflow', 'pipeline', 'components', 'models'} & set(sys.modules)\n"
        "assert not taken, taken\n"
        "print(seconds)\n"
    )
    done = subprocess.run([python, "-c", code], env=ENVIRONMENT, cwd=HOME, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.split()[-1])


def schedule(airflow: pathlib.Path) -> int:
    """Lets the scheduler run its days and kills the second day's training; gives the id of the killed process."""
    killed = 0
    with open(HOME / "scheduler.log", "wb") as log:
        scheduler = subprocess.Popen(
            [airflow, "scheduler", "--skip-serve-logs"],
            cwd=HOME, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        began = time.monotonic()
        try:
            while time.monotonic() - began < 60 * MINUTES and scheduler.poll() is None:
                killed = killed or kill_training()
                states = query("select state from dag_run where run_type = 'scheduled'")
                if len(states) == len(DAYS) - 1 and all(state in ("success", "failed") for (state,) in states):
                    break
                time.sleep(0.05 if not killed else 1)
        finally:
            if scheduler.poll() is None:
                os.killpg(scheduler.pid, signal.SIGTERM)
                try:
                    scheduler.wait(60)
                except subprocess.TimeoutExpired:  # it waits for the task at work
                    os.killpg(scheduler.pid, signal.SIGKILL)
    print(f"{'scheduler':<24} {time.monotonic() - began:6.1f} s", flush=True)
    return killed


def kill_training() -> int:
    """Kills the training if it is at work and has left a checkpoint: gives its process id, or 0."""
    run_folder = HOME / "runs" / DAG
    # The file `checkpoint` is written last: before it is there, a checkpoint does not count.
    if not list(run_folder.glob("checkpoints/ranker/*/last/checkpoint")):
        return 0
    try:
        process = int((run_folder / "locks" / "RankerTrainer").read_text(encoding="utf-8"))
        if b"--id=RankerTrainer" not in pathlib.Path(f"/proc/{process}/cmdline").read_bytes():
            return 0
        os.kill(process, signal.SIGKILL)
    except (OSError, ValueError):  # it has just ended, or begun
        return 0
    print(f"killed the training (process {process}) after its first checkpoint", flush=True)
    return process


def query(sql: str) -> list[tuple]:
    """Asks Airflow's database."""
    with sqlite3.connect(f"file:{HOME / 'home' / 'airflow.db'}?mode=ro", uri=True, timeout=30) as database:
        return database.execute(sql).fetchall()


def report(killed: int) -> list[str]:
    """Prints the table of all attempts, and gives what is not as it must be."""
    attempts = query(
        "select r.run_type, date(r.execution_date), t.task_id, t.try_number, t.state, t.duration "
        "from dag_run r join (select dag_id, run_id, task_id, try_number, state, duration, start_date, end_date "
        "from task_instance union select dag_id, run_id, task_id, try_number, state, duration, start_date, end_date "
        "from task_instance_history) t using (dag_id, run_id) "
        "order by r.execution_date, coalesce(t.start_date, t.end_date), t.try_number"
    )
    print(f"\n{'run':<10} {'day':<11} {'task':<21} {'try':>3}  {'state':<9} {'seconds':>8}")
    for kind, day, task, number, state, seconds in attempts:
        # `dags test` counts no seconds.
        counted = "-" if seconds is None else f"{seconds:.1f}"
        print(f"{kind:<10} {day:<11} {task:<21} {number:>3}  {state or '-':<9} {counted:>8}")
    runs = query("select run_type, date(execution_date), state from dag_run order by execution_date")
    print()
    for kind, day, state in runs:
        print(f"{kind:<10} {day:<11} {state}")
    failures = [f"the run of {day} ended as {state}" for _, day, state in runs if state != "success"]
    if [day for _, day, _ in runs] != [str(day) for day in DAYS]:
        failures.append(f"there must be a run for each of {', '.join(map(str, DAYS))}")
    last = {(day, task): (number, state) for _, day, task, number, state, _ in attempts}
    failures += [f"{task} of {day} is {state}" for (day, task), (_, state) in last.items() if state != "success"]
    if not killed:
        failures.append("no training was killed")
    elif last.get((str(DAYS[1]), "RankerTrainer"), (0,))[0] < 2:
        failures.append(f"the training of {DAYS[1]} was not tried again")
    for day, resumed, steps, warm in trainings():
        print(
            f"training of {day}: {steps} steps, resumed from step {resumed}, {'warm' if warm else 'from the beginning'}"
        )
        if warm != (day != str(DAYS[0])):
            failures.append(f"the training of {day} must start from the day before, if there is one")
        if (resumed > 0) != (day == str(DAYS[1])):
            failures.append(f"the training of {day} resumed from step {resumed}")
    return failures


def trainings() -> list[tuple[str, int, int, bool]]:
    """Of each training: day, the step from which it was resumed, number of steps, whether it began with old weights."""
    rows = query(
        "select date(r.execution_date), x.value from xcom x join dag_run r using (dag_id, run_id) "
        "where x.task_id = 'RankerTrainer' and x.key = 'return_value' order by r.execution_date"
    )
    results = []
    for day, value in rows:
        folder = pathlib.Path(json.loads(value)["outputs"]["model_run"])
        result = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        results.append((day, result["resumed_from_step"], result["steps"], bool(result["warm_start"])))
    return results


if __name__ == "__main__":
    main()

"""Ingestion, statistics, hierarchy and Transform on a Flink cluster: are the outputs those of the direct runner?

    make flink                                    # a million impressions
    make flink ARGS="--rows=50000 --nolose_task_manager"

Starts a cluster of one job manager and two task managers of one slot on this machine (its jars come from Maven, once),
runs `python -m pipeline run --set stop_after=transform` on one simulated log with the direct runner and with Flink, and
compares what they wrote. Then once more, while a task manager is killed (SIGKILL) in the middle of the first job and
one in the middle of the last, each replaced by a new one. Python runs in the pipeline's process (LOOPBACK), so this
shows that the stages can be divided, moved and repeated, not that two cores are faster than two cores.
"""

import json
import pathlib
import shutil
import sys
import threading
import time

from absl import app, flags

from benchmarks.flink_cluster import Cluster, fetch_jars, kill
from benchmarks.harness import machine, markdown_table, measure_process, write

_ROWS = flags.DEFINE_integer("rows", 1_000_000, "Impressions of the simulated log.")
_LOSE = flags.DEFINE_bool("lose_task_manager", True, "Also run while task managers are killed.")
_SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in data.split.by=user.")
_JARS = flags.DEFINE_string("jars", ".cache/flink", "Where Flink's and Beam's jars are kept.")
_LOGS = flags.DEFINE_string("logs", "runs/benchmarks/logs", "Where the simulated logs are kept.")
_RUNS = flags.DEFINE_string("runs", "runs/benchmarks/flink", "Where the runs and Flink's logs go; removed before.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/flink.json", "The figures.")

# The place, in the order of their start, of the jobs in whose middle a task manager is killed; Transform's is the last.
_KILLED_IN = {0: "ClickLogExampleGen", 3: "Transform"}


def _run(name: str, log: pathlib.Path, beam: list[str]) -> dict:
    sets = [f"name={name}", "stop_after=transform", *beam, *_SET.value]
    command = [sys.executable, "-m", "pipeline", "run", f"--data={log}", f"--runs={_RUNS.value}"]
    took, _ = measure_process([*command, *(f"--set={override}" for override in sets)])
    summary = json.loads(pathlib.Path(_RUNS.value, name, "summary.json").read_text("utf-8"))
    return {"seconds": summary["seconds"], **took}


class _Killer(threading.Thread):
    """Kills a task manager in the middle of some jobs and starts another one."""

    def __init__(self, cluster: Cluster, task_managers: list, jobs_before: int):
        super().__init__(daemon=True)
        self._cluster, self._task_managers, self._before = cluster, task_managers, jobs_before
        self.done = threading.Event()
        self.killed: list[dict] = []

    def run(self) -> None:
        waiting = dict(_KILLED_IN)
        while waiting and not self.done.wait(0.5):
            jobs = sorted(
                (self._cluster.get("jobs/overview") or {"jobs": []})["jobs"], key=lambda job: job["start-time"]
            )
            for place, job in enumerate(jobs[self._before :]):
                tasks = job["tasks"]
                if place in waiting and job["state"] == "RUNNING" and tasks["finished"] and tasks["running"]:
                    kill(self._task_managers.pop(0))
                    name = waiting.pop(place)
                    print(
                        f"killed a task manager in {name}: {tasks['finished']} of {tasks['total']} tasks done",
                        flush=True,
                    )
                    self.killed.append({"component": name, "job": job["jid"], "tasks": tasks})
                    self._task_managers.append(self._cluster.start_task_manager(1))

    def outcome(self) -> list[dict]:
        """What became of the jobs: state, and how many failures Flink noted (its history shows the last 16)."""
        found = []
        for killed in self.killed:
            job = self._cluster.get(f"jobs/{killed['job']}")
            history = self._cluster.get(f"jobs/{killed['job']}/exceptions")["exceptionHistory"]["entries"]
            found.append(killed | {"state": job["state"], "failures": len(history)})
        return found


def _jobs(cluster: Cluster) -> int:
    return len(cluster.get("jobs/overview")["jobs"])


def _on_flink(log: pathlib.Path, direct: dict, result: dict) -> None:
    """Both runs on Flink; adds what they took and whether their outputs are those of ``direct``."""
    from benchmarks.outputs import compare

    runs = pathlib.Path(_RUNS.value)
    with Cluster(fetch_jars(_JARS.value), runs / "cluster") as cluster:
        task_managers = [cluster.start_task_manager(1) for _ in range(2)]
        beam = ["runner=flink", f"job_endpoint={cluster.start_job_server()}", "parallelism=2"]
        beam = [f"beam.{setting}" for setting in beam]
        result["flink"] = _run("flink", log, beam)
        result["outputs"] = compare(runs / "direct" / "artifacts", runs / "flink" / "artifacts")
        _print_times(direct, result["flink"])
        _print_outputs("Flink", result["outputs"])
        if not _LOSE.value:
            return
        killer = _Killer(cluster, task_managers, _jobs(cluster))
        killer.start()
        try:
            result["flink_killed"] = _run("killed", log, beam)
        finally:
            killer.done.set()
            killer.join()
        result["killed"] = killer.outcome()
        result["outputs_killed"] = compare(runs / "direct" / "artifacts", runs / "killed" / "artifacts")
        for killed in result["killed"]:
            print(f"{killed['component']}: {killed['state']} after {killed['failures']} or more failures of tasks")
        _print_outputs("Flink, with task managers killed", result["outputs_killed"])


def _print_times(direct: dict, flink: dict) -> None:
    names = list(direct["seconds"])
    table = [[name, direct["seconds"][name], flink["seconds"][name]] for name in names]
    table.append(["whole process", direct["process_seconds"], flink["process_seconds"]])
    print(markdown_table(["component", "seconds, direct", "seconds, Flink"], table), flush=True)


def _print_outputs(title: str, outputs: list[dict]) -> None:
    rows = [[found["output"], found["files"], found.get("records", ""), found["equal"]] for found in outputs]
    print(f"\n{markdown_table(['output', 'files', 'records', f'direct = {title}'], rows)}\n", flush=True)


def main(_) -> None:
    """Runs, compares, prints and writes."""
    log = pathlib.Path(_LOGS.value).resolve() / f"demo-{_ROWS.value}"
    if not log.exists():
        measure_process([sys.executable, "-m", "pipeline", "simulate", f"--out={log}", f"--rows={_ROWS.value}"])
    shutil.rmtree(_RUNS.value, ignore_errors=True)
    began = time.monotonic()
    print(f"{machine()['cpu']}, {machine()['cores']} cores; {_ROWS.value:,} impressions\n", flush=True)
    result = {"rows": _ROWS.value, "direct": _run("direct", log, [])}
    _on_flink(log, result["direct"], result)
    result["seconds"] = time.monotonic() - began
    write(_OUT.value, result)
    outputs = result["outputs"] + result.get("outputs_killed", [])
    wrong = [f"{found['output']} differ" for found in outputs if found["equal"].startswith("no")]
    if _LOSE.value:
        killed_in = {killed["component"] for killed in result["killed"]}
        wrong += [f"no task manager was killed in {name}" for name in _KILLED_IN.values() if name not in killed_in]
    if wrong:
        print("; ".join(wrong), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    app.run(main)

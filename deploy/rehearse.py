"""Runs the steps of a compiled job on this machine: each with the job's own command and the input a backend would give.

    python -m pipeline compile --target=kubeflow --data=<folder> --pipeline_root=/tmp/root --image=none \
        --image_schema=schemas/demo.pbtxt --out=/tmp/job.json
    python deploy/rehearse.py /tmp/job.json /tmp/root [--parameter epochs=1]... [--until RankerTrainer] [--in_process]

It imports nothing of the project: what a step needs comes from the environment it runs in. It stands in for the
backend's bookkeeping alone (order, inputs, outputs, the resolvers' queries), not for containers, buckets or caches.
A second rehearsal in the same folder knows the artifacts of the first.
"""

import argparse
import importlib
import json
import pathlib
import re
import subprocess
import sys
import time


def rehearse(job: dict, folder: pathlib.Path, given: dict, until: str | None = None, in_process: bool = False) -> dict:
    """Runs the tasks in the order of their dependencies.

    Args:
      job: a PipelineJob as JSON.
      folder: gets each task's outputs, and ``artifacts.json``, by which later rehearsals find them.
      given: values of runtime parameters.
      until: the last task to run, with all it depends on; all unless given.
      in_process: not a process a task.

    Returns:
      artifacts by output key by task.
    """
    spec = job["pipelineSpec"]
    tasks = spec["root"]["dag"]["tasks"]
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    parameters = {name: definition.get("defaultValue") for name, definition in definitions.items()} | given
    if unknown := given.keys() - definitions.keys():
        raise ValueError(f"unknown parameters: {unknown}. The job has: {', '.join(definitions)}")
    ledger = folder / "artifacts.json"
    known = json.loads(ledger.read_text()) if ledger.exists() else []
    outputs: dict[str, dict] = {}
    for name in _order(tasks, until):
        task, component = tasks[name], spec["components"][tasks[name]["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        inputs = {}
        for key, source in task.get("inputs", {}).get("artifacts", {}).items():
            producer = source["taskOutputArtifact"]
            inputs[key] = outputs[producer["producerTask"]][producer["outputArtifactKey"]]
        values = {
            key: parameters[value["componentInputParameter"]]
            if "componentInputParameter" in value
            else value["runtimeValue"]["constant"]
            for key, value in task.get("inputs", {}).get("parameters", {}).items()
        }
        began = time.monotonic()
        if "resolver" in executor:
            queries = executor["resolver"]["outputArtifactQueries"]
            outputs[name] = {key: _resolve(query["filter"], inputs, known) for key, query in queries.items()}
        else:
            place = folder / name / str(len(known))
            outputs[name] = _run(executor["container"], component, inputs, values, place, in_process)
        print(f"{name:<42} {time.monotonic() - began:6.1f} s", flush=True)
    known += [artifact for name in outputs for made in outputs[name].values() for artifact in made]
    known = list({artifact["name"]: artifact for artifact in known}.values())
    ledger.write_text(json.dumps(known, indent=1))
    return outputs


def _order(tasks: dict, until: str | None) -> list[str]:
    """Tasks, each after those it depends on."""
    done: list[str] = []

    def visit(name: str) -> None:
        artifacts = tasks[name].get("inputs", {}).get("artifacts", {}).values()
        producers = [source["taskOutputArtifact"]["producerTask"] for source in artifacts]
        for before in sorted({*tasks[name].get("dependentTasks", []), *producers}):
            visit(before)
        if name not in done:
            done.append(name)

    for name in [until] if until else tasks:
        visit(name)
    return done


def _run(
    container: dict, component: dict, inputs: dict, values: dict, place: pathlib.Path, in_process: bool
) -> dict[str, list]:
    place.mkdir(parents=True)
    made = {
        key: [{"name": f"{place.parent.name}/{place.name}/{key}", "type": definition["artifactType"]}]
        for key, definition in component.get("outputDefinitions", {}).get("artifacts", {}).items()
    }
    for key, (artifact,) in made.items():
        artifact |= {"uri": str(place / key), "metadata": {}}
    report = place / "executor_output.json"
    executor_input = {
        "inputs": {
            "artifacts": {key: {"artifacts": artifacts} for key, artifacts in inputs.items()},
            "parameterValues": values,
        },
        "outputs": {
            "artifacts": {key: {"artifacts": artifacts} for key, artifacts in made.items()},
            "outputFile": str(report),
        },
    }
    arguments = [json.dumps(executor_input) if argument == "{{$}}" else argument for argument in container["args"]]
    python, flag, module = container["command"]
    if (python, flag) != ("python", "-m"):
        raise ValueError(f"unknown command: {container['command']}")
    if in_process:
        entry = importlib.import_module(module)
        entry.main(entry._parse_flags([module, *arguments]))
    else:
        subprocess.run([sys.executable, "-m", module, *arguments], check=True)
    written = json.loads(report.read_text()).get("artifacts", {})
    for key, (artifact,) in made.items():
        artifact["metadata"] = written[key]["artifacts"][0].get("metadata", {})
    return made


def _resolve(query: str, inputs: dict, known: list[dict]) -> list[dict]:
    """The newest artifact that fulfils a query, or none."""
    asked = re.search(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}", query)
    if asked:
        if not inputs[asked[1]]:
            return []
        query = query.replace(asked[0], inputs[asked[1]][0]["metadata"][asked[2]])
    found = known
    for condition in query.split(" AND "):
        key, value = condition.split("=", 1)
        value = value.strip('"')
        if key == "schema_title":
            found = [a for a in found if re.match(rf"title: {re.escape(value)}\n", a["type"]["instanceSchema"])]
        elif key == "name":
            found = [a for a in found if a["name"] == value]
        elif match := re.fullmatch(r"metadata\.(\w+)\.number_value", key):
            found = [a for a in found if a["metadata"].get(match[1]) == float(value)]
        elif (key, value) != ("state", "LIVE"):
            raise ValueError(f"unknown condition: {condition}")
    return found[-1:]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=pathlib.Path, help="the compiled JSON")
    parser.add_argument("folder", type=pathlib.Path, help="gets the outputs")
    parser.add_argument("--parameter", action="append", default=[], help="name=value, a runtime parameter")
    parser.add_argument("--until", help="the last task to run")
    parser.add_argument("--in_process", action="store_true", help="all in this process: quicker")
    arguments = parser.parse_args()
    job = json.loads(arguments.job.read_text())
    definitions = job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]
    given = dict(text.split("=", 1) for text in arguments.parameter)
    for name in given.keys() & definitions.keys():
        if definitions[name]["parameterType"] == "NUMBER_INTEGER":
            given[name] = int(given[name])
    rehearse(job, arguments.folder, given, arguments.until, arguments.in_process)


if __name__ == "__main__":
    main()

"""The job that is compiled for Kubeflow: of the published form, and nothing of the pipeline lost on the way."""

import json
import socket

import pytest
import yaml
from google.protobuf import json_format
from tfx.dsl.components.common.resolver import Resolver
from tfx.types.channel_utils import get_individual_channels

from pipeline import __main__ as command_line
from pipeline.config import ConfigError, load_config
from pipeline.pipeline import Places, create_pipeline
from pipeline.runners import kubeflow

LOG, ROOT, IMAGE = "gs://bucket/log", "gs://bucket/demo", "registry.example/aislerank:1"
EVERYTHING = ["tune.enabled=true", "train.epochs=7", "data.files=day-{SPAN}/*.csv", "data.span=12"]
EVERYTHING += ["data.window=3", "train.warm_start=true"]


def compiled(overrides=(), data=LOG, **target):
    config, schema = load_config("pipeline/configs/demo.yaml", overrides, data, needs_log=False)
    return kubeflow.compile_job(config, schema, kubeflow.Target(**{"pipeline_root": ROOT, "image": IMAGE} | target))


@pytest.fixture(scope="module")
def job():
    return compiled(EVERYTHING)


@pytest.fixture(scope="module")
def spec(job):
    return kubeflow.validate(job)


@pytest.fixture(scope="module")
def pipeline():
    """The same pipeline as TFX's own runners get it."""
    config, schema = load_config("pipeline/configs/demo.yaml", EVERYTHING, LOG, needs_log=False)
    return create_pipeline(config, schema, Places.below(ROOT))


def container(job, name):
    return job["pipelineSpec"]["deploymentSpec"]["executors"][f"{name}_executor"]["container"]


def test_every_component_artifact_and_parameter_is_there(spec, job, pipeline):
    tasks = spec.root.dag.tasks
    resolvers = {node.id for node in pipeline.components if isinstance(node, Resolver)}
    nodes = [node for node in pipeline.components if node.id not in resolvers]
    assert {name for name in tasks if not name.startswith(tuple(resolvers))} == {node.id for node in nodes}
    for node in nodes:
        task, component = tasks[node.id], spec.components[node.id]
        assert component.executor_label == f"{node.id}_executor"
        assert set(component.output_definitions.artifacts) == set(node.outputs)
        assert set(task.inputs.artifacts) == set(component.input_definitions.artifacts) == set(node.inputs)
        for key, given in node.inputs.items():
            (channel,) = get_individual_channels(given)
            source = task.inputs.artifacts[key].task_output_artifact
            produced = spec.components[source.producer_task].output_definitions.artifacts
            assert source.output_artifact_key in produced
            wanted = channel.producer_component_id
            assert source.producer_task == wanted or (wanted in resolvers and source.producer_task.startswith(wanted))
            assert source.producer_task in task.dependent_tasks
        for before in node.upstream_nodes:
            assert any(name == before.id or name.startswith(f"{before.id}-") for name in task.dependent_tasks)
        given = {key for key, value in node.exec_properties.items() if value is not None}
        expected = given | ({"epochs"} if node.id == "RankerTrainer" else set())  # Kubeflow's own
        assert set(task.inputs.parameters) == set(component.input_definitions.parameters) == expected
        step = container(job, node.id)
        assert step["image"] == IMAGE
        assert step["command"][-1] == "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
        executor = node.executor_spec.executor_class
        assert step["args"][:2] == ["--executor_class_path", f"{executor.__module__}.{executor.__qualname__}"]


@pytest.mark.parametrize(
    ("name", "type", "default", "task", "key"),
    [
        ("log", "STRING", LOG, "ClickLogExampleGen", "input_base"),
        ("span", "NUMBER_INTEGER", 12, "ClickLogExampleGen", "wanted_span"),
        ("epochs", "NUMBER_INTEGER", 7, "RankerTrainer", "epochs"),
    ],
)
def test_runtime_parameters(spec, job, name, type, default, task, key):
    root = job["pipelineSpec"]["root"]
    assert set(root["inputDefinitions"]["parameters"]) == {"log", "span", "epochs"}
    assert root["inputDefinitions"]["parameters"][name] == {
        "parameterType": type,
        "defaultValue": default,
        "isOptional": True,
    }
    assert spec.root.dag.tasks[task].inputs.parameters[key].component_input_parameter == name
    takers = [t for t in spec.root.dag.tasks.values() for p in t.inputs.parameters.values()
              if p.component_input_parameter == name]  # fmt: skip
    assert len(takers) == 1


def test_where_things_go(job):
    assert job["runtimeConfig"]["gcsOutputDirectory"] == f"{ROOT}/artifacts"
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]

    def constant(task, key):
        return tasks[task]["inputs"]["parameters"][key]["runtimeValue"]["constant"]

    assert f'"base_directory": "{ROOT}/serving/ranker"' in constant("RankerPusher", "push_destination")
    assert json.loads(constant("RankerTrainer", "custom_config"))["checkpoints"] == f"{ROOT}/checkpoints/ranker"
    assert constant("ImportSchemaGen", "schema_file") == f"{kubeflow.IMAGE_SCHEMAS}/demo.pbtxt"
    # The folder is known when the run starts: nothing else may hold the one of the compilation.
    assert LOG not in json.dumps(tasks)


def test_what_reads_from_outside_is_never_answered_from_the_cache(job):
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    uncached = {name for name, task in tasks.items() if not task.get("cachingOptions", {}).get("enableCache")}
    containers = {name for name in uncached if "Resolver" not in name}
    assert containers == {"ClickLogExampleGen", "ImportSchemaGen"}


def test_the_baseline_is_the_last_blessed_model_or_none(job):
    evaluator = job["pipelineSpec"]["root"]["dag"]["tasks"]["RankerEvaluator"]["inputs"]["artifacts"]
    assert evaluator["baseline_model"]["taskOutputArtifact"]["producerTask"] == "RankerBaselineResolver-model-resolver"
    with pytest.raises(ConfigError, match="warm_start"):
        compiled(EVERYTHING, resolvers=False)
    alone = compiled(resolvers=False)["pipelineSpec"]
    assert not any("resolver" in executor for executor in alone["deploymentSpec"]["executors"].values())
    assert set(alone["root"]["dag"]["tasks"]["RankerEvaluator"]["inputs"]["artifacts"]) == {"scores", "model"}


def test_a_warm_start_and_what_the_log_is_compared_with(job, tmp_path):
    trainer = job["pipelineSpec"]["root"]["dag"]["tasks"]["RankerTrainer"]["inputs"]["artifacts"]
    assert trainer["base_model"]["taskOutputArtifact"]["producerTask"] == "RankerEarlierModelResolver-model-resolver"
    text = (kubeflow._PROJECT / "schemas" / "demo.pbtxt").read_text()
    comparator = "skew_comparator { infinity_norm { threshold: 0.1 } }"
    (tmp_path / "shop.pbtxt").write_text(text.replace('name: "brand"', f'name: "brand" {comparator}'))
    settings = [f"schema={tmp_path}/shop.pbtxt", "validation.serving_log=gs://bucket/served"]
    tasks = compiled(settings, schema_file="gs://bucket/shop.pbtxt")["pipelineSpec"]["root"]["dag"]["tasks"]
    compared = tasks["AnomalyGate"]["inputs"]["artifacts"]
    sources = {key: compared[key]["taskOutputArtifact"]["producerTask"] for key in compared if "statistics" in key}
    assert sources == {
        "statistics": "StatisticsGen",
        "serving_statistics": "ServingStatisticsGen",
    }
    assert not tasks["ServingLogExampleGen"].get("cachingOptions", {}).get("enableCache")


def test_a_damaged_job_is_not_valid(job):
    damaged = json.loads(json.dumps(job))
    damaged["pipelineSpec"]["root"]["dag"]["tasks"]["RankerTrainer"]["dependant_tasks"] = []
    with pytest.raises(json_format.ParseError, match="dependant_tasks"):
        kubeflow.validate(damaged)


def test_resources():
    job = compiled(resources=kubeflow.parse_resources(["RankerTrainer=8:32", "Transform=0.5:4"]))
    assert container(job, "RankerTrainer")["resources"] == {"cpuLimit": 8.0, "memoryLimit": 32.0}
    assert container(job, "Transform")["resources"] == {"cpuLimit": 0.5, "memoryLimit": 4.0}
    assert "resources" not in container(job, "RankerEvaluator")


def test_no_parameter_for_what_does_not_run():
    job = compiled(["stop_after=validation"])
    assert set(job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]) == {"log", "span"}
    assert "RankerTrainer" not in job["pipelineSpec"]["components"]


def test_compiling_opens_no_connection(monkeypatch):
    def refuse(*arguments, **_):
        raise AssertionError(f"asked for a connection: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    compiled(EVERYTHING)


@pytest.mark.parametrize(
    ("overrides", "changes", "message"),
    [
        (["name=Demo_1"], {}, "`name`: under Kubeflow, lower-case letters.*Received: Demo_1"),
        ([], {"data": None}, "`data.path` is missing: a log is simulated on one's own machine only.*--data"),
        ([], {"image": ""}, "--image is missing"),
        ([], {"pipeline_root": None}, "--pipeline_root is missing"),
        ([], {"resources": {"Trainr": (1, 1)}}, "--resources: unknown: Trainr. Components: ClickLogExampleGen, .*"),
    ],
)
def test_what_cannot_run_there_is_refused(overrides, changes, message):
    with pytest.raises(ConfigError, match=message):
        compiled(overrides, **changes)


@pytest.mark.parametrize("text", ["RankerTrainer", "RankerTrainer=8", "RankerTrainer=8:x"])
def test_resources_that_are_none(text):
    with pytest.raises(ConfigError, match=f"as in RankerTrainer=8:32. Received: {text}"):
        kubeflow.parse_resources([text])


def test_a_schema_that_the_image_does_not_hold(tmp_path):
    schema = tmp_path / "shop.pbtxt"
    with open("schemas/demo.pbtxt", encoding="utf-8") as file:
        schema.write_text(file.read())
    override = [f"schema={schema}"]
    with pytest.raises(ConfigError, match=r"shop.pbtxt is not in the project's schemas/.*--image_schema"):
        compiled(override)
    job = compiled(override, schema_file="gs://bucket/shop.pbtxt")
    assert "gs://bucket/shop.pbtxt" in json.dumps(job["pipelineSpec"]["root"]["dag"]["tasks"]["ImportSchemaGen"])


@pytest.fixture
def compile_verb(tmp_path):
    def run(*flags, **given):
        given = {"target": "kubeflow", "data": LOG, "pipeline_root": ROOT, "image": IMAGE} | given
        given = [f"--{name}={value}" for name, value in given.items() if value is not None]
        command_line.call(command_line.parse(["pipeline", "compile", *given, *flags]))

    return run


def test_the_command_writes_the_job_and_says_what_is_in_it(compile_verb, tmp_path, capfd):
    path = tmp_path / "new" / "job.json"
    compile_verb(out=path, set="train.epochs=4", resources="RankerTrainer=8:32")
    job = json.loads(path.read_text())
    assert job == compiled(["train.epochs=4"], resources={"RankerTrainer": (8, 32)})
    shown = capfd.readouterr().out
    for text in (str(path), f"{path.stat().st_size:,} bytes", "CategoryHierarchyGen", "epochs (NUMBER_INTEGER) = 4"):
        assert text in shown.replace("\n", " ")


def test_the_command_writes_what_kubeflow_pipelines_takes(compile_verb, tmp_path):
    path = tmp_path / "job.yaml"
    compile_verb("--noresolvers", out=path)
    assert yaml.safe_load(path.read_text()) == compiled(resolvers=False)["pipelineSpec"]


def test_the_command_refuses(compile_verb, tmp_path, capfd):
    with pytest.raises(SystemExit):
        compile_verb(data=None, out=tmp_path / "job.json")
    assert "--data" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        compile_verb(out=None)
    assert "compile needs --target=airflow or --target=kubeflow, and --out=<file>" in capfd.readouterr().err


def test_vertex_ai_s_client_takes_it(job, tmp_path):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform  # seconds of imports

    path = tmp_path / "job.json"
    kubeflow.write_job(job, path)

    def submitted(**parameters):
        return aiplatform.PipelineJob(
            display_name="demo",
            template_path=str(path),
            parameter_values=parameters,
            project="a-project",
            location="europe-west1",
            credentials=AnonymousCredentials(),
        ).to_dict()

    made = submitted(log="gs://bucket/other", epochs=5)
    assert made["runtimeConfig"]["parameterValues"] == {"log": "gs://bucket/other", "epochs": 5}
    assert made["runtimeConfig"]["gcsOutputDirectory"] == f"{ROOT}/artifacts"
    with pytest.raises(ValueError, match="epoch is not found"):
        submitted(epoch=5)

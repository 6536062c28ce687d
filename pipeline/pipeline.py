"""The graph of the pipeline. It knows no orchestrator; the runners in pipeline/runners do."""

import dataclasses
import pathlib

# Not tfx.v1: its extensions import Google Cloud's clients, a quarter of a run's imports.
from tfx.components import Evaluator, ExampleValidator, Pusher, StatisticsGen, Trainer, Tuner
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.common import resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.pusher_pb2 import PushDestination
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.types import Channel, standard_artifacts

from components.anomaly_gate.component import AnomalyGate
from components.baseline import LastOtherBlessedModel
from components.category_hierarchy_gen.component import CategoryHierarchyGen
from components.click_log_example_gen.component import ClickLogExampleGen
from components.transform.component import Transform
from pipeline.beam import beam_arguments
from pipeline.config import MODEL, RunConfig
from pipeline.evaluation import evaluation_config
from pipeline.fingerprint import source_fingerprint
from schemas.reader import LogSchema

RUN_FN = "models.trainer.run_fn"
TUNER_FN = "models.tuner.tuner_fn"


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a pipeline keeps what it makes; folders or URIs.

    Attributes:
      artifacts: the components' outputs.
      checkpoints: from which a killed training resumes.
      serving: TF Serving's model folder, one numbered version a push.
    """

    artifacts: str
    checkpoints: str
    serving: str

    @classmethod
    def below(cls, folder: str) -> "Places":
        """The usual places inside a run's folder."""
        return cls(f"{folder}/artifacts", f"{folder}/checkpoints", f"{folder}/serving/{MODEL}")


def create_pipeline(config: RunConfig, schema: LogSchema, places: Places, **pipeline_arguments) -> Pipeline:
    """Builds the pipeline of a run.

    Args:
      config: as `load_config` gives it, with `data.path` set.
      schema: of the log.
      places: where outputs go.
      **pipeline_arguments: for Pipeline, such as ``metadata_connection_config``.
    """
    components = _ingestion(config)
    if config.stop_after != "validation":
        components += _training(config, schema, places, *components)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=places.artifacts,
        components=components,
        enable_cache=True,
        beam_pipeline_args=beam_arguments(config.beam, places.artifacts),
        **pipeline_arguments,
    )


def _ingestion(config: RunConfig) -> list:
    """From the log to validated requests and their category hierarchy."""
    example_gen = ClickLogExampleGen(
        config.data, config.log_schema, code=source_fingerprint("components.click_log_example_gen.executor")
    )
    statistics = StatisticsGen(examples=example_gen.outputs["examples"])
    schema = ImportSchemaGen(schema_file=config.log_schema)
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    gate = AnomalyGate(
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        on_anomaly=config.validation.on_anomaly,
        code=source_fingerprint("components.anomaly_gate.executor"),
    )
    hierarchy = CategoryHierarchyGen(
        examples=example_gen.outputs["examples"],
        schema_path=config.log_schema,
        hierarchy=config.hierarchy,
        code=source_fingerprint("components.category_hierarchy_gen.executor"),
    )
    hierarchy.add_upstream_node(gate)
    return [example_gen, statistics, schema, validator, gate, hierarchy]


def _training(
    config: RunConfig,
    schema: LogSchema,
    places: Places,
    example_gen,
    statistics,
    schema_gen,
    validator,
    gate,
    hierarchy,
) -> list:
    """From validated requests to a pushed model, or to where the configuration stops."""
    schema_text = pathlib.Path(config.log_schema).read_text(encoding="utf-8")
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        hierarchy=hierarchy.outputs["hierarchy"],
        schema_text=schema_text,
        code=source_fingerprint("models.preprocessing") + source_fingerprint("components.transform.executor"),
    )
    # What training and tuning take alike; neither sees the test split.
    learning = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": TrainArgs(splits=["train"]),
        "eval_args": EvalArgs(splits=["valid"]),
    }
    settings = {
        "schema": schema_text,
        "model": config.model.model_dump(),
        "train": config.train.model_dump(),
        "checkpoints": places.checkpoints,
    }
    if config.stop_after == "transform":
        return [transform]
    tuners = []
    if config.tune.enabled:
        tune = {"tune": config.tune.model_dump(exclude={"enabled"}), "code": source_fingerprint("models.tuner")}
        tuners = [Tuner(tuner_fn=TUNER_FN, custom_config=settings | tune, **learning)]
    if config.stop_after == "tune":
        return [transform, *tuners]
    trainer = Trainer(
        run_fn=RUN_FN,
        custom_config=settings | {"code": source_fingerprint(RUN_FN.rpartition(".")[0])},
        hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
        **learning,
    )
    baseline = resolver.Resolver(
        strategy_class=LastOtherBlessedModel,
        candidate=trainer.outputs["model"],
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("BaselineResolver")
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        example_splits=["test"],
        eval_config=evaluation_config(config, schema),
        # Without a schema: with one, TFMA cuts every ragged feature of every request apart, four times as slow.
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=places.serving)),
    )
    return [transform, *tuners, trainer, baseline, evaluator, pusher]

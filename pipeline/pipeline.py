"""The graph of the pipeline. It knows no orchestrator; the runners in pipeline/runners do."""

import dataclasses
import pathlib

# Not tfx.v1: its extensions import Google Cloud's clients, a quarter of a run's imports.
from tfx.components import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.pusher_pb2 import PushDestination
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.types import BaseChannel

from common.splits import EARLIER, TEST
from components.anomaly_gate.component import AnomalyGate
from components.category_hierarchy_gen.component import CategoryHierarchyGen
from components.click_log_example_gen.component import ClickLogExampleGen
from components.evaluator.component import Evaluator
from components.pusher.component import Pusher
from components.split_scorer.component import SplitScorer
from components.stock import StatisticsGen, Tuner
from components.trainer.component import Trainer
from components.transform.component import Transform
from models.ranker.labels import trained_labels
from pipeline.beam import beam_arguments
from pipeline.config import MODEL, RunConfig
from pipeline.evaluation import bounds, evaluation_config, judged_categories
from pipeline.fingerprint import source_fingerprint
from pipeline.orchestration import LOCAL, Orchestration
from pipeline.report import model_report
from pipeline.scoring.requests import without_outcomes
from schemas.reader import LogSchema

RUN_FN = "models.training.entry.run_fn"
TUNER_FN = "models.tuning.tuner.tuner_fn"


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


def create_pipeline(
    config: RunConfig,
    schema: LogSchema,
    places: Places,
    orchestration: Orchestration = LOCAL,
    **pipeline_arguments,
) -> Pipeline:
    """Builds the pipeline of a run.

    Args:
      config: as `load_config` gives it, with `data.path` set.
      schema: of the log.
      places: where outputs go.
      orchestration: what the orchestrator does its own way.
      **pipeline_arguments: for Pipeline, such as ``metadata_connection_config``.
    """
    components = _ingestion(config, schema, orchestration)
    if config.stop_after != "validation":
        by_id = {component.id: component for component in components}
        components += _training(config, schema, places, orchestration, by_id)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=places.artifacts,
        components=components,
        enable_cache=True,
        beam_pipeline_args=beam_arguments(config.beam, places.artifacts),
        **pipeline_arguments,
    )


def _ingestion(config: RunConfig, log_schema: LogSchema, orchestration: Orchestration) -> list:
    """From the log to validated requests and their category hierarchy."""
    schema_text = pathlib.Path(config.log_schema).read_text(encoding="utf-8")
    example_gen = ClickLogExampleGen(
        config.data,
        schema_text,
        code=source_fingerprint("components.click_log_example_gen.executor"),
        log=orchestration.log,
        span=orchestration.span,
    )
    # The newest span's: the others' have been looked at when they were the newest.
    statistics = StatisticsGen(examples=example_gen.outputs["examples"], exclude_splits=[EARLIER])
    schema = ImportSchemaGen(schema_file=orchestration.schema_file or config.log_schema)
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    compared, others = _other_statistics(config, log_schema, orchestration, example_gen)
    gate = AnomalyGate(
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        schema=schema.outputs["schema"],
        quarantine=example_gen.outputs["quarantine"],
        labels=[label.name for label in trained_labels(log_schema, config.model)],
        on_anomaly=config.validation.on_anomaly,
        code=source_fingerprint("components.anomaly_gate.executor"),
        **compared,
    )
    hierarchy = CategoryHierarchyGen(
        examples=example_gen.outputs["examples"],
        schema_path=config.log_schema,
        hierarchy=config.hierarchy,
        splits=tuple(_training_splits(config)),
        code=source_fingerprint("components.category_hierarchy_gen.executor"),
    )
    hierarchy.add_upstream_node(gate)
    return [example_gen, statistics, schema, *others, validator, gate, hierarchy]


def _other_statistics(
    config: RunConfig, schema: LogSchema, orchestration: Orchestration, example_gen
) -> tuple[dict, list]:
    """What the schema's comparators compare the log's statistics with, and the components that find or make it."""
    compared, components = {}, []
    if schema.has_drift_comparator:
        for previous in orchestration.previous_statistics(example_gen.outputs["examples"]):
            compared["previous_statistics"] = previous.outputs["statistics"]
            components.append(previous)
    if config.validation.serving_log:
        data, text = without_outcomes(config.data, schema)
        data = data.model_copy(update={"path": config.validation.serving_log})
        serving = ClickLogExampleGen(
            data,
            text,
            code=source_fingerprint("components.click_log_example_gen.executor"),
            span=orchestration.span,
        ).with_id("ServingLogExampleGen")
        statistics = StatisticsGen(examples=serving.outputs["examples"]).with_id("ServingStatisticsGen")
        compared["serving_statistics"] = statistics.outputs["statistics"]
        components += [serving, statistics]
    return compared, components


def _training_splits(config: RunConfig) -> list[str]:
    """In order of time."""
    return [EARLIER, "train"] if config.data.window > 1 else ["train"]


def _training(
    config: RunConfig,
    schema: LogSchema,
    places: Places,
    orchestration: Orchestration,
    ingestion: dict,
) -> list:
    """From validated requests, what ``ingestion`` made, to a pushed model, or to where the configuration stops."""
    example_gen, schema_gen, hierarchy = (
        ingestion[name] for name in ("ClickLogExampleGen", "ImportSchemaGen", "CategoryHierarchyGen")
    )
    schema_text = pathlib.Path(config.log_schema).read_text(encoding="utf-8")
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        hierarchy=hierarchy.outputs["hierarchy"],
        schema_text=schema_text,
        analysed_splits=_training_splits(config),
        code=source_fingerprint("models.inputs.preprocessing") + source_fingerprint("components.transform.executor"),
    )
    # What training and tuning take alike; neither sees the test split.
    learning = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": TrainArgs(splits=_training_splits(config)),
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
        tune = {"tune": config.tune.model_dump(exclude={"enabled"}), "code": source_fingerprint("models.tuning.tuner")}
        tuners = [Tuner(tuner_fn=TUNER_FN, custom_config=settings | tune, **learning)]
    if config.stop_after == "tune":
        return [transform, *tuners]
    earlier = orchestration.earlier_model(example_gen.outputs["examples"]) if config.train.warm_start else []
    trainer = Trainer(
        run_fn=RUN_FN,
        base_model=earlier[0].outputs["model"] if earlier else None,
        custom_config=settings | {"code": source_fingerprint(RUN_FN.rpartition(".")[0])},
        hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
        epochs=orchestration.epochs,
        **learning,
    )
    judging = judge(
        config,
        schema,
        places,
        orchestration,
        example_gen.outputs["examples"],
        transform.outputs["transform_graph"],
        trainer.outputs["model"],
    )
    before = [transform, *tuners, *earlier, trainer, *judging]
    return [*before, *_report(config, schema_text, orchestration, ingestion | {node.id: node for node in before})]


def _report(config: RunConfig, schema_text: str, orchestration: Orchestration, nodes: dict) -> list:
    """What says how good the model is, where and why; ``nodes`` are all before it, by id."""
    if not config.report.enabled:
        return []
    evaluator, trainer, example_gen = nodes["Evaluator"], nodes["Trainer"], nodes["ClickLogExampleGen"]
    inputs = {
        "examples": example_gen.outputs["examples"],
        "quarantine": example_gen.outputs["quarantine"],
        "statistics": nodes["StatisticsGen"].outputs["statistics"],
        "anomaly_report": nodes["AnomalyGate"].outputs["report"],
        "hierarchy": nodes["CategoryHierarchyGen"].outputs["hierarchy"],
        "transform_graph": nodes["Transform"].outputs["transform_graph"],
        "model": trainer.outputs["model"],
        "model_run": trainer.outputs["model_run"],
        "baseline_model": evaluator.inputs.get("baseline_model"),
        "scores": nodes["SplitScorer"].outputs["scores"],
        "evaluation": evaluator.outputs["evaluation"],
        "blessing": evaluator.outputs["blessing"],
    }
    report = model_report(config, schema_text, _training_splits(config), orchestration, inputs)
    # A good model need not wait for what is said of it.
    report.add_upstream_node(nodes["Pusher"])
    return [report]


def judge(
    config: RunConfig,
    schema: LogSchema,
    places: Places,
    orchestration: Orchestration,
    examples: BaseChannel,
    transform_graph: BaseChannel,
    model: BaseChannel,
) -> list:
    """From a trained model to a pushed one, if it is good enough: the last components of the pipeline."""
    baselines = orchestration.baseline(candidate=model)
    baseline = baselines[0].outputs["model"] if baselines else None
    scorer = SplitScorer(
        examples=examples,
        transform_graph=transform_graph,
        model=model,
        baseline_model=baseline,
        split=TEST,
        label=trained_labels(schema, config.model)[0].name,
        schema=pathlib.Path(config.log_schema).read_text(encoding="utf-8"),
        code=source_fingerprint("components.split_scorer.executor"),
    )
    evaluator = Evaluator(
        scores=scorer.outputs["scores"],
        model=model,
        baseline_model=baseline,
        eval_config=evaluation_config(config, schema),
        bounds=bounds(config, schema),
        categories=judged_categories(config, schema),
        code=source_fingerprint("components.evaluator.executor") + source_fingerprint("models.metrics"),
    )
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=places.serving)),
    )
    return [*baselines, scorer, evaluator, pusher]

"""The steps of the pipeline: each makes its components from the outputs of the steps before."""

import dataclasses
from typing import Any, NamedTuple

from tfx.dsl.components.base.base_node import BaseNode
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
from components.stock import ExampleValidator, ImportSchemaGen, StatisticsGen
from components.trainer.component import Trainer
from components.transform.component import Transform
from components.tuner import Tuner
from models.ranker.labels import trained_labels
from pipeline.config import RunConfig
from pipeline.evaluation import bounds, evaluation_config, judged_categories
from pipeline.fingerprint import component_codes, used_rows
from pipeline.model_names import RANKER, node_id
from pipeline.orchestration import Orchestration
from pipeline.report import model_report
from pipeline.scoring.requests import without_outcomes
from schemas.log_schema import LogSchema

RUN_FN = "models.training.entry.run_fn"
TUNER_FN = "models.tuning.tuner.tuner_fn"


class Validated(NamedTuple):
    """Outputs of `Steps.validate`, and the component that stops a run whose log has anomalies."""

    statistics: BaseChannel
    schema: BaseChannel
    gate: AnomalyGate


class Scored(NamedTuple):
    """Output of `Steps.score`, and the model that the new model is compared with."""

    scores: BaseChannel
    baseline_model: BaseChannel | None


class Evaluated(NamedTuple):
    """Outputs of `Steps.evaluate`."""

    evaluation: BaseChannel
    blessing: BaseChannel


@dataclasses.dataclass(frozen=True)
class Learning:
    """What the Tuner and the Trainer have in common: TFX's arguments, and the settings of `run_fn` and `tuner_fn`."""

    arguments: dict[str, Any]
    settings: dict[str, Any]


class Steps:
    """Collects the components of one run.

    Args:
      config: as `load_config` gives it, with `data.path` set.
      schema: of the log.
      orchestration: what the orchestrator does its own way.
      model: name of the model that is trained; the components that work for it carry the name.

    Attributes:
      components: those of the steps so far.
    """

    def __init__(self, config: RunConfig, schema: LogSchema, orchestration: Orchestration, model: str = RANKER):
        self._config, self._schema, self._orchestration, self._model = config, schema, orchestration, model
        self._codes = component_codes(used_rows(config.model))
        # In order of time.
        self._training_splits = [EARLIER, "train"] if config.data.window > 1 else ["train"]
        self.components: list[BaseNode] = []

    def _add(self, component):
        self.components.append(component)
        return component

    def _add_for_model(self, component):
        return self._add(component.with_id(node_id(type(component).__name__, self._model)))

    def ingest(self) -> tuple[BaseChannel, BaseChannel]:
        """From the log to requests, and the quarantined rows."""
        example_gen = self._add(
            ClickLogExampleGen(
                self._config.data,
                self._schema,
                code=self._codes["ClickLogExampleGen"],
                log=self._orchestration.log,
                span=self._orchestration.span,
            )
        )
        return example_gen.outputs["examples"], example_gen.outputs["quarantine"]

    def validate(self, requests: BaseChannel, quarantine: BaseChannel) -> Validated:
        """Stops the run if the requests do not fit the schema."""
        # The statistics are of the newest span. An older span was validated when it was the newest.
        statistics_gen = StatisticsGen(examples=requests, exclude_splits=[EARLIER], code=self._codes["StatisticsGen"])
        statistics = self._add(statistics_gen).outputs["statistics"]
        schema_file = self._orchestration.schema_file or self._config.log_schema
        schema_gen = self._add(ImportSchemaGen(schema_file=schema_file, code=self._codes["ImportSchemaGen"]))
        schema = schema_gen.outputs["schema"]
        compared = self._previous_statistics(requests) | self._serving_statistics()
        validator = self._add(
            ExampleValidator(statistics=statistics, schema=schema, code=self._codes["ExampleValidator"])
        )
        gate = self._add(
            AnomalyGate(
                statistics=statistics,
                anomalies=validator.outputs["anomalies"],
                schema=schema,
                quarantine=quarantine,
                labels=[label.name for label in trained_labels(self._schema, self._config.model)],
                on_anomaly=self._config.validation.on_anomaly,
                code=self._codes["AnomalyGate"],
                **compared,
            )
        )
        return Validated(statistics, schema, gate)

    def _previous_statistics(self, requests: BaseChannel) -> dict[str, BaseChannel]:
        """The statistics of the span before, if the schema has a drift comparator and they can be found."""
        resolver = self._orchestration.previous_statistics(requests) if self._schema.has_drift_comparator else None
        return {"previous_statistics": self._add(resolver).outputs["statistics"]} if resolver else {}

    def _serving_statistics(self) -> dict[str, BaseChannel]:
        """The statistics of the log of served requests, if there is such a log."""
        log = self._config.validation.serving_log
        if not log:
            return {}
        data, schema = without_outcomes(self._config.data, self._schema)
        example_gen = ClickLogExampleGen(
            data.model_copy(update={"path": log}),
            schema,
            code=self._codes["ClickLogExampleGen"],
            span=self._orchestration.span,
        )
        served = self._add(example_gen.with_id("ServingLogExampleGen")).outputs["examples"]
        statistics_gen = StatisticsGen(examples=served, code=self._codes["StatisticsGen"])
        statistics = self._add(statistics_gen.with_id("ServingStatisticsGen")).outputs["statistics"]
        return {"serving_statistics": statistics}

    def build_hierarchy(self, requests: BaseChannel, after: BaseNode) -> BaseChannel:
        """The tree of categories of the training splits; not before ``after`` has let the log pass."""
        hierarchy_gen = self._add(
            CategoryHierarchyGen(
                examples=requests,
                schema=self._schema,
                hierarchy=self._config.hierarchy,
                splits=tuple(self._training_splits),
                code=self._codes["CategoryHierarchyGen"],
            )
        )
        hierarchy_gen.add_upstream_node(after)
        return hierarchy_gen.outputs["hierarchy"]

    def transform(
        self, requests: BaseChannel, schema: BaseChannel, hierarchy: BaseChannel
    ) -> tuple[BaseChannel, BaseChannel]:
        """The transformed requests and the transform graph."""
        transform = self._add(
            Transform(
                examples=requests,
                schema=schema,
                hierarchy=hierarchy,
                log_schema=self._schema,
                analysed_splits=self._training_splits,
                code=self._codes["Transform"],
            )
        )
        return transform.outputs["transformed_examples"], transform.outputs["transform_graph"]

    def learning(self, examples: BaseChannel, transform_graph: BaseChannel, checkpoints: str) -> Learning:
        """What training and tuning take; neither sees the test split."""
        arguments = {
            "examples": examples,
            "transform_graph": transform_graph,
            "train_args": TrainArgs(splits=self._training_splits),
            "eval_args": EvalArgs(splits=["valid"]),
        }
        settings = {
            "schema": self._schema.text,
            "model": self._config.model.model_dump(),
            "train": self._config.train.model_dump(),
            "checkpoints": checkpoints,
        }
        return Learning(arguments, settings)

    def tune(self, learning: Learning) -> BaseChannel:
        """The best hyperparameters of a search."""
        own = {"tune": self._config.tune.model_dump(exclude={"enabled"}), "code": self._codes["Tuner"]}
        tuner = self._add_for_model(
            Tuner(tuner_fn=TUNER_FN, custom_config=learning.settings | own, **learning.arguments)
        )
        return tuner.outputs["best_hyperparameters"]

    def train(
        self, learning: Learning, requests: BaseChannel, hyperparameters: BaseChannel | None
    ) -> tuple[BaseChannel, BaseChannel]:
        """The trained model, and what its training wrote beside it; ``requests`` say which span is the newest."""
        earlier = self._orchestration.earlier_model(self._model, requests) if self._config.train.warm_start else None
        trainer = self._add_for_model(
            Trainer(
                run_fn=RUN_FN,
                base_model=self._add(earlier).outputs["model"] if earlier else None,
                custom_config=learning.settings | {"code": self._codes["Trainer"]},
                hyperparameters=hyperparameters,
                epochs=self._orchestration.epochs,
                **learning.arguments,
            )
        )
        return trainer.outputs["model"], trainer.outputs["model_run"]

    def score(self, requests: BaseChannel, transform_graph: BaseChannel, model: BaseChannel) -> Scored:
        """The scores of the test split, by the model and by the model that was blessed last."""
        baseline = self._orchestration.baseline(self._model, candidate=model)
        baseline_model = self._add(baseline).outputs["model"] if baseline else None
        scorer = self._add_for_model(
            SplitScorer(
                examples=requests,
                transform_graph=transform_graph,
                model=model,
                baseline_model=baseline_model,
                split=TEST,
                label=trained_labels(self._schema, self._config.model)[0].name,
                schema=self._schema,
                code=self._codes["SplitScorer"],
            )
        )
        return Scored(scorer.outputs["scores"], baseline_model)

    def evaluate(self, scored: Scored, model: BaseChannel) -> Evaluated:
        """Compares the model's scores of the test split with the bounds and with those of the model blessed last."""
        evaluator = self._add_for_model(
            Evaluator(
                scores=scored.scores,
                model=model,
                baseline_model=scored.baseline_model,
                eval_config=evaluation_config(self._config, self._schema),
                bounds=bounds(self._config, self._schema),
                categories=judged_categories(self._config, self._schema),
                code=self._codes["Evaluator"],
            )
        )
        return Evaluated(evaluator.outputs["evaluation"], evaluator.outputs["blessing"])

    def push(self, model: BaseChannel, blessing: BaseChannel, folder: str) -> Pusher:
        """Copies a blessed model to TF Serving's folder of versions."""
        destination = PushDestination(filesystem=PushDestination.Filesystem(base_directory=folder))
        return self._add_for_model(
            Pusher(model=model, model_blessing=blessing, push_destination=destination, code=self._codes["Pusher"])
        )

    def report(self, after: BaseNode, **inputs: BaseChannel | None) -> None:
        """Writes the report, after the push, so that a good model does not wait for it; ``inputs`` of `ModelReport`."""
        report = self._add_for_model(
            model_report(self._config, self._schema, self._training_splits, self._orchestration, self._codes, inputs)
        )
        report.add_upstream_node(after)

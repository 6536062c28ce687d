"""The graph of the pipeline. It knows no orchestrator; the runners in pipeline/runners do."""

import dataclasses

from tfx.orchestration.pipeline import Pipeline

from pipeline.beam import beam_arguments
from pipeline.config import RunConfig
from pipeline.model_names import RANKER
from pipeline.orchestration import LOCAL, Orchestration
from pipeline.steps import Steps
from schemas.log_schema import LogSchema


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a pipeline keeps what it makes; folders or URIs.

    Attributes:
      artifacts: the components' outputs.
      checkpoints: of the model, from which a killed training resumes.
      serving: TF Serving's folder of the model, one numbered version a push.
    """

    artifacts: str
    checkpoints: str
    serving: str

    @classmethod
    def below(cls, folder: str, model: str = RANKER) -> "Places":
        """The usual places of a model inside a run's folder."""
        return cls(f"{folder}/artifacts", f"{folder}/checkpoints/{model}", f"{folder}/serving/{model}")


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
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=places.artifacts,
        components=_components(config, Steps(config, schema, orchestration), places),
        enable_cache=True,
        beam_pipeline_args=beam_arguments(config.beam, places.artifacts),
        **pipeline_arguments,
    )


def _components(config: RunConfig, steps: Steps, places: Places) -> list:
    """From the log to a pushed model and its report, or to where `stop_after` ends the run."""
    requests, quarantine = steps.ingest()
    validated = steps.validate(requests, quarantine)
    hierarchy = steps.build_hierarchy(requests, after=validated.gate)
    if config.stop_after == "validation":
        return steps.components
    examples, transform_graph = steps.transform(requests, validated.schema, hierarchy)
    if config.stop_after == "transform":
        return steps.components
    learning = steps.learning(examples, transform_graph, places.checkpoints)
    hyperparameters = steps.tune(learning) if config.tune.enabled else None
    if config.stop_after == "tune":
        return steps.components
    model, model_run = steps.train(learning, requests, hyperparameters)
    scored = steps.score(requests, transform_graph, model)
    evaluated = steps.evaluate(scored, model)
    pusher = steps.push(model, evaluated.blessing, places.serving)
    if config.report.enabled:
        steps.report(
            after=pusher,
            examples=requests,
            quarantine=quarantine,
            statistics=validated.statistics,
            anomaly_report=validated.gate.outputs["report"],
            hierarchy=hierarchy,
            transform_graph=transform_graph,
            model=model,
            model_run=model_run,
            baseline_model=scored.baseline_model,
            scores=scored.scores,
            evaluation=evaluated.evaluation,
            blessing=evaluated.blessing,
        )
    return steps.components

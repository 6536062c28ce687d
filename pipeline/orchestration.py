"""In what orchestrators differ."""

import dataclasses
from typing import Literal

from tfx.dsl.components.common.resolver import Resolver, ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.baseline import LastOtherBlessedModel
from components.earlier_spans import LatestOfAnEarlierSpan
from pipeline.model_names import node_id


@dataclasses.dataclass(frozen=True)
class Orchestration:
    """In what an orchestrator differs from TFX's own, whose ways are the defaults.

    Attributes:
      resolvers: how artifacts of earlier runs are found: by the project's strategies; by TFX's, the latest of all,
        where others are not known (these do not tell models of two names apart); or not at all, and then a model
        is evaluated alone and starts from the beginning.
      schema_file: where ImportSchemaGen finds the schema; `schema` of the configuration unless given.
      log, span, epochs: are given when a run starts, in place of `data.path`, `data.span` and `train.epochs`.
    """

    resolvers: Literal["own", "tfx", "none"] = "own"
    schema_file: str | None = None
    log: RuntimeParameter | None = None
    span: RuntimeParameter | None = None
    epochs: RuntimeParameter | None = None

    def baseline(self, model: str, candidate: BaseChannel) -> Resolver | None:
        """Finds the blessed model that a new one of the same name is compared with; None if it is evaluated alone."""
        return self._models("BaselineResolver", model, LastOtherBlessedModel, candidate=candidate)

    def earlier_model(self, model: str, examples: BaseChannel) -> Resolver | None:
        """Finds the blessed model that a new one of the same name starts from."""
        return self._models("EarlierModelResolver", model, LatestOfAnEarlierSpan, examples=examples)

    def previous_statistics(self, examples: BaseChannel) -> Resolver | None:
        """Finds the statistics of the span before; None with TFX's strategies, which confuse them with other logs'."""
        if self.resolvers != "own":
            return None
        statistics = Channel(type=standard_artifacts.ExampleStatistics)
        found = Resolver(strategy_class=LatestOfAnEarlierSpan, examples=examples, statistics=statistics)
        return found.with_id("PreviousStatisticsResolver")

    def _models(
        self, name: str, model: str, strategy: type[ResolverStrategy], **inputs: BaseChannel
    ) -> Resolver | None:
        if self.resolvers == "none":
            return None
        if self.resolvers == "tfx":
            # TFX's strategy takes the models and the blessings, and nothing else; it does not ask who made them.
            models = Channel(type=standard_artifacts.Model), Channel(type=standard_artifacts.ModelBlessing)
            found = Resolver(strategy_class=LatestBlessedModelStrategy, model=models[0], model_blessing=models[1])
            return found.with_id(node_id(name, model))
        # The strategies take only models with a blessing, so the blessings tell models of two names apart. A channel of
        # the models' own producer would be the same channel to TFX as the candidate.
        found = {
            "model": Channel(type=standard_artifacts.Model),
            "model_blessing": Channel(
                type=standard_artifacts.ModelBlessing,
                producer_component_id=node_id("Evaluator", model),
                output_key="blessing",
            ),
        }
        return Resolver(strategy_class=strategy, **found, **inputs).with_id(node_id(name, model))


LOCAL = Orchestration()

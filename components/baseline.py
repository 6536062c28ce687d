"""Which model a new one is compared with."""

from ml_metadata import MetadataStore
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy


class LastOtherBlessedModel(ResolverStrategy):
    """The model other than the candidate itself that was blessed last.

    TFX's LatestBlessedModelStrategy would choose the candidate as its own baseline as soon as it is
    blessed: a second run with nothing changed would evaluate it again instead of using the cache. And it would go by
    the age of the model, not of the blessing: a model that is pushed once more, after others, is the one that serves.
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks one model.

        Args:
          store: not used.
          input_dict: ``candidate``: the model that is to be judged; ``model``: all models;
            ``model_blessing``: all blessings.

        Returns:
          the same keys, ``model`` and ``model_blessing`` with the pick or empty.
        """
        candidates = {artifact.id for artifact in input_dict["candidate"]}
        blessing_of = last_blessings(input_dict["model_blessing"])
        blessed = [model for model in input_dict["model"] if model.id in blessing_of and model.id not in candidates]
        latest = sorted(blessed, key=lambda model: blessing_of[model.id].id)[-1:]
        return {
            "candidate": input_dict["candidate"],
            "model": latest,
            "model_blessing": [blessing_of[model.id] for model in latest],
        }


def last_blessings(blessings: list[types.Artifact]) -> dict[int, types.Artifact]:
    """The last blessing of each model that has one, by the model's id."""
    return {
        blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
        for blessing in sorted(blessings, key=lambda blessing: blessing.id)
        if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
    }

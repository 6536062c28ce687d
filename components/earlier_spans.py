"""What earlier runs made of an earlier span of the log."""

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components.example_gen import utils
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import artifact_utils, standard_artifacts

from components.baseline import last_blessings

_Age = tuple[int, int]


class LatestOfAnEarlierSpan(ResolverStrategy):
    """The artifact that was made of the latest span before that of this run; a blessed one, if blessings are given.

    Not simply the latest artifact: a run that is repeated for the same span would compare that span with itself, or
    learn from it twice, and find nothing in the cache. Logs without spans are told apart by when they were ingested.
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Picks one artifact.

        Args:
          store: ML Metadata, in which the requests are found that an artifact was made of.
          input_dict: ``examples``: the requests of this run; one more key: all artifacts to choose from;
            ``model_blessing``, if these are models: all blessings.

        Returns:
          the same keys, all but ``examples`` with the pick or empty.
        """
        [key] = set(input_dict) - {"examples", "model_blessing"}
        candidates = input_dict[key]
        made = {candidate.id: candidate.id for candidate in candidates}
        if "model_blessing" in input_dict:
            blessings = last_blessings(input_dict["model_blessing"])
            candidates = [candidate for candidate in candidates if candidate.id in blessings]
            made = {candidate.id: blessings[candidate.id].id for candidate in candidates}
        splits = {split for examples in input_dict["examples"] for split in _splits(examples)}
        candidates = [candidate for candidate in candidates if _splits(candidate) <= splits]
        now = max((_age(examples.mlmd_artifact) for examples in input_dict["examples"]), default=(0, 0))
        ages = {candidate.id: _age_of_requests(store, candidate.id) for candidate in candidates}
        earlier = [candidate for candidate in candidates if _is_before(ages[candidate.id], now)]
        pick = sorted(earlier, key=lambda candidate: (ages[candidate.id], made[candidate.id]))[-1:]
        return {name: [] for name in input_dict} | {"examples": input_dict["examples"], key: pick}


def _splits(artifact: types.Artifact) -> set[str]:
    """Of requests or statistics: those of a log that is only compared with have other splits."""
    has_splits = "split_names" in (artifact.PROPERTIES or {})
    return set(artifact_utils.decode_split_names(artifact.split_names)) if has_splits else set()


def _is_before(age: _Age | None, now: _Age) -> bool:
    """An earlier span; of a log without spans, which all have number 0, requests that were ingested earlier."""
    return age is not None and (age[0] < now[0] or (now[0] == 0 and age < now))


def _age(examples: metadata_store_pb2.Artifact) -> _Age:
    return examples.custom_properties[utils.SPAN_PROPERTY_NAME].int_value, examples.id


def _age_of_requests(store: MetadataStore, artifact: int) -> _Age | None:
    """The span and the id of the newest requests that an artifact was made of; not through a model it started from."""
    names = {artifact_type.id: artifact_type.name for artifact_type in store.get_artifact_types()}
    ages, seen, waiting = [], set(), {artifact}
    while waiting:
        seen |= waiting
        makers = {
            event.execution_id
            for event in store.get_events_by_artifact_ids(waiting)
            if event.type == metadata_store_pb2.Event.OUTPUT
        }
        inputs = {
            event.artifact_id
            for event in (store.get_events_by_execution_ids(makers) if makers else ())
            if event.type == metadata_store_pb2.Event.INPUT
        }
        found = store.get_artifacts_by_id(inputs - seen) if inputs - seen else []
        ages += [_age(one) for one in found if utils.SPAN_PROPERTY_NAME in one.custom_properties]
        waiting = {one.id for one in found if names[one.type_id] != standard_artifacts.Model.TYPE_NAME}
    return max(ages, default=None)

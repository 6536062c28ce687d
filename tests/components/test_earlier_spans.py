"""Which artifact of an earlier span is found, in a real metadata store."""

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from components.earlier_spans import LatestOfAnEarlierSpan

TYPES = ("Examples", "Model", "ModelBlessing", "ExampleStatistics")


class Shop:
    """What some runs left in the store: requests of a span -> transformed requests -> a model; and statistics."""

    def __init__(self):
        config = mlmd.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = ml_metadata.MetadataStore(config)
        self.types = {}
        for name in TYPES:
            self.types[name] = getattr(standard_artifacts, name)()._artifact_type
            self.types[name].id = self.store.put_artifact_type(self.types[name])
        self.execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="component"))

    def made(self, kind: str, *of: Artifact, splits=(), **properties: int) -> Artifact:
        artifact = getattr(standard_artifacts, kind)()
        artifact.uri = kind
        if splits:
            artifact.split_names = artifact_utils.encode_split_names(list(splits))
        for name, value in properties.items():
            artifact.set_int_custom_property(name, value)
        artifact.mlmd_artifact.type_id = self.types[kind].id
        [artifact.id] = self.store.put_artifacts([artifact.mlmd_artifact])
        [execution] = self.store.put_executions([mlmd.Execution(type_id=self.execution_type)])
        event = mlmd.Event
        events = [event(artifact_id=one.id, execution_id=execution, type=event.INPUT) for one in of]
        events.append(event(artifact_id=artifact.id, execution_id=execution, type=event.OUTPUT))
        self.store.put_events(events)
        return artifact

    def requests(self, span: int) -> Artifact:
        return self.made("Examples", splits=("train", "test"), span=span)

    def model(
        self, requests: Artifact, base: Artifact | None = None, blessed: bool = True
    ) -> tuple[Artifact, Artifact]:
        transformed = self.made("Examples", requests, splits=("train", "test"))
        model = self.made("Model", transformed, *([base] if base else []))
        return model, self.made("ModelBlessing", model, blessed=int(blessed), current_model_id=model.id)

    def pick(self, requests: Artifact, *models: tuple[Artifact, Artifact]) -> list[Artifact]:
        found = LatestOfAnEarlierSpan().resolve_artifacts(
            self.store,
            {
                "examples": [requests],
                "model": [model for model, _ in models],
                "model_blessing": [blessing for _, blessing in models],
            },
        )
        assert set(found) == {"examples", "model", "model_blessing"}
        return found["model"]


@pytest.fixture
def shop():
    return Shop()


def test_the_model_of_the_latest_earlier_span(shop):
    monday, tuesday, wednesday = (shop.requests(span) for span in (5, 6, 7))
    first = shop.model(monday)
    second = shop.model(tuesday, base=first[0])
    third = shop.model(wednesday, base=second[0])
    again = shop.model(monday)  # the first day once more, later
    models = (first, second, third, again)
    assert shop.pick(wednesday, *models) == [second[0]]  # not that of the same day
    assert shop.pick(tuesday, *models) == [again[0]]
    assert shop.pick(monday, *models) == []
    assert shop.pick(shop.requests(9), *models) == [third[0]]


def test_a_model_that_is_not_blessed_is_none(shop):
    good, bad = shop.model(shop.requests(5)), shop.model(shop.requests(6), blessed=False)
    assert shop.pick(shop.requests(7), good, bad) == [good[0]]


def test_of_one_span_the_model_that_was_blessed_last(shop):
    monday, tuesday = shop.requests(5), shop.requests(6)
    first, second = shop.model(monday), shop.model(monday)
    again = shop.made("ModelBlessing", first[0], blessed=1, current_model_id=first[0].id)
    assert shop.pick(tuesday, first, second) == [second[0]]
    assert shop.pick(tuesday, second, first, (first[0], again)) == [first[0]]


def test_logs_without_spans_are_told_apart_by_when_they_were_ingested(shop):
    before, now = shop.requests(0), shop.requests(0)
    models = shop.model(before), shop.model(now)
    assert shop.pick(now, *models) == [models[0][0]]
    assert shop.pick(before, *models) == []


def test_statistics_of_another_kind_of_log_are_none(shop):
    monday, tuesday = shop.requests(5), shop.requests(6)
    served = shop.made("Examples", splits=("all",), span=5)
    statistics = shop.made("ExampleStatistics", monday, splits=("train", "test"))
    others = shop.made("ExampleStatistics", served, splits=("all",))
    found = LatestOfAnEarlierSpan().resolve_artifacts(
        shop.store, {"examples": [tuesday], "statistics": [statistics, others]}
    )
    assert found["statistics"] == [statistics]

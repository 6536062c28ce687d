"""Which model a new one is compared with."""

from tfx.types import standard_artifacts

from components.baseline import LastOtherBlessedModel


def model(number):
    artifact = standard_artifacts.Model()
    artifact.id = number
    return artifact


def blessing(number, of, blessed=1):
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property("blessed", blessed)
    artifact.set_int_custom_property("current_model_id", of.id)
    return artifact


def pick(candidate, *blessings):
    models = [model(number) for number in (10, 20, 30)]
    found = LastOtherBlessedModel().resolve_artifacts(
        None, {"candidate": [candidate], "model": models, "model_blessing": list(blessings)}
    )
    return [artifact.id for artifact in found["model"]], [artifact.id for artifact in found["model_blessing"]]


def test_the_last_other_that_is_blessed():
    first, second, third = map(model, (10, 20, 30))
    blessings = blessing(11, first), blessing(21, second), blessing(31, third, blessed=0)
    assert pick(third, *blessings) == ([20], [21])
    assert pick(second, *blessings) == ([10], [11])
    assert pick(first, blessings[0]) == ([], [])


def test_a_model_that_is_blessed_again_is_the_last_one():
    first, second, third = map(model, (10, 20, 30))
    blessings = blessing(22, first), blessing(11, first), blessing(21, second)
    assert pick(third, *blessings) == ([10], [22])

import json

import pytest

from models.ranker.config import ModelConfig
from models.training.config import TrainConfig
from models.training.tuned_values import decode, encode, with_values
from models.tuning.search_space import TuneConfig, searched


@pytest.mark.parametrize(
    ("variant", "dropped"),
    [
        ("adv_hsc_moe", set()),
        ("hsc_moe", {"model.disagreeing", "model.adv_weight"}),
        ("adv_moe", {"model.hsc_weight"}),
        ("dnn", {"model.experts", "model.top_k", "model.disagreeing", "model.adv_weight", "model.hsc_weight"}),
        ("dnn_wide", {"model.top_k", "model.disagreeing", "model.adv_weight", "model.hsc_weight"}),
        ("mmoe", {"model.top_k", "model.disagreeing", "model.adv_weight", "model.hsc_weight"}),
        ("aw_moe", {"model.disagreeing", "model.adv_weight", "model.hsc_weight"}),
    ],
)
def test_what_the_variant_does_not_read_is_not_searched(variant, dropped):
    whole = {f"{section}.{key}" for section, keys in TuneConfig().space.items() for key in keys}
    assert searched(TuneConfig().space, ModelConfig(variant=variant)).keys() == whole - dropped


def test_a_weight_of_0_in_the_configuration_is_searched_all_the_same():
    assert searched({"model": {"adv_weight": [0.0, 0.1]}}, ModelConfig(variant="adv_moe", adv_weight=0.0))


def test_values_reach_the_configuration_with_their_types():
    choices = {
        "model.experts": [4, 16],
        "model.hidden": [[64, 32], [8]],
        "model.adv_pick": ["random", "lowest"],
        "model.noisy_gate": [True, False],
        "model.hsc_weight": [0.0, 0.5],
        "train.clip_norm": [None, 1.0],
    }
    # As it goes: KerasTuner's values, a JSON file, the Trainer.
    chosen = json.loads(json.dumps({key: encode(values)[-1] for key, values in choices.items()}))
    model, train = with_values(ModelConfig(top_k=2), TrainConfig(seed=7), decode(chosen))
    assert model == ModelConfig(top_k=2, experts=16, hidden=[8], adv_pick="lowest", noisy_gate=False, hsc_weight=0.5)
    assert train == TrainConfig(seed=7, clip_norm=1.0)
    assert with_values(model, train, {}) == (model, train)
    with pytest.raises(ValueError, match=r"`top_k` must be in \[1, experts=16\]. Received: top_k=17"):
        with_values(model, train, {"model.top_k": 17})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            {"model": {"expert": [4]}},
            "`model.expert` cannot be tuned. Did you mean `model.experts`? Allowed: model.exp",
        ),
        ({"train": {"seed": [1, 2]}}, "`train.seed` cannot be tuned. Allowed: "),
        ({"data": {"files": ["a"]}}, "`data.files` cannot be tuned. "),
        ({"model": {"experts": [4, 0]}}, "`model.experts`: Input should be greater than or equal to 1. Received: 0"),
        ({"model": {"hidden": {"min": 1, "max": 2}}}, "`model.hidden`: Input should be a valid list. Received: 1"),
        (
            {"model": {"experts": 4}},
            "`model.experts` must be a list of values or {min: , max: , log: true or false}. R",
        ),
        ({"model": {"experts": {"min": 4}}}, "`model.experts` must be a list of values or {min: , max: , log: true or"),
        ({"model": {"experts": {"min": 9, "max": 4}}}, "`model.experts`: `min` must be below `max`, and above 0 if"),
        ({"model": {"hsc_weight": {"min": 0, "max": 1, "log": True}}}, "`min` must be below `max`, and above 0 if"),
    ],
)
def test_a_space_that_cannot_be_is_refused_by_key_and_value(space, message):
    with pytest.raises(ValueError, match="space") as error:
        TuneConfig(space=space)
    assert message in str(error.value)

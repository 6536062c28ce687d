import pathlib

import pytest

from pipeline.ablation.plan import read_plan
from pipeline.config import ConfigError

DEMO = pathlib.Path(__file__).resolve().parents[3] / "pipeline" / "configs" / "demo.yaml"


def test_a_variant_is_a_name_or_a_label_with_keys_of_its_own():
    plan = read_plan("dnn, small=hsc_moe; hidden=[32,16] ;train.epochs=7", "3,1", DEMO, ["model.experts=6"])
    assert plan.labels == ["dnn", "small"]
    assert plan.seeds == [3, 1]
    assert [member.title for member in plan.members] == ["dnn, seed 3", "small, seed 3", "dnn, seed 1", "small, seed 1"]
    dnn, small = plan.members[:2]
    assert (dnn.model.variant, dnn.model.hidden, dnn.train.epochs, dnn.train.seed) == ("dnn", [128, 64], 3, 3)
    assert (small.model.variant, small.model.hidden, small.train.epochs) == ("hsc_moe", [32, 16], 7)
    assert dnn.model.experts == small.model.experts == 6
    assert plan.config.stop_after == "transform"


def test_a_key_of_its_own_that_a_variant_does_not_read_is_named():
    plan = read_plan("dnn,wide=dnn;top_k=2;hidden=[8],few=moe;top_k=2", "1,2", DEMO, ["model.hsc_weight=1"])
    assert plan.warnings == ["wide: `model.top_k`: not used by the variant dnn"]


def test_what_is_judged_otherwise_has_a_folder_of_its_own():
    assert read_plan("dnn", "1", DEMO).name == ""
    assert read_plan("dnn", "1", DEMO, among="brand=sub_category").name == "among-own-brand-sub_category"
    assert read_plan("dnn", "1", DEMO, held_out_leaves=0.1).name == "held-out-leaves-0.1"
    both = read_plan("dnn", "1", DEMO, among="brand=sub_category", held_out_leaves=0.1)
    assert both.name == "held-out-leaves-0.1-among-own-brand-sub_category"


@pytest.mark.parametrize("among", ["brand", "price=sub_category", "brand=history_brand", "sub_category=brand"])
def test_candidates_are_told_by_a_text_feature_of_item_and_request(among):
    with pytest.raises(ConfigError, match=f"--among must be <item feature>=<request feature>.*Received: '{among}'"):
        read_plan("dnn", "1", DEMO, among=among)


@pytest.mark.parametrize(
    ("variants", "seeds", "message"),
    [
        ("dnn,mo", "1", "--variants mo, seed 1: .*demo.yaml: `model.variant`: Input should be .* Received: 'mo'"),
        ("a=moe;expert=4", "1", "--variants a=moe;expert=4.*unknown key `model.expert`. Did you mean `experts`"),
        ("a=moe;train.epoch=4", "1", "unknown key `train.epoch`. Did you mean `epochs`"),
        ("a=moe;top_k=11", "1", r"`top_k` must be in \[1, experts=10\]. Received: top_k=11"),
        ("a=moe;top_k", "1", "--set needs key=value, .* Received: 'model.top_k'"),
        ("moe;top_k=2", "1", "--variants moe;top_k=2: keys need a label, as in name=moe;top_k=2"),
        ("a=moe;train.seed=4", "1", "`train.seed` cannot be set for one variant"),
        (
            "dnn,a=moe;tasks=[purchase,click]",
            "1",
            "is judged by purchase, its first task, and the first variant by click",
        ),
        ("dnn,dnn", "1", "'dnn' stands there twice"),
        ("dnn,", "1", "must be names, or label=variant;key=value.* Received: ''"),
        ("a/b=dnn", "1", "must be names.* Received: 'a/b=dnn'"),
        ("dnn", "1,1", "--seeds must be different whole numbers from 0, as in 1,2,3. Received: '1,1'"),
        ("dnn", "-1", "--seeds must be different whole numbers .* Received: '-1'"),
        ("dnn", "", "--seeds must be different whole numbers .* Received: ''"),
    ],
)
def test_what_cannot_be_is_refused_by_flag_key_and_value(variants, seeds, message):
    with pytest.raises(ConfigError, match=message):
        read_plan(variants, seeds, DEMO)


@pytest.mark.parametrize("override", ["train.seed=9", "model.variant=moe", "stop_after=push"])
def test_an_override_that_the_other_flags_say_is_refused(override):
    with pytest.raises(ConfigError, match=f"--set {override}: .* cannot be set for an ablation"):
        read_plan("dnn", "1", DEMO, [override])


def test_baselines_are_variants_of_the_ablation():
    assert read_plan("dnn,a=moe", "1", DEMO, baselines=["a"]).baselines == ("a",)
    with pytest.raises(ConfigError, match=r"--baselines must be some of dnn, a\. Received: 'moe'"):
        read_plan("dnn,a=moe", "1", DEMO, baselines=["moe"])

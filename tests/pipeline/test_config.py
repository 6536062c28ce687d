import pathlib

import pytest

from pipeline.config import ConfigError, load_config
from pipeline.sections import describe_keys, unused_keys

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "pipeline" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_of_the_project_can_be_read(path, tmp_path):
    config, schema = load_config(path, data=str(tmp_path))
    assert config.name == path.stem
    assert config.data.path == str(tmp_path)
    assert schema.labels


def test_overrides_are_read_as_yaml():
    config, _ = load_config(
        CONFIGS / "demo.yaml",
        [
            "model.experts=16",
            "train.learning_rate=1e-2",
            "model.hidden=[32, 16]",
            "data.split.by=user",
            "model.variant=moe",
        ],
    )
    assert config.model.experts == 16
    assert config.train.learning_rate == 0.01
    assert config.model.hidden == [32, 16]
    assert config.data.split.by == "user"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model.variant=adv_hsc_moe", "model.hsc_weight=1", "model.hidden=[8]"], []),
        # Of the file, of --set, and not those that nobody set.
        (
            ["model.variant=dnn", "model.hsc_weight=1", "model.hidden=[8]"],
            ["`model.top_k`, `model.hsc_weight`, `model.load_balance_weight`: not used by the variant dnn"],
        ),
        (["model.variant=moe", "model.adv_weight=0"], ["`model.adv_weight`: not used by the variant moe"]),
    ],
)
def test_keys_that_the_variant_does_not_read_are_named(overrides, expected):
    config, _ = load_config(CONFIGS / "demo.yaml", overrides)
    assert unused_keys(config.model) == expected


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.expert=16"], "unknown key `model.expert`. Did you mean `experts`? Allowed here: variant, tasks,"),
        (["modle.experts=16"], "unknown key `modle`. Did you mean `model`? Allowed here: name, schema, simulate"),
        (["model.experts=many"], "`model.experts`: Input should be a valid integer. Received: 'many'"),
        (["model.experts='16'"], "`model.experts`: Input should be a valid integer. Received: '16'"),
        (["model.variant=mo"], "`model.variant`: Input should be 'dnn', 'dnn_wide'"),
        (["model.top_k=11"], "`model`: `top_k` must be in [1, experts=10]. Received: top_k=11"),
        (["model.disagreeing=7"], "`disagreeing` must be in [1, experts - top_k = 4]. Received: disagreeing=7"),
        (["evaluation.slice_levels=[3]"], "`evaluation.slice_levels` must be in [1, 2], the category levels of"),
        (["model.tasks=[like]"], "`model.tasks`: `tasks` must be some of click, purchase. Received: 'like'"),
        (["schema=none.pbtxt"], "`schema`: no file 'none.pbtxt' in"),
        (["data.path=/no/such/folder"], "`data.path` must be a folder. Received: '/no/such/folder'"),
        (["simulate=null"], "`data.path` is missing"),
        (["data.columns={shape: x}"], "shape"),
        (
            ["data.split.fractions={train: 0.9, eval: 0.1}"],
            "must name the splits test, train, valid. Received: eval, train",
        ),
        (["data.split.fractions={train: 0.8, valid: 0.1, test: 0.1, ../x: 0}"], "a split's name must be of letters"),
        (["model.experts=!!python/object/apply:os.getpid []"], "the value is no YAML: could not determine a construc"),
        (["model"], "--set needs key=value"),
        (["data.split.fractions={train: .nan, valid: 0.1, test: 0.1}"], "`data.split.fractions` must be above 0"),
        (["data.columns={brand: []}"], "at least 1 item"),
        (["data.category_path={column: x, separator: ''}"], "`data.category_path.separator`: String should have"),
        (["data.constants={price: 1e39}"], "`data.constants.price` must be in the feature's range"),
        (["name=a/b"], "`name`: String should match pattern"),
        ([f"name={'a' * 101}"], "`name`: String should have at most 100 characters"),
        (
            ["tune.space.model.experts=4"],
            "`tune.space`: `model.experts` must be a list of values or {min: , max: , log:",
        ),
        (["stop_after=tune"], "`stop_after: tune` needs `tune.enabled: true`. Received: false"),
        (
            ["tune.enabled=true", "model.variant=dnn", "tune.space.model.experts=[4]"],
            "`tune.space` must name a key that the variant dnn reads. Received: {'model': {'experts': [4]}}",
        ),
        (["train.seed=-1"], "`train.seed`: Input should be greater than or equal to 0. Received: -1"),
    ],
)
def test_what_cannot_be_is_refused_by_file_key_and_value(overrides, message):
    with pytest.raises(ConfigError) as error:
        load_config(CONFIGS / "demo.yaml", overrides)
    assert message in str(error.value)
    assert "demo.yaml" in str(error.value) or "--set" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "is no YAML"),
        ("- name", "must hold keys and values"),
        ("name: a\nname: b\nschema: schemas/demo.pbtxt", "key 'name' stands there twice"),
        ("schema: schemas/demo.pbtxt", "`name`: Field required"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"shop\.yaml") as error:
        load_config(path)
    assert message in str(error.value)


def test_the_help_names_every_key_with_its_default():
    text = describe_keys()
    assert "  model.experts (10): N, the number of experts [C]" in text
    assert "  name (needed): " in text
    assert "  data.split.by (time): " in text
    assert "  tune.trials (20): " in text
    assert all(f"  {key}" in text for key in ("train.seed", "evaluation.min_session_auc", "hierarchy.min_count"))

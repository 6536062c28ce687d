"""The number of passes that run_fn is told."""

import json

import pytest
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components.trainer.executor import Executor

# Saves what it is told in place of a model.
RUN_FN = """
import json, os
def run_fn(fn_args):
    os.makedirs(fn_args.serving_model_dir)
    with open(f"{fn_args.serving_model_dir}/told.json", "w") as file:
        json.dump(fn_args.custom_config, file)
"""


@pytest.mark.parametrize(("given", "epochs"), [({}, 3), ({"epochs": 8}, 8)])
def test_epochs_of_the_run_come_first(tmp_path, monkeypatch, given, epochs):
    (tmp_path / "module_of_this_test.py").write_text(RUN_FN)
    monkeypatch.syspath_prepend(tmp_path)
    artifacts = {}
    for name, kind in (("examples", "Examples"), ("model", "Model"), ("model_run", "ModelRun")):
        artifacts[name] = getattr(standard_artifacts, kind)()
        artifacts[name].uri = str(tmp_path / name)
    artifacts["examples"].split_names = '["train", "eval"]'
    for split in ("train", "eval"):
        (tmp_path / "examples" / f"Split-{split}").mkdir(parents=True)
    config = json_utils.dumps({"train": {"epochs": 3, "seed": 1}, "code": "x"})
    properties = {"run_fn": "module_of_this_test.run_fn", "train_args": "{}", "eval_args": "{}"}
    properties |= {"custom_config": config} | given
    outputs = {name: [artifacts[name]] for name in ("model", "model_run")}
    Executor(Executor.Context()).Do({"examples": [artifacts["examples"]]}, outputs, properties)
    told = json.loads(next((tmp_path / "model").glob("**/told.json")).read_text())
    assert told == {"train": {"epochs": epochs, "seed": 1}, "code": "x"}
    assert properties["custom_config"] == config  # the caller's own

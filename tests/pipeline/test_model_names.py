from tfx.dsl.compiler.compiler import Compiler

from pipeline.config import load_config
from pipeline.model_names import node_id
from pipeline.orchestration import LOCAL
from pipeline.pipeline import Places, create_pipeline


def test_an_id_begins_with_the_name_of_the_model():
    assert (node_id("Trainer"), node_id("Trainer", "pre_ranker")) == ("RankerTrainer", "PreRankerTrainer")


def test_the_baseline_and_the_warm_start_have_a_blessing_of_the_same_model_s_evaluator():
    sets = ["train.warm_start=true"]
    config, schema = load_config("pipeline/configs/demo.yaml", sets, "gs://bucket/log", needs_log=False)
    compiled = Compiler().compile(create_pipeline(config, schema, Places.below("folder"), LOCAL))
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled.nodes}
    for name in ("RankerBaselineResolver", "RankerEarlierModelResolver"):
        channels = [channel for given in nodes[name].inputs.inputs.values() for channel in given.channels]
        [blessing] = [channel for channel in channels if channel.artifact_query.type.name == "ModelBlessing"]
        contexts = [query.name.field_value.string_value for query in blessing.context_queries]
        assert "demo.RankerEvaluator" in contexts

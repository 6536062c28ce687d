"""The gates that a configuration asks for."""

from models.inputs.features import RankerInputs
from models.layers.behaviour_gates import BehaviourGates
from models.layers.bucket_gates import BucketGates
from models.layers.category_gates import CategoryGates
from models.layers.routing import Gates
from models.ranker.config import ModelConfig


def new_gates(config: ModelConfig, inputs: RankerInputs, name: str) -> Gates:
    """The gates of one task of a mixture.

    Args:
      config: of a variant that has a gate.
      inputs: the features of the ranker.
      name: of the layer, begins the names of its weights.
    """
    if config.parts.gate == "bucket":
        return BucketGates(inputs.category_traffic[0], config.buckets, config.experts, name=name)
    sees_behaviours = config.parts.gate == "behaviour"
    gates = CategoryGates(
        inputs.category_traffic,
        config.experts,
        min(config.top_k, config.experts),
        config.embedding_size,
        noisy=config.noisy_gate and not sees_behaviours,
        constrained=config.constrained,
        back_off=config.back_off,
        speed=config.gate_speed,
        spread=config.gate_spread,
        name=name,
    )
    if not sees_behaviours:
        return gates
    mask = config.behaviour_mask if config.contrastive else 0.0
    return BehaviourGates(
        gates, inputs.category_sizes, config.experts, config.embedding_size, mask, config.behaviour_gate, name=name
    )

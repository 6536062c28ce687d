"""Configuration of the ranker: the section `model` of a run's YAML file."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator

from common.section import Section
from models.ranker.variants import VARIANTS, Parts

# Which keys are read by some variants only, and the parts that read them, whatever the values of other keys.
_READERS: dict[tuple[str, ...], Callable[[Parts], bool]] = {
    ("experts",): lambda parts: parts.gate != "none" or parts.wide,
    ("buckets",): lambda parts: parts.gate == "bucket",
    ("history",): lambda parts: not parts.attention,
    ("top_k", "dispatch", "load_balance_weight", "back_off", "gate_speed", "gate_spread"): (
        lambda parts: parts.gate in ("category", "behaviour")
    ),
    ("noisy_gate",): lambda parts: parts.gate == "category",
    ("disagreeing", "adv_weight", "adv_pick", "adv_space"): lambda parts: parts.disagreement,
    ("hsc_weight", "hsc_over", "hsc_space", "hsc_stop_parent_gradient"): lambda parts: parts.constraint,
    ("behaviour_gate", "contrastive_weight", "contrastive_temperature", "behaviour_mask"): (
        lambda parts: parts.gate == "behaviour"
    ),
}
_READ_BY = {key: reader for keys, reader in _READERS.items() for key in keys}


class ModelConfig(Section):
    """The ranker. [A], [C], [D] behind a default name its source: the papers, their code, our choice."""

    variant: Literal[tuple(VARIANTS)] = Field(
        "adv_hsc_moe", description="which ranker; docs/method.md's table of variants"
    )
    tasks: list[str] = Field(
        [],
        description="labels that are trained, a gate each, and judged by the first; the schema's first label",
    )
    score_weights: list[float] = Field([], description="of the tasks' probabilities in an item's score; equal")
    experts: int = Field(10, ge=1, description="N, the number of experts [C]")
    top_k: int = Field(4, ge=1, description="K, how many experts score a request [C]")
    disagreeing: int = Field(1, ge=1, description="D, how many idle experts the active ones disagree with [C]")
    hidden: list[int] = Field([128, 64], min_length=1, description="units of an expert's hidden layers [C]")
    dispatch: Literal["sparse", "dense"] = Field(
        "sparse", description="only the chosen experts are computed, or all of them: shapes do not depend on values"
    )
    bfloat16: bool = Field(False, description="training computes the experts' hidden layers in bfloat16 [D]")
    embedding_size: int = Field(16, ge=1, description="width of every embedding, the gate's included [D]")
    cross_layers: int | None = Field(None, ge=0, description="DCN's, before the towers; 2 for dcn, else 0")
    history: Literal["mean", "attention"] = Field(
        "mean", description="how a history is pooled; din and the aw variants always attend (DIN's target attention)"
    )
    position_tower: bool = Field(False, description="a logit for the position shown, in training only [D]")
    noisy_gate: bool = Field(True, description="noise on the gate's logits in training [C]")
    batch_norm: bool = Field(True, description="the experts' input is batch-normalised [C], once for all experts [D]")
    gate_speed: float = Field(
        30.0, gt=0, description="how many times as fast, under Adam, the gate's embeddings learn [D]"
    )
    gate_spread: float = Field(0.1, gt=0, description="spread of the gate's embeddings at the start [D]")
    back_off: bool = Field(
        True, description="an unknown category is routed by its parent's constraint gate, or the mean gate [D]"
    )
    hsc_weight: float = Field(0.1, ge=0, description="lambda_hsc [D]")
    hsc_over: Literal["topk", "all"] = Field("topk", description="experts the constraint is summed over [D]")
    hsc_space: Literal["probability", "logit"] = Field("probability", description="space of the constraint [D]")
    hsc_stop_parent_gradient: bool = Field(False, description="the parent's gate is not pulled to the child's [D]")
    adv_weight: float = Field(1e-2, ge=0, description="lambda_adv [D]")
    adv_pick: Literal["random", "lowest"] = Field("random", description="how the disagreeing experts are drawn [A]")
    adv_space: Literal["probability", "logit"] = Field("probability", description="space of the disagreement [D]")
    load_balance_weight: float = Field(0.1, ge=0, description="lambda_lb [C]")
    buckets: int = Field(4, ge=1, description="M, mmoe's buckets of top categories of about equal traffic [A: 4, 10]")
    behaviour_gate: Literal["topk", "softmax"] = Field(
        "topk", description="how the aw variants' gate weighs the experts [D]"
    )
    contrastive_weight: float = Field(1e-3, ge=0, description="lambda_cl, of the aw variants [D]")
    contrastive_temperature: float = Field(0.1, gt=0, description="tau [D]")
    behaviour_mask: float = Field(0.3, gt=0, lt=1, description="share of behaviours masked for the contrast [D]")
    loss: Literal["cross_entropy", "pairwise_logistic", "softmax", "approx_ndcg"] = Field(
        "cross_entropy", description="cross-entropy [C], or one of TF-Ranking's losses over the list"
    )

    @model_validator(mode="after")
    def _possible(self):
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"`tasks` must name each label once. Received: tasks={self.tasks}")
        if self.score_weights and len(self.score_weights) != max(1, len(self.tasks)):
            raise ValueError(
                f"`score_weights` must hold one number for each of the {max(1, len(self.tasks))} tasks. "
                f"Received: score_weights={self.score_weights}"
            )
        if self.score_weights and (min(self.score_weights) < 0 or not sum(self.score_weights)):
            raise ValueError(
                f"`score_weights` must not be negative, nor all 0. Received: score_weights={self.score_weights}"
            )
        if len(self.tasks) > 1 and self.loss != "cross_entropy":
            raise ValueError(
                "several `tasks` need `loss: cross_entropy`: the others leave a request's scores open to a shift, and "
                f"probabilities of tasks could not be weighed. Received: loss={self.loss}"
            )
        if not self.chooses_experts:
            return self
        if self.top_k > self.experts:
            raise ValueError(f"`top_k` must be in [1, experts={self.experts}]. Received: top_k={self.top_k}")
        if self.adversarial and self.top_k + self.disagreeing > self.experts:
            raise ValueError(
                f"`disagreeing` must be in [1, experts - top_k = {self.experts - self.top_k}]. "
                f"Received: disagreeing={self.disagreeing}"
            )
        return self

    @property
    def parts(self) -> Parts:
        """The variant's row of `VARIANTS`."""
        return VARIANTS[self.variant]

    def reads(self, key: str) -> bool:
        """Whether the variant reads a key of this section, whatever the values of the others."""
        return key not in _READ_BY or _READ_BY[key](self.parts)

    @property
    def unread(self) -> list[str]:
        """The keys that were given a value, and that the variant does not read."""
        return [key for key in type(self).model_fields if key in self.model_fields_set and not self.reads(key)]

    @property
    def mixture(self) -> bool:
        """Whether the variant has experts and a gate."""
        return self.parts.gate != "none"

    @property
    def sparse(self) -> bool:
        """Whether a request is scored by K experts and the others are not computed."""
        gate = self.parts.gate
        return gate == "category" or (gate == "behaviour" and self.behaviour_gate == "topk")

    @property
    def chooses_experts(self) -> bool:
        """Whether the variant tells K active experts from the others, to score with or for Adv and HSC."""
        return self.sparse or self.adversarial or self.constrained

    @property
    def adversarial(self) -> bool:
        """Whether the experts are trained to disagree."""
        return self.parts.disagreement and self.adv_weight > 0

    @property
    def constrained(self) -> bool:
        """Whether the gate has the hierarchical soft constraint."""
        return self.parts.constraint and self.hsc_weight > 0

    @property
    def balanced(self) -> bool:
        """Whether the experts are kept about equally busy: an expert that is never chosen learns nothing."""
        return self.sparse and self.load_balance_weight > 0

    @property
    def contrastive(self) -> bool:
        """Whether the gate is trained to withstand the loss of behaviours."""
        return self.parts.gate == "behaviour" and self.contrastive_weight > 0

    @property
    def cross_layer_count(self) -> int:
        """How many cross layers there are."""
        return self.parts.cross_layers if self.cross_layers is None else self.cross_layers

    @property
    def target_attention(self) -> bool:
        """Whether histories are pooled by target attention."""
        return self.parts.attention or self.history == "attention"

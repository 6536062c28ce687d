"""Configuration of the training: the section `train` of a run's YAML file."""

from typing import Literal

from pydantic import Field, model_validator

from common.section import Section


class TrainConfig(Section):
    """How the ranker is trained."""

    seed: int = Field(1, ge=0, description="of the weights, the order of the requests and the gate's noise")
    epochs: int = Field(3, ge=1, description="passes over the training split")
    batch_requests: int = Field(32, ge=1, description="requests a step")
    shuffle_requests: int = Field(10_000, ge=1, description="shuffle buffer over the log's order of time; 1: none")
    optimizer: Literal["adam", "lazy_adam"] = Field(
        "adam",
        description="[C]: adam; lazy_adam moves only the embeddings that a batch looks up, see docs/benchmarks.md",
    )
    learning_rate: float = Field(1e-3, gt=0)
    schedule: Literal["constant", "cosine"] = Field("constant", description="cosine decays to 0 at the last step")
    warmup_steps: int = Field(0, ge=0, description="steps in which the learning rate rises from 0")
    clip_norm: float | None = Field(None, gt=0, description="global norm that gradients are cut to")
    validations_per_epoch: int = Field(2, ge=1, description="each also writes a checkpoint to resume from")
    warm_start: bool = Field(
        False,
        description="start from the last blessed model of an older span, by name and token, and train on the newest "
        "span of `data.window` alone; without such a model, and with false, on the whole window; docs/day-after-day.md",
    )
    patience: int = Field(3, ge=1, description="validations without a better session AUC before training stops")
    max_adversarial_ratio: float = Field(
        1.0,
        gt=0,
        description="training stops where disagreement, times adv_weight, is more than so many times the ranking loss",
    )
    max_session_auc: float = Field(
        0.995,
        gt=0.5,
        le=1,
        description="training stops where the validation's session AUC is above it: a label has leaked; 1: never",
    )
    max_expert_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of the requests that no expert should be above; half-way from K / N to 1 unless given",
    )
    on_collapse: Literal["stop", "warn"] = Field("warn", description="what an expert above that does to the training")
    strategy: Literal["default", "mirrored", "multi_worker"] = Field(
        "default",
        description="one process; mirrored: all GPUs of this machine; multi_worker: several processes, on this machine "
        "or on those of TF_CONFIG, docs/training.md",
    )
    workers: int = Field(2, ge=2, description="processes that multi_worker starts on this machine without TF_CONFIG")

    @property
    def in_one_process(self) -> "TrainConfig":
        """The same training without workers, for the many small ones of a search or an ablation: a step is the same."""
        return self.model_copy(update={"strategy": "default"}) if self.strategy == "multi_worker" else self

    @model_validator(mode="after")
    def _something_for_each_worker(self):
        if self.strategy == "multi_worker" and self.batch_requests < self.workers:
            raise ValueError(
                f"`batch_requests` is the batch of all workers and must be at least workers={self.workers}. "
                f"Received: batch_requests={self.batch_requests}"
            )
        return self

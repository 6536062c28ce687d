"""Which features of a log, besides its inputs, a ranker is trained with: its labels, histories and positions."""

from models.ranker.config import ModelConfig
from schemas.log_schema import Feature, LogSchema


def trained_labels(schema: LogSchema, config: ModelConfig) -> list[Feature]:
    """The labels that are trained: ``config.tasks``, or the schema's first. A ranker is judged by the first of them.

    Raises:
      ValueError: if the schema has no such label.
    """
    labels = {label.name: label for label in schema.labels}
    for task in config.tasks:
        if task not in labels:
            raise ValueError(f"`tasks` must be some of {', '.join(labels)}. Received: {task!r}")
    return [labels[task] for task in config.tasks] or [schema.labels[0]]


def check_features(schema: LogSchema, config: ModelConfig) -> None:
    """Raises a ValueError if the schema lacks a feature that ``config`` asks for."""
    if config.target_attention and not schema.histories:
        raise ValueError(
            f"variant={config.variant}, history={config.history} needs a feature with the tag role:history, "
            "and the schema has none"
        )
    if config.position_tower and schema.position is None:
        raise ValueError("`position_tower` needs a feature with the tag role:position, and the schema has none")

"""Which of a log's labels a ranker is trained on."""

from models.config import ModelConfig
from schemas.reader import Feature, LogSchema


def trained_label(schema: LogSchema, config: ModelConfig) -> Feature:
    """The label that is trained: ``config.label``, or the schema's first.

    Raises:
      ValueError: if the schema has no such label.
    """
    labels = {label.name: label for label in schema.labels}
    if config.label is None:
        return schema.labels[0]
    if config.label not in labels:
        raise ValueError(f"`label` must be one of {', '.join(labels)}. Received: label={config.label!r}")
    return labels[config.label]

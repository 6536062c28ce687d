"""What everyone who quotes a figure of a report must know, a line each."""

from models.ranker.config import ModelConfig


def marks(simulated: bool, note: str | None, data: dict, model: ModelConfig, labels: list[str]) -> list[str]:
    """The marks of a run.

    Args:
      simulated: whether the log is one that this project made up.
      note: `report.note`.
      data: the section `data` of the configuration.
      model: what was trained.
      labels: the labels that were trained, the judging one first.
    """
    found = []
    if simulated:
        found.append("The log is simulated: its figures say nothing of a real shop.")
    if note:
        found.append(note)
    if data.get("negatives"):
        found.append(
            "The negatives are sampled, not what users were shown and left (`data.negatives`): figures are comparable "
            "with those of the same sampling alone."
        )
    if not probabilities(model, labels):
        found.append(
            "Scores order the items and are no probabilities of a label "
            f"({'several tasks' if len(labels) > 1 else f'loss: {model.loss}'}): log loss and calibration mean nothing."
        )
    if len(labels) > 1:
        found.append(f"Trained on {', '.join(labels)}, judged by {labels[0]}.")
    return found


def probabilities(model: ModelConfig, labels: list[str]) -> bool:
    """Whether the scores are probabilities of the judging label."""
    return model.loss == "cross_entropy" and len(labels) == 1

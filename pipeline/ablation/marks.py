"""What everyone who quotes a figure of an ablation must know, a line each."""

from models.ranker.labels import trained_labels
from pipeline.ablation.plan import Plan
from reporting import marks as of_a_run


def marks(plan: Plan, held_out: int) -> list[str]:
    """The marks of an ablation: those of a run with any of its variants, and those of how it judges.

    Args:
      plan: the ablation.
      held_out: how many leaf categories training did not see.
    """
    config, data = plan.config, plan.config.data.model_dump(mode="json", by_alias=True)
    by_label = {}
    for member in plan.members:
        labels = [label.name for label in trained_labels(plan.schema, member.model)]
        by_label[member.label] = of_a_run.marks(
            config.simulate is not None, config.report.note, data, member.model, labels
        )
    found = []
    for label, lines in by_label.items():
        for line in lines:
            common = all(line in others for others in by_label.values())
            found.append(line if common else f"{label}: {line}")
    if plan.among:
        item, request = plan.among
        found.append(f"Judged among the candidates whose {item} is the request's {request} alone.")
    if held_out:
        found.append(
            f"Judged on requests of {held_out} leaf categories that no training saw, whose leaf is unknown to the "
            "ranker; vocabularies and the numbers' scale are of the whole training split."
        )
    if len(plan.seeds) == 1:
        found.append(
            "One seed says nothing of the noise of training, which is often as large as the differences: intervals are "
            "over requests alone."
        )
    return list(dict.fromkeys(found))

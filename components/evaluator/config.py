"""The section `evaluation` of a run's YAML file."""

from pydantic import Field

from common.section import Section


class EvaluationConfig(Section):
    """What a model must show on the test split to be pushed."""

    slice_levels: list[int] = Field([1], description="levels of the category path whose categories are shown apart")
    min_session_auc: float = Field(0.5, ge=0, le=1, description="a model below it is not pushed")
    max_session_auc_drop: float = Field(0.005, ge=0, description="nor one that falls further below the last blessed")
    max_category_session_auc_drop: float = Field(
        0.03, ge=0, description="nor one that does so in a large category of `slice_levels`"
    )
    large_category_share: float = Field(
        0.05, ge=0, le=1, description="of the requests that session AUC judges, from which a category is large"
    )
    large_category_requests: int = Field(
        200, ge=1, description="and how many of them there must be: chance decides on fewer"
    )
    max_calibration_error: float | None = Field(
        0.3,
        gt=0,
        description="nor one whose scores are further from the rate of clicks, |mean score / mean label - 1|; null: "
        "not looked at, nor are scores that are no probabilities of one label (other losses, several tasks)",
    )
    max_ties: float = Field(
        0.5, ge=0, le=1, description="nor one that gives more pairs of a clicked and another item the same score"
    )
    allow_signature_change: bool = Field(
        False, description="push a model that callers of the last blessed one cannot call or read as they do now"
    )

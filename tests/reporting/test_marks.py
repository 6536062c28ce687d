import pytest

from models.ranker.config import ModelConfig
from reporting.marks import marks


@pytest.mark.parametrize(
    ("given", "beginnings"),
    [
        ((False, None, {}, ModelConfig(), ["click"]), []),
        ((False, "Clicks are reviews.", {}, ModelConfig(), ["click"]), ["Clicks are reviews."]),
        ((True, None, {"negatives": None}, ModelConfig(), ["click"]), ["The log is simulated"]),
        ((False, None, {"negatives": {"per_positive": 4}}, ModelConfig(), ["click"]), ["The negatives are sampled"]),
        ((False, None, {}, ModelConfig(loss="softmax"), ["click"]), ["Scores order the items"]),
        ((False, None, {}, ModelConfig(), ["click", "buy"]), ["Scores order the items", "Trained on click, buy"]),
    ],
)
def test_marks(given, beginnings):
    found = marks(*given)
    assert len(found) == len(beginnings)
    assert all(mark.startswith(beginning) for mark, beginning in zip(found, beginnings, strict=True))

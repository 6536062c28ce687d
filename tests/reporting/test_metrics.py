import json

import numpy as np
import pytest

import models.metrics
from reporting.metrics import COMPARED, METRICS, PER_REQUEST, SHOWN
from reporting.request_metrics import made, of_requests


def test_each_class_of_a_metric_has_one_row():
    assert sorted(metric.class_name for metric in METRICS.values()) == sorted(models.metrics.__all__)


@pytest.mark.parametrize("name", METRICS)
def test_a_row_makes_its_class_and_its_arguments_are_json(name):
    metric = METRICS[name]
    arguments = metric.arguments((0.0, 1.0))
    assert json.loads(json.dumps(arguments)) == arguments
    assert made(metric, (0.0, 1.0)).name == name
    assert metric.title
    assert metric.explanation


def test_metrics_of_requests_have_a_column_each():
    found = of_requests(np.array([2, 1]), np.array([1, 0, 0]), np.array([0.1, 0.2, 0.3], np.float32), (0.0, 1.0))
    assert tuple(found) == PER_REQUEST
    assert found["session_auc"][0] == 0
    assert found["mrr"][0] == 0.5
    assert np.isnan(found["session_auc"][1])
    assert set(COMPARED) <= set(PER_REQUEST) <= set(SHOWN)

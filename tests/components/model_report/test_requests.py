"""What is kept of the test requests: the same whatever their order, no more than allowed, and back from the file."""

import dataclasses

import numpy as np
import pytest

from components.model_report.nodes import list_nodes
from components.model_report.requests import judged_requests
from components.model_report.slices import divisions
from reporting.judged_requests import parquet, read_parquet
from tests.components.model_report.test_figures import ByItem, evaluated, hierarchy, split


def kept(one, most=10**6):
    found = evaluated(one, ByItem())
    _, nodes = list_nodes(hierarchy(), one.categories)
    return judged_requests(found, nodes, divisions(found), most)


def reordered(one):
    """The same requests from the last to the first, each with its items from the last to the first."""
    return dataclasses.replace(
        one, **{name: values[::-1].copy() for name, values in vars(one).items() if isinstance(values, np.ndarray)}
    )


def columns(of):
    found = {**vars(of), **vars(of.ranking), **of.ranking.by_request}
    return {name: values for name, values in found.items() if isinstance(values, np.ndarray)}


def test_a_file_holds_what_was_kept(tmp_path):
    before = kept(split(300))
    (tmp_path / "requests.parquet").write_bytes(parquet(before))
    after = read_parquet(str(tmp_path / "requests.parquet"))
    for name, values in columns(after).items():
        np.testing.assert_allclose(values, columns(before)[name], rtol=1e-6, err_msg=name)
    assert (after.whole, after.ranking.auc) == (300, before.ranking.auc)
    for one, other in zip(after.divided, before.divided, strict=True):
        assert (one.title, one.names, one.place.tolist()) == (other.title, other.names, other.place.tolist())
    with pytest.raises(ValueError, match="is no file of a report's requests"):
        read_parquet(__file__)


def test_of_many_the_same_are_kept_whatever_their_order_and_take_little():
    one = split(3000)
    some, same = kept(one, 500), kept(reordered(one), 500)
    for name in ("requests", "contents", "items", "positives", "nodes"):
        np.testing.assert_array_equal(getattr(some, name), getattr(same, name), name)
    assert (len(some.requests), some.whole) == (500, 3000)
    assert np.isnan(some.ranking.auc)
    # A fair draw, of the requests as they come.
    assert abs(np.isin(one.requests[:1500], some.requests).sum() - 250) < 60
    assert len(parquet(some)) < 500 * 64 + 8000


def test_other_items_or_labels_are_other_contents():
    one = split(200)
    grades, items = one.grades.copy(), one.items.copy()
    grades[one.request_of_item == 7] ^= 1
    items[one.request_of_item == 9] += 1
    before, after = (dict(zip(of.requests, of.contents, strict=True)) for of in (
        kept(one), kept(dataclasses.replace(one, grades=grades, items=items))))  # fmt: skip
    assert [request for request in before if before[request] != after[request]] in (
        [one.requests[7], one.requests[9]],
        [one.requests[9], one.requests[7]],
    )

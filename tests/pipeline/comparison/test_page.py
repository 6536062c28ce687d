"""The page of a comparison in a browser. REPORT_SCREENSHOTS=<folder> keeps pictures of it."""

import pytest

from common.escaping import one_line, printable
from pipeline.comparison.compare import compare
from pipeline.comparison.page import render
from pipeline.comparison.runs import read_runs
from tests.browser import PHONE, chromium, screenshot
from tests.components.model_report.made_up import HOSTILE, made_up
from tests.pipeline.comparison.made_up_runs import made_up_requests, write_run

HOSTILE_RUN = "<img src=x onerror=window.hacked=1>\u202e{{ 7 * 7 }}"
ROWS = "#category-table tbody tr[data-node]"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


def page_of(folder, contents, requests, names, *overrides):
    runs = [
        write_run(folder / name, content, of, *more)
        for name, content, of, more in zip(names, contents, requests, ((), overrides), strict=True)
    ]
    first, second = read_runs(*map(str, runs))
    return render(compare(first, second), first, second)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    demo, hostile = made_up(), made_up(80, names=HOSTILE[:-1])  # JSON has no bytes that are no UTF-8
    bare = demo.model_copy(update={"experts": None, "curves": [], "training": {}, "seconds": {}, "marks": []})
    settings = ["model.variant=moe", "model.hidden=[64, 32]", "train.learning_rate=1e-3"]
    made = {
        "demo": page_of(
            folder / "same", [made_up(seed=2), demo], _requests(demo, 0.01), ["monday", "tuesday"], *settings
        ),
        "hostile": page_of(folder / "odd", [hostile, hostile], _requests(hostile, -0.01), ["constructor", HOSTILE_RUN]),
        "apart": page_of(
            folder / "apart", [made_up(seed=2), bare], _requests(demo, 0.1, first=3000), ["monday", "tuesday"]
        ),
    }
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return folder


def _requests(content, lift, first=0):
    return made_up_requests(content), made_up_requests(content, lift=lift, seed=1, first=first)


def test_the_page_says_which_is_better_and_what_that_stands_on(opened):
    page = opened("demo", drawn="all")
    headline = page.locator("#headline").inner_text()
    assert "tuesday is better" in headline
    assert "on the same 2,000 test requests" in headline
    assert "says nothing of the noise of training" in headline
    assert page.locator(".hero__figure .value").inner_text().startswith("+0.0")
    assert page.locator("#metrics .difference").count() == 6
    settings = page.locator("#configuration tbody tr").all_inner_texts()
    assert [line.split()[0] for line in settings] == ["name", "model.variant", "model.hidden", "train.learning_rate"]
    assert "loss" in page.locator("#training .multiples h3").all_inner_texts()
    # Two runs, and of both the validation and the training split.
    auc = page.locator("[data-chart='curve: session AUC'] .mark-line path")
    assert auc.count() == 4
    assert len({line.get_attribute("stroke") for line in auc.all()}) == 2
    screenshot(page, "comparison-desktop")


def test_categories_are_sorted_by_what_they_gained(opened):
    page = opened("demo")
    page.get_by_text("all levels in one order").click()
    page.get_by_role("button", name="difference").click()
    shown = page.locator(f"{ROWS} > :nth-child(6)").all_inner_texts()
    found = [float(text.replace("−", "-")) for text in shown if text != "–"]
    assert len(found) > 10
    assert found == sorted(found, reverse=True)
    page.fill("#category-search", "coats-")
    assert all("coats-" in name for name in page.locator(f"{ROWS} .name").all_inner_texts())
    page.locator(f"{ROWS} td").nth(3).hover()
    assert "session AUC, monday" in page.locator("#tooltip").inner_text()


def test_where_requests_are_not_the_same_the_page_says_so(opened):
    page = opened("apart", drawn="all")
    headline = page.locator("#headline").inner_text()
    assert "neither run can be called better" in headline
    assert page.locator(".verdict__word").inner_text() == "Other test requests: no verdict"
    assert (
        page.locator("main .good, main .bad").count()
        == page.locator("#category-table .good, #category-table .bad").count()
    )
    assert page.locator("#gate tbody tr").first.locator("td").all_inner_texts() == ["4 of 8", "–"]
    screenshot(page, "comparison-apart")


@pytest.mark.parametrize("name", ["demo", "hostile", "apart"])
def test_a_phone_never_scrolls_sideways(opened, name):
    page = opened(name, viewport=PHONE, drawn="all", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    screenshot(page, f"comparison-phone-{name}")


def test_names_that_want_to_be_more_than_names(opened):
    page = opened("hostile", drawn="all", color_scheme="dark")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script, iframe").count() == 0
    assert printable(HOSTILE_RUN) in page.locator("h1").inner_text()
    for name in HOSTILE[:6]:
        page.fill("#category-search", one_line(name))
        assert one_line(name) in page.locator(f"{ROWS} .name").all_inner_texts()
    screenshot(page, "comparison-hostile")

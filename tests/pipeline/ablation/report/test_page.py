"""The page of an ablation in a browser: what a reader does with it."""

import pytest
from playwright.sync_api import expect

from common.escaping import one_line
from pipeline.ablation.report.page import render
from tests.browser import PHONE, number, screenshot
from tests.components.model_report.made_up import HOSTILE
from tests.pipeline.ablation.made_up import made_up, maps, scores

ROWS = "#variants-table tbody tr"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    failed = {"wild, seed 1": "the training has diverged at step 2"}
    contents = {"shop": (made_up(oracle_session_auc=1.0, failed=failed), maps()), "hostile": _hostile()}
    for name, (result, found) in contents.items():
        (folder / f"{name}.html").write_text(render(result, found), encoding="utf-8")
    return folder


def _hostile():
    """Names that want to be more than names, wherever there is one."""
    members = {label: {1: scores(place), 2: scores(place + 50)} for place, label in enumerate(HOSTILE[:11])}
    result = made_up(members, marks=HOSTILE[:3], failed={HOSTILE[0]: HOSTILE[1]}, overrides=HOSTILE[:2])
    result["name"] = HOSTILE[0]
    for parts in result["slices"].values():
        for part, name in zip(parts, HOSTILE, strict=False):
            part["name"] = name
    points = [
        point | {"name": HOSTILE[place], "in": HOSTILE[place], "top": place + 1}
        for place, point in enumerate(maps()["good"])
    ]
    return result, dict.fromkeys(HOSTILE[:2], points)


def variants(page):
    return [text.split("\n")[0] for text in page.locator(f"{ROWS} > th").all_inner_texts()]


def test_the_headline_says_which_is_best_and_what_failed(opened):
    page = opened("shop", drawn="all")
    headline = page.locator("#headline").inner_text()
    assert "✓ good is best" in headline
    assert "wild, seed 1 failed" in headline
    assert "cannot be told from it: moe" in headline
    for place in ("#headline", ".bar", "footer"):
        assert "The log is simulated" in page.locator(place).inner_text()
    assert page.locator("#headline .hero .dot.sure").count() == 2
    # What can be told from 0 is seen without colours, too: full points on thick lines.
    widths = page.locator("[data-chart='minus dnn'] .mark-rule line[stroke-width]").evaluate_all(
        "(lines) => lines.map((line) => line.getAttribute('stroke-width'))"
    )
    assert {"1", "2.5"} <= set(widths)
    screenshot(page, "ablation")


def test_columns_sort(opened):
    page = opened("shop")
    assert variants(page) == ["moe", "dnn", "good"]
    head = page.locator("#variants-table").get_by_role("button", name="session AUC")
    head.click()
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    found = [number(text.split("\n")[0]) for text in page.locator(f"{ROWS} > :nth-child(2)").all_inner_texts()]
    assert found == sorted(found, reverse=True)
    assert variants(page)[0] == "good"
    head.click()
    assert variants(page)[-1] == "good"
    page.locator("#variants-table").get_by_role("button", name="variant").click()
    assert variants(page) == ["dnn", "good", "moe"]


def test_slices_of_one_variant_alone_and_what_hovering_says(opened):
    page = opened("shop", drawn="all")
    chart, tooltip = page.locator("[data-chart='slices top category']"), page.locator("#tooltip")
    points = chart.locator(".mark-symbol path")
    assert points.count() == 4
    page.select_option("#slices-choice", "good")
    expect(points).to_have_count(2)
    points.first.hover()
    assert tooltip.locator("strong").inner_text() == "phones"
    assert "of\ngood" in tooltip.inner_text()
    page.locator("[data-chart='gates good'] .mark-symbol path").first.hover()
    assert tooltip.locator("strong").inner_text() in {"p0", "p1", "p2", "p3", "m0", "m1", "m2"}
    assert "experts" in tooltip.inner_text()
    page.locator("[data-chart='cost parameters'] .mark-symbol path").last.hover()
    assert "training seconds" in tooltip.inner_text()
    page.get_by_role("button", name="phones").click()
    expect(page.locator("[data-chart='gates moe'] path[opacity='0.08']")).to_have_count(3)


@pytest.mark.parametrize("name", ["shop", "hostile"])
def test_a_phone_never_scrolls_sideways(opened, name):
    page = opened(name, viewport=PHONE, drawn="all", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor") == "rgb(20, 23, 27)"
    screenshot(page, f"ablation-phone-{name}")


def test_a_printer_gets_everything_in_light_colours(opened):
    page = opened("shop", drawn="all", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    screenshot(page, "ablation-print")
    assert len(page.pdf(format="A4")) > 50_000


def test_names_that_want_to_be_more_than_names(opened):
    page = opened("hostile", drawn="all")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script, iframe").count() == 0
    shown = page.locator(f"{ROWS} > th").all_text_contents()
    assert all(any(one_line(name) in text for text in shown) for name in HOSTILE[:11])
    assert page.locator("[data-chart]").count() == page.locator("[data-chart] svg").count() > 8
    screenshot(page, "ablation-hostile")

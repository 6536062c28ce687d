"""A headless Chromium for the tests of pages: that of `deploy/browser.sh`, or the one that CHROMIUM names.

REPORT_SCREENSHOTS=<folder> keeps pictures of the pages.
"""

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

DESKTOP, PHONE = {"width": 1360, "height": 900}, {"width": 360, "height": 740}
_FOLDER = pathlib.Path(__file__).parents[1] / ".browser"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; the test skips where there is none."""
    program = os.environ.get("CHROMIUM") or str(_FOLDER / "chromium")
    if not pathlib.Path(program).exists():
        pytest.skip(f"no browser at {program}: bash deploy/browser.sh .browser")
    environment = dict(os.environ)
    if program.startswith(str(_FOLDER)):
        environment |= {"LD_LIBRARY_PATH": str(_FOLDER / "lib"), "FONTCONFIG_FILE": str(_FOLDER / "fonts.conf")}
    with sync_playwright() as playwright:
        # No sandbox: containers do not allow one, and the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--headless", "--no-zygote"], env=environment
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opener(browser: Browser, folder: pathlib.Path) -> Iterator[Callable[..., Page]]:
    """A function that opens a report of the folder by its name and waits until what is in view is drawn, or ``all``;
    whatever the console said or a page asked for is an error in the end."""
    faults, contexts = [], []

    def open_page(name: str, viewport: dict = DESKTOP, drawn: str = "view", **options) -> Page:
        contexts.append(browser.new_context(viewport=viewport, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if request.url != page.address else None)
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.address = (folder / f"{name}.html").as_uri()
        page.goto(page.address)
        page.wait_for_selector("html[data-drawn]" if drawn == "view" else f"html[data-drawn={drawn}]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def number(text: str) -> float:
    """A figure as a page shows it."""
    return float(text.replace(",", "").replace("−", "-").replace("%", ""))


def screenshot(page: Page, name: str) -> None:
    """Keeps a picture of the whole page, if somebody wants it."""
    if folder := os.environ.get("REPORT_SCREENSHOTS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pathlib.Path(folder) / f"{name}.png", full_page=True)

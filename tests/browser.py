"""A headless Chromium for the tests of pages: that of `deploy/browser.sh`, or the one that CHROMIUM names."""

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
def opening(browser: Browser, folder: pathlib.Path) -> Iterator[Callable[..., Page]]:
    """Gives a function that opens ``<name>.html`` and waits until it is ``drawn``: what is in ``view``, or ``all``;
    whatever the console says or the page asks for is an error in the end."""
    faults, contexts = [], []

    def open_page(name, viewport=DESKTOP, drawn="view", **options):
        contexts.append(browser.new_context(viewport=viewport, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if request.url != page.address else None)
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.address = (folder / f"{name}.html").as_uri()
        page.goto(page.address)
        page.wait_for_selector("html[data-drawn]" if drawn == "view" else "html[data-drawn=all]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def screenshot(page: Page, name: str) -> None:
    """Keeps a picture of the whole page in the folder REPORT_SCREENSHOTS, if there is one."""
    if folder := os.environ.get("REPORT_SCREENSHOTS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pathlib.Path(folder) / f"{name}.png", full_page=True)

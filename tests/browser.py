"""A headless Chromium for the tests of pages: that of `deploy/browser.sh`, or the one that CHROMIUM names."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

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

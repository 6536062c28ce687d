"""docs/report.png and docs/report-gates.png: what a browser shows of the report of a real run.

make run
bash deploy/browser.sh .browser
python -m benchmarks.report_picture --report=runs/demo/report.html
"""

import pathlib

from absl import app, flags
from PIL import Image

from tests.browser import chromium

_REPORT = flags.DEFINE_string("report", "runs/demo/report.html", "The page.")
_OUT = flags.DEFINE_string("out", "docs", "The folder of the pictures.")
_VIEW = {"width": 1280, "height": 900}
# By picture: the sections that it begins and ends with.
_PICTURES = {"report.png": ("headline", "categories"), "report-gates.png": ("gate", "experts")}


def main(_):
    """Draws the page, and cuts its sections out."""
    with chromium() as browser:
        page = browser.new_page(viewport=_VIEW)
        page.goto(pathlib.Path(_REPORT.value).resolve().as_uri())
        page.wait_for_selector("html[data-drawn=all]", state="attached")
        for name, (first, last) in _PICTURES.items():
            path = pathlib.Path(_OUT.value) / name
            boxes = [page.locator(f"#{section}").bounding_box() for section in (first, last)]
            top, bottom = boxes[0]["y"], boxes[1]["y"] + boxes[1]["height"]
            clip = {"x": 0, "y": max(0, top - 24), "width": _VIEW["width"], "height": bottom - top + 24}
            page.screenshot(path=path, full_page=True, clip=clip)
            Image.open(path).convert("RGB").save(path, optimize=True)
            print(path, f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    app.run(main)

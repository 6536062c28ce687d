"""How long the fuzzing takes, which tests begin, which are slow, and what is made once for all of them."""

import contextlib
import fcntl
import os
import pathlib
import shutil

import hypothesis
import pytest

from tests.marks import is_slow

# `make fuzz` asks for the second. Neither keeps a folder of what it found in the project.
for profile, examples in (("default", 100), ("thorough", 12_000)):
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
hypothesis.settings.load_profile("default")

# A process takes a group whole: tests that share a fixture that is costly to make, and else the tests of one file. The
# long groups come first, so that at the end no process is alone with one.
GROUPS = {"serving/": "server", "components/model_report/": "model_report"}
LONG = (
    "pipeline/test_end_to_end.py",
    "pipeline/test_days.py",
    "models/distributed/",
    "pipeline/test_killed.py",
    "serving/",
    "pipeline/test_blessing.py",
    "components/model_report/",
    "pipeline/ablation/test_end_to_end.py",
    "models/tuning/test_tuner.py",
    "models/ranker/test_model.py",
    "models/training/",
    "pipeline/test_score.py",
    "components/click_log_example_gen/test_fuzz.py",
)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: starts a process, a pipeline, a training or a browser (tests/marks.py)")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(items):
    tests = pathlib.Path(__file__).parent

    def place(item):
        path = item.path.relative_to(tests).as_posix()
        return next((place for place, long in enumerate(LONG) if path.startswith(long)), len(LONG))

    items.sort(key=place)
    for item in items:
        path = item.path.relative_to(tests).as_posix()
        group = next((group for folder, group in GROUPS.items() if path.startswith(folder)), path)
        item.add_marker(pytest.mark.xdist_group(group))
        if is_slow(item):
            item.add_marker(pytest.mark.slow)


@contextlib.contextmanager
def made_once(tmp_path_factory, name):
    """A folder that all processes of pytest-xdist share, and whether it is to be made: the first that asks makes it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, made = base / name, base / f"{name}.made"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
        yield folder, not made.exists()
        made.touch()


# Defined here, where all tests see it: a fixture that modules import is made again for each of them.
@pytest.fixture(scope="session")
def small_log(tmp_path_factory):
    """A `SmallLog` of 240 requests, transformed for real; for reading."""
    from tests.models.conftest import make_small_log, read_small_log  # not above: TensorFlow is only for who asks

    with made_once(tmp_path_factory, "small_log") as (folder, missing):
        if missing:
            make_small_log(folder)
    return read_small_log(folder)


@pytest.fixture(scope="session")
def exported(small_log, tmp_path_factory):
    """The folder of a SavedModel, as it is pushed, of that log; for reading."""
    from tests.models.conftest import export

    with made_once(tmp_path_factory, "exported") as (folder, missing):
        if missing:
            export(small_log, folder / "1")
    return folder / "1"


@pytest.fixture(scope="module")
def browser():
    """A running browser; the test skips where there is none."""
    from tests.browser import chromium  # not above: Playwright is only for who asks

    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser, pages):
    """`tests.browser.opener` on the folder that a module's fixture ``pages`` names."""
    from tests.browser import opener

    with opener(browser, pages) as open_page:
        yield open_page

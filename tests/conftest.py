"""How long the fuzzing takes, which tests begin, and what is made once for all of them."""

import hypothesis
import pytest

# `make fuzz` asks for the second. Neither keeps a folder of what it found in the project.
for profile, examples in (("default", 300), ("thorough", 12_000)):
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
hypothesis.settings.load_profile("default")

# Files are shared out whole and in this order, so that at the end no worker is alone with a long one.
LONG = (
    "pipeline/test_end_to_end.py",
    "models/training/test_workers.py",
    "pipeline/test_killed.py",
    "pipeline/test_blessing.py",
    "pipeline/test_rollback.py",
    "pipeline/ablation/test_end_to_end.py",
    "pipeline/test_days.py",
    "pipeline/test_airflow.py",
    "models/tuning/test_tuner.py",
    "pipeline/test_untrusted.py",
)


def pytest_collection_modifyitems(items):
    def place(item):
        return next((place for place, long in enumerate(LONG) if item.path.as_posix().endswith(long)), len(LONG))

    items.sort(key=place)


# Defined here, where all tests see it: a fixture that modules import is made again for each of them.
@pytest.fixture(scope="session")
def small_log(tmp_path_factory):
    """A `SmallLog` of 240 requests, transformed for real."""
    from tests.models.conftest import make_small_log  # not above: TensorFlow is only for who asks

    return make_small_log(tmp_path_factory.mktemp("small_log"))


@pytest.fixture(scope="session")
def exported(small_log, tmp_path_factory):
    """The folder of a SavedModel, as it is pushed, of that log; for reading."""
    from tests.models.conftest import export

    return export(small_log, tmp_path_factory.mktemp("exported") / "1")


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

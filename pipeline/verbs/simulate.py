"""simulate: write the demo log."""

import logging

from absl import flags

from pipeline.verbs.common import OUT, Refused

_ROWS = flags.DEFINE_integer("rows", 1_000_000, "About how many impressions.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 1, "The seed.", lower_bound=0)
_FORMAT = flags.DEFINE_enum("format", "csv", ["csv", "parquet"], "The files' format.")
_CATEGORY_TASTE = flags.DEFINE_bool("category_taste", True, "What sells differs by category.")
_INHERITANCE = flags.DEFINE_bool("inheritance", True, "A sub-category shares its top's taste.")
_USER_TASTE = flags.DEFINE_bool("user_taste", True, "Users differ.")
_DAYS = flags.DEFINE_integer("days", None, "How many days, a file each.", lower_bound=1)
_DRIFT = flags.DEFINE_float("drift", 0.0, "How far taste turns in a day, from 0 to 1.")
_NEW_CATEGORIES = flags.DEFINE_float("new_categories", 0.0, "Share of the sub-categories that open later.")


def write_log() -> None:
    """Writes a log and prints its figures."""
    from pipeline.simulation.simulate import simulate

    if not OUT.value:
        raise Refused("simulate needs --out=<folder>")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        result = simulate(
            OUT.value,
            _ROWS.value,
            _SEED.value,
            _FORMAT.value,
            category_taste=_CATEGORY_TASTE.value,
            inheritance=_INHERITANCE.value,
            user_taste=_USER_TASTE.value,
            days=_DAYS.value,
            drift=_DRIFT.value,
            new_categories=_NEW_CATEGORIES.value,
        )
    except ValueError as error:
        raise Refused(str(error)) from error
    for name, value in result.items():
        print(f"{name:<18} {value}")

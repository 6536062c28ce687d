"""simulate: write the demo log."""

import argparse
import logging

from pipeline.verbs.parser import Parser, Refused, number


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.add_argument("--out", help="The folder to write to.")
    parser.add_argument("--rows", type=number(int, 1), default=1_000_000, help="About how many impressions.")
    parser.add_argument("--seed", type=number(int, 0), default=1, help="The seed.")
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv", help="The files' format.")
    parser.add_boolean("category_taste", True, "Taste differs by category.")
    parser.add_boolean("inheritance", True, "A sub-category inherits the taste of its top category.")
    parser.add_boolean("user_taste", True, "Taste differs by user.")
    parser.add_argument("--days", type=number(int, 1), help="How many days, a file each, of a shop that changes.")
    parser.add_argument("--drift", type=float, default=0.0, help="How far taste turns in a day, from 0 to 1.")
    parser.add_argument(
        "--new_categories", type=float, default=0.0, help="Share of the sub-categories that open after the first day."
    )


def write_log(flags: argparse.Namespace) -> None:
    """Writes a log and prints its figures."""
    from pipeline.simulation.simulate import simulate

    if not flags.out:
        raise Refused("simulate needs --out=<folder>")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        result = simulate(
            flags.out,
            flags.rows,
            flags.seed,
            flags.format,
            category_taste=flags.category_taste,
            inheritance=flags.inheritance,
            user_taste=flags.user_taste,
            days=flags.days,
            drift=flags.drift,
            new_categories=flags.new_categories,
        )
    except ValueError as error:
        raise Refused(str(error)) from error
    for name, value in result.items():
        print(f"{name:<18} {value}")

"""The parser of a verb's flags, and the flags that several verbs share."""

import argparse
import difflib
import sys
from collections.abc import Callable

from absl.flags import argparse_flags


class Refused(Exception):
    """A command that the user must change; the command line prints the message alone."""


class Parser(argparse_flags.ArgumentParser):
    """A parser that names the verb and the nearest flag where it refuses a flag.

    `--help` of a verb with `--set` also lists the keys of the configuration.
    """

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **options)

    def add_boolean(self, name: str, default: bool, help: str) -> None:
        """Adds the flags --name and --noname."""
        self.add_argument(f"--{name}", f"--no{name}", action=_Boolean, default=default, help=help)

    def parse_known_args(self, args=None, namespace=None):
        """As argparse's; refuses unknown arguments here, where the verb is known."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flag = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
            if flag is None:
                self.error(f"takes no {' '.join(unknown)}")
            close = difflib.get_close_matches(flag, self._option_string_actions, n=1)
            self.error(f"there is no flag {flag}{f'; is {close[0]} meant?' if close else ''}")
        return namespace, unknown

    def error(self, message: str) -> None:
        """Ends the process with the message."""
        print(f"{self.prog.split()[-1]}: {message}\n`{self.prog} --help` lists what there is", file=sys.stderr)
        sys.exit(2)

    def format_help(self) -> str:
        """The help, with the keys of the configuration."""
        text = super().format_help()
        if "--set" not in self._option_string_actions:
            return text
        from pipeline.sections import describe_keys

        title = "Keys of the configuration, for the YAML file and --set, with their defaults:"
        return f"{text}\n{title}\n{describe_keys()}\n"


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=24, width=120)

    def _get_help_string(self, action: argparse.Action) -> str:
        without = action.default in (None, [], argparse.SUPPRESS)
        return action.help if without else f"{action.help} (default: %(default)s)"


class _Boolean(argparse.Action):
    def __init__(self, option_strings, dest, **options):
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, option_string == self.option_strings[0])


def number(kind: type, low: float, high: float = float("inf")) -> Callable:
    """The type of a flag that takes an int or a float from ``low`` to ``high``."""

    def parse(text: str):
        value = kind(text)
        if not low <= value <= high:
            allowed = f"at least {low}" if high == float("inf") else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"must be {allowed}. Received: {text}")
        return value

    parse.__name__ = kind.__name__  # argparse names the type in its message
    return parse


def comma_list(text: str) -> list[str]:
    """The type of a flag that takes values with commas between them."""
    return [value.strip() for value in text.split(",")] if text else []


def add_run_flags(parser: Parser) -> None:
    """Adds the flags that name a run."""
    parser.add_argument("--config", default="pipeline/configs/demo.yaml", help="The run's YAML file.")
    parser.add_argument("--data", help="The folder of the log; replaces `data.path`.")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        help="Overrides a key of the configuration, for example model.experts=16; repeatable.",
    )
    parser.add_argument("--runs", default="runs", help="The folder that holds a folder for each run.")


def add_server_flags(parser: Parser, port: int, host: str) -> None:
    """Adds --host and --port; ``host`` says what a verb has to add on --host."""
    parser.add_argument("--host", default="127.0.0.1", help=f"The address where the ports open{host}.")
    parser.add_argument("--port", type=number(int, 0, 65_535), default=port, help="The port; 0 for a free one.")


def load(flags: argparse.Namespace, *overrides: str, needs_log: bool = True):
    """`load_config` by the flags of `add_run_flags`, then ``overrides``.

    Raises:
      Refused: the configuration is refused.
    """
    from pipeline.config import ConfigError, load_config  # its import takes seconds, which --help must not wait for

    try:
        return load_config(flags.config, [*flags.set, *overrides], flags.data, needs_log)
    except ConfigError as error:
        raise Refused(str(error)) from error

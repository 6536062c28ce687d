"""What `--help` prints: the verbs, or one verb with its flags."""

import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import NamedTuple

from absl import flags

_WIDTH = 120


class Verb(NamedTuple):
    """A verb of `python -m pipeline`.

    Attributes:
      do: what it does; its flags are the flag holders among the names of the module that this stands in.
      what: that, in a line.
      usage: how its flags are given.
      words: what the words after its name stand for, which `do` is called with; most verbs take flags alone.
    """

    do: Callable[..., None]
    what: str
    usage: str
    words: tuple[str, ...] = ()

    @property
    def flags(self) -> set[str]:
        """The names of the flags that it takes, those that it shares with other verbs included."""
        names = vars(sys.modules[self.do.__module__]).values()
        return {holder.name for holder in names if isinstance(holder, flags.FlagHolder)}


def overview(verbs: Mapping[str, Verb]) -> str:
    """All verbs, and how their flags are given."""
    lines = ["python -m pipeline <verb> [flags]", ""]
    for name, verb in verbs.items():
        lines += [f"  {name:<10} {verb.what}", textwrap.indent(verb.usage, " " * 13)]
    return "\n".join([*lines, "", "python -m pipeline <verb> --help says more of one."])


def help_of(name: str, verb: Verb) -> str:
    """One verb with all its flags and, if it takes --set, the keys of the configuration."""
    lines = [f"python -m pipeline {name}: {verb.what}", "", textwrap.indent(verb.usage, "  "), ""]
    for flag in sorted(verb.flags):
        lines += _described(flags.FLAGS[flag])
    text = "\n".join(lines)
    if "set" in verb.flags:
        from pipeline.config import describe_keys

        text += f"\n\nKeys of the configuration, for the YAML file and --set, with their defaults:\n{describe_keys()}"
    return text


def _described(flag: flags.Flag) -> list[str]:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    values = f"=<{'|'.join(flag.parser.enum_values)}>" if isinstance(flag.parser, flags.EnumParser) else ""
    default = f" (default: {flag.default_as_str})" if flag.default not in (None, []) else ""
    indent = " " * 6
    help = flag.help.partition(";     repeat")[0]  # absl's own words, of which the help above has enough
    return [f"  {name}{values}{default}", textwrap.fill(help, _WIDTH, initial_indent=indent, subsequent_indent=indent)]

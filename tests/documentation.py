"""What the pages of the documentation say, as a shell, a parser of flags and the readers of settings take it."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import yaml
from markdown_it import MarkdownIt

from pipeline.yaml_values import YamlLoader

PROJECT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").glob("*.md"))]

_PROGRAMS = r"make|python3?|curl|bash|export|cd|docker|kubectl|ln|git|tfx|airflow|gsutil|pip(?:-audit)?|java|go"
# What begins a command, in a sentence and in a block.
PROGRAM = re.compile(rf"(?:\.venv/bin/\S+|{_PROGRAMS})\s")
COMMAND = re.compile(rf"{PROGRAM.pattern}|[A-Z]\w*=\S")
# No command is found, so that each one comes here with its arguments as the shell has made them. Those of `a | b` run
# at once, and a record may take the shell several writes: who writes one holds the byte that is in the pipe.
_RECORDER = r"""
set -f
PATH=/nowhere
record() {
    local turn
    read -r -N 1 -u "$TURN_READER" turn
    printf '%s\0' "$@" >&3
    printf '\036' >&3
    printf . >&"$TURN_WRITER"
}
command_not_found_handle() { record "$@"; }
cd() { record cd "$@"; }
export() { record export "$@"; builtin export "$@"; }
exec 3>"$RECORD"
"""
# All programs in one process of its own, which imports TensorFlow once. Two programs may have flags of the same name.
_PARSER = """
import contextlib, importlib, io, json, sys
from absl import flags
FLAGS = flags.FLAGS

def ours(module):
    programs = "benchmarks", "pipeline.verbs", "pipeline.__main__", "serving.development", "tests.kills"
    return module.startswith(programs)

def parse(arguments):
    FLAGS.unparse_flags()
    for flag in FLAGS.flag_values_dict():
        FLAGS[flag].unparse()
    try:
        rest = FLAGS(["program", *arguments])[1:]
    except flags.Error as error:
        return {"error": str(error)}
    given = [FLAGS[name] for name in FLAGS if FLAGS[name].present]
    return {"rest": rest, "values": {flag.name: flag.value for flag in given}}

def parse_verb(arguments):
    from pipeline.__main__ import parse
    try:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            values = vars(parse(["pipeline", *arguments]))
    except SystemExit:
        return {"error": said.getvalue()}
    return {"rest": [values.pop("do").__name__], "values": values}

answers = {}
for module, calls in json.load(sys.stdin).items():
    for name in [name for name in FLAGS if ours(FLAGS.find_module_defining_flag(name))]:
        delattr(FLAGS, name)
    for name in list(filter(ours, sys.modules)):
        del sys.modules[name]
    try:
        importlib.import_module(module)
        take = parse_verb if module == "pipeline.__main__" else parse
        answers[module] = [take(arguments) for arguments in calls]
    except ModuleNotFoundError as error:
        answers[module] = [{"error": str(error)}] * len(calls)
print(json.dumps(answers))
"""


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A block of a page, or a piece of code inside a sentence; or the target of a link."""

    page: pathlib.Path
    line: int
    text: str
    kind: str  # block, inline, link
    language: str = ""  # where a fence names it

    def __str__(self):
        return f"{self.page.relative_to(PROJECT)}:{self.line}: {self.text.strip()[:300]}"


def snippets(page: pathlib.Path, text: str | None = None) -> list[Snippet]:
    """All that a page shows as code, and its links and pictures, in their order."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text or page.read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("code_block", "fence"):
            found.append(Snippet(page, line, token.content, "block", token.info.strip()))
        for child in token.children or ():
            if child.type == "code_inline":
                found.append(Snippet(page, line, child.content, "inline"))
            elif address := child.attrGet("href") or child.attrGet("src"):
                found.append(Snippet(page, line, address, "link"))
    return found


def language(block: Snippet) -> str:
    """What a block is written in: by its fence, or by what can read it."""
    if block.language:
        return block.language
    first = next((line for line in block.text.splitlines() if line.strip() and not line.startswith("#")), "")
    if COMMAND.match(first + " "):
        return "sh"
    if re.search(r"^\s*feature \{", block.text, re.MULTILINE):
        return "pbtxt"
    if first.startswith(('"', "{")):
        return "json"
    if re.search(r"^(from|import) ", block.text, re.MULTILINE):
        return "python"
    with contextlib.suppress(yaml.YAMLError):
        values = yaml.load(block.text, YamlLoader)
        if isinstance(values, dict) and all(re.fullmatch(r"\w+", str(key)) for key in values):
            return "yaml"
    # A listing, an equation, a table of a log.
    of_text = r"\S+\s{2,}\S", r"\s*\S.* = ", r"\w+(,\w+){2,}$"
    return "text" if any(re.match(form, first) for form in of_text) or " = " in block.text else "an unknown language"


def is_shell(snippet: Snippet) -> bool:
    """Whether it is a command, or several."""
    return language(snippet) == "sh" if snippet.kind == "block" else bool(PROGRAM.match(snippet.text))


def anchors(page: pathlib.Path) -> set[str]:
    """The anchors that a page's headings get."""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a piece of shell, and those that `make` would start for it, word by word.

    A text in angle brackets stands for a value, `..` for one that is left out, `...` for any words.

    Raises:
      ValueError: if the shell or `make` refuses it.
    """
    text = re.sub(r"<(yaml|file>\.yaml)>", "pipeline/configs/demo.yaml", text)
    text = re.sub(r"--config=\.\.(?=\s|$)", "--config=pipeline/configs/demo.yaml", text)
    text = re.sub(r"(?<!<)<[^<>\n]*>", "1", text.replace("<verb>", "run"))
    text = re.sub(r"""(?<![\w.])\.\.\.(?=[\s"'])\s?""", "", text).replace(".venv/bin/", "")
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as record, _turn() as turn:
        shell = ["/bin/bash", "-c", _RECORDER + text]
        environment = {"RECORD": record.name, "TURN_READER": str(turn[0]), "TURN_WRITER": str(turn[1])}
        done = subprocess.run(shell, env=environment, pass_fds=turn, capture_output=True, text=True, check=False)
        if done.returncode or done.stderr:
            raise ValueError(f"the shell refuses it: {done.stderr.strip()}")
        recorded = record.read().split("\036")[:-1]
    for words in (command.split("\0")[:-1] for command in recorded):
        yield words
        if words[0] == "make":
            yield from commands(_recipe(words[1:]))


@contextlib.contextmanager
def _turn() -> Iterator[tuple[int, int]]:
    """A pipe with one byte in it."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b".")
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _recipe(arguments: list[str]) -> str:
    """What `make` would start."""

    def dry_run(arguments: list[str]) -> str:
        # Without the flags and variables of a `make` that runs the tests, which this one would obey.
        environment = {"PATH": os.environ["PATH"]}
        command = ["make", "-n", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"make refuses it: {done.stderr.strip()}")
        return done.stdout

    for place, argument in enumerate(arguments):
        name, equals, _ = argument.partition("=")
        probe = f"{name}=--a-value"
        if equals and "--a-value" not in dry_run([*arguments[:place], probe, *arguments[place + 1 :]]):
            raise ValueError(f"the target does not read {name}=")
    return dry_run(arguments)


def parse_flags(calls: dict[str, list[list[str]]]) -> dict[str, list[dict]]:
    """What programs, by their module, make of their arguments: `error`, or `values` of flags and the `rest`.

    The rest of `python -m pipeline` is the name of the verb's function.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PARSER],
        cwd=PROJECT, input=json.dumps(calls), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])

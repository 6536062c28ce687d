"""Every command, setting, name and link that README.md and docs/ show is one that is there.

Commands are read by a shell, `make` and the programs' own flags; settings and schemas by their readers. What can run
for real does so in tests/pipeline/test_end_to_end.py, on its run. A page, a command or a key that is new needs no line
here; code of a form that nobody checks fails.
"""

import ast
import collections
import contextlib
import functools
import importlib
import json
import pathlib
import re
import shlex
import sysconfig
import tempfile

import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import text_format
from pydantic import BaseModel
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.ablation.plan import read_plan
from pipeline.config import RunConfig, load_config
from pipeline.yaml_values import YamlLoader
from schemas.parsing import parse_schema
from tests.documentation import (
    COMMAND,
    PAGES,
    PROJECT,
    Snippet,
    anchors,
    commands,
    is_shell,
    language,
    parse_flags,
    snippets,
)

FOLDERS = (
    "benchmarks",
    "common",
    "components",
    "deploy",
    "models",
    "pipeline",
    "reporting",
    "schemas",
    "serving",
    "tests",
)
DEMO = PROJECT / "pipeline/configs/demo.yaml"
# Programs of others, which may not be here: the files of ours that they are given must be.
OTHERS = re.compile("airflow|bash|cd|docker|expand|gsutil|git|go|grep|java|kubectl|ln|pip|pip-audit|rm|sed|uv")
# Names of others that pages speak of and no code of ours uses.
FOREIGN = {
    "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",
    "amazon_sports_log",
    "api_implementation",
    "beam_python3",
    "enable_caching",
    "get_file",
    "grpc_channel_arguments",
    "histogram_quantile",
    "mixed_bfloat16",
    "model_warmup_latency",
    "parameter_server",
    "request_latency_bucket",
    "runtime_latency",
    "steps_per_execution",
}
WORD = re.compile(r"[A-Za-z_]\w*")
KEY = re.compile(r"([a-z]\w*(?:\.[a-z]\w*)*)(?:\s*[:=]\s*(.+))?")
FILE = re.compile(r"[\w./{},*-]+\.(py|yaml|pbtxt|toml|lock|in|xml|md|svg)")
OUTPUT = re.compile(r"[\w./{},*-]+\.(html|json|csv|npz|pb|log|sqlite|parquet)")


@functools.cache
def sources() -> dict[str, str]:
    """The text of every file that is no page, by its path."""
    files = [path for folder in (*FOLDERS, ".ci") for path in (PROJECT / folder).rglob("*") if path.is_file()]
    files += [path for path in PROJECT.iterdir() if path.is_file() and path.suffix != ".md"]
    texts = {}
    for path in files:
        if "__pycache__" not in path.parts and path != pathlib.Path(__file__):
            texts[str(path.relative_to(PROJECT))] = path.read_text(encoding="utf-8", errors="ignore")
    return texts


@functools.cache
def source_words() -> set[str]:
    return set(WORD.findall("\n".join((*sources(), *sources().values())))) | FOREIGN


@functools.cache
def keys() -> dict[str, list[str]]:
    """The configuration's keys, with their sections, by the last word."""
    found = collections.defaultdict(list)

    def walk(section: type[BaseModel], prefix: str) -> None:
        for name, field in section.model_fields.items():
            name = field.alias or name
            found[name].append(prefix + name)
            for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if isinstance(inner, type) and not hasattr(inner, "__origin__") and issubclass(inner, BaseModel):
                    walk(inner, f"{prefix}{name}.")

    walk(RunConfig, "")
    return found


@functools.cache
def all_snippets() -> tuple[Snippet, ...]:
    return tuple(snippet for page in PAGES for snippet in snippets(page))


@functools.cache
def words_of_blocks() -> set[str]:
    return {word for snippet in all_snippets() if snippet.kind == "block" for word in WORD.findall(snippet.text)}


@functools.cache
def own_files() -> pathlib.Path:
    """A folder of the configurations and schemas that pages write for a log of the reader's own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="documentation-"))
    for page in PAGES:
        blocks = [block for block in snippets(page) if block.kind == "block"]
        schemas = [block.text for block in blocks if language(block) == "pbtxt" and "role:request_id" in block.text]
        for block in blocks:
            if language(block) == "yaml" and "schema" in (values := yaml.load(block.text, YamlLoader)):
                (folder / f"{values['name']}.yaml").write_text(block.text, encoding="utf-8")
                if schemas and not (PROJECT / values["schema"]).exists():
                    (folder / values["schema"]).write_text(schemas[0], encoding="utf-8")
    return folder


def config_path(name: str) -> pathlib.Path:
    places = [PROJECT / name, own_files() / pathlib.Path(name).name]
    # A file that a command makes, as `init` does: it has the form of the demo's.
    return next((place for place in places if place.exists()), DEMO)


def check(snippet: Snippet) -> None:
    """Raises ValueError, or an error of its kind, if something in it is not so."""
    if snippet.kind == "link":
        check_link(snippet)
    elif snippet.kind == "inline":
        check_inline(snippet.text)
    elif (kind := language(snippet)) in CHECKS:
        CHECKS[kind](snippet.text)
    else:
        raise ValueError(f"nothing here checks a block of {kind}")


def check_link(snippet: Snippet) -> None:
    address, _, anchor = snippet.text.partition("#")
    if address.startswith("https://"):
        return
    target = (snippet.page.parent / address).resolve() if address else snippet.page
    if not target.exists():
        raise ValueError(f"{target} is not there")
    if anchor and anchor not in anchors(target):
        raise ValueError(f"{target.name} has no heading #{anchor}, but {sorted(anchors(target))}")


def check_shell(text: str) -> None:
    for words in commands(text):
        check_command(words)
    for comment in re.findall(r"(?:^|\s)#(.*)", text):
        for flag in re.findall(r"(?<![\w-])--(\w+)", comment):
            check_flag_name(flag)


def check_command(words: list[str]) -> None:
    program, *arguments = words
    for word in arguments:
        path = re.fullmatch(rf"(?:-\S+=)?((?:{'|'.join(FOLDERS)}|docs)/[\w./-]+)", word)
        if path and not (PROJECT / path[1]).exists():
            raise ValueError(f"{path[1]} is not there")
    if program == "python":
        check_python_command(arguments)
    elif program == "tfx":
        from tfx.tools.cli.cli_main import cli_group

        # Options are read before help is given.
        if (answer := CliRunner().invoke(cli_group, [*arguments, "--help"])).exit_code:
            raise ValueError(answer.output)
    elif program == "curl":
        check_call(arguments)
    elif program == "export":
        for assignment in arguments:
            check_words(assignment.partition("=")[0])
    elif program != "make" and not OTHERS.fullmatch(program):
        raise ValueError(f"nothing here checks the command {program}")


def check_python_command(arguments: list[str]) -> None:
    if arguments[0] != "-m":
        source = sources().get(arguments[0])
        if source is None:
            raise ValueError(f"{arguments[0]} is not there")
        for flag in arguments[1:]:
            if flag.startswith("--") and f'"{flag.partition("=")[0]}"' not in source:
                raise ValueError(f"{arguments[0]} has no {flag}")
        return
    module, *flags = arguments[1:]
    name = module.replace(".", "/")
    if main := main_module(module):
        flags = [flag for flag in flags if flag != "--help"]
        if module == "pipeline" and not flags:
            return
        answer = parsed(main, flags)
        if "error" in answer:
            raise ValueError(answer["error"])
        if module == "pipeline" and flags:
            check_verb(answer)
        elif answer["rest"]:
            raise ValueError(f"{module} takes no {answer['rest']}")
    elif not any(
        (folder / f"{name}{end}").exists()
        for folder in (PROJECT, pathlib.Path(sysconfig.get_paths()["purelib"]))
        for end in (".py", "/__main__.py")
    ):
        raise ValueError(f"there is no module {module}")


@functools.cache
def parsed_in_pages() -> dict[tuple, dict]:
    """The flags of all commands in all pages."""
    calls = collections.defaultdict(list)
    for snippet in all_snippets():
        with contextlib.suppress(ValueError):  # its own test says so
            for words in commands(snippet.text) if snippet.kind != "link" and is_shell(snippet) else ():
                if words[:2] == ["python", "-m"] and (main := main_module(words[2])):
                    calls[main].append([word for word in words[3:] if word != "--help"])
    answers = parse_flags(calls)
    return {
        (module, *call): answer
        for module, of_module in calls.items()
        for call, answer in zip(of_module, answers[module], strict=True)
    }


def main_module(module: str) -> str | None:
    """The module of a program of ours with absl's flags."""
    if module == "tests.kills" or module.startswith("benchmarks."):
        return module
    return f"{module}.__main__" if module in ("pipeline", "serving.development") else None


def parsed(module: str, flags: list[str]) -> dict:
    known = parsed_in_pages().get((module, *flags))
    return known or parse_flags({module: [flags]})[module][0]


def check_verb(answer: dict) -> None:
    """Of `python -m pipeline`: settings that are taken."""
    [verb], values = answer["rest"], answer["values"]
    if "config" not in values:
        return
    path, sets = config_path(values["config"]), values["set"]
    if verb == "ablation":
        given = {name: values[name] for name in ("baselines", "among", "held_out_leaves")}
        read_plan(values["variants"], values["seeds"], path, sets, str(PROJECT), **given)
    else:
        load_config(path, [*sets, *(["tune.enabled=true"] if verb == "tune" else [])], needs_log=False)


def check_call(arguments: list[str]) -> None:
    """Of curl: the REST interface of the demo's model."""
    if not re.match(r"localhost:8501/v1/models/ranker", arguments[0]):
        raise ValueError(f"not where the model is served: {arguments[0]}")
    if "-d" in arguments:
        sent = json.loads(arguments[arguments.index("-d") + 1])
        inputs = {feature.name for feature in load_config(DEMO)[1].model_inputs}
        if set(sent["inputs"]) != inputs:
            raise ValueError(f"the model takes {sorted(inputs)}")


def load_any(sets: list[str]) -> None:
    """Reads settings on top of the demo's configuration or, if they are of another log, of that one's."""
    configs = [DEMO, *sorted(DEMO.parent.glob("*.yaml")), *sorted(own_files().glob("*.yaml"))]
    errors = []
    for config in configs:
        try:
            load_config(config, sets, needs_log=False)
            return
        except ValueError as error:
            errors.append(error)
    raise errors[0]


def check_yaml(text: str) -> None:
    values = yaml.load(text, YamlLoader)
    if "schema" in values:
        load_config(config_path(f"{values['name']}.yaml"), needs_log=False)
        return
    sets = []
    for section, keys in values.items():
        if isinstance(keys, dict):
            sets += [f"{section}.{key}={yaml.safe_dump(value)}" for key, value in keys.items()]
        else:
            sets.append(f"{section}={yaml.safe_dump(keys)}")
    load_any(sets)


def check_schema(text: str) -> None:
    text_format.Parse(text, schema_pb2.Schema())
    if "role:request_id" in text:
        parse_schema(text)


def check_python(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in FOLDERS:
            module = importlib.import_module(node.module)
            if missing := [name.name for name in node.names if not hasattr(module, name.name)]:
                raise ValueError(f"{node.module} has no {missing}")


def check_json(text: str) -> None:
    values = json.loads(text if text.startswith("{") else f"{{{text}}}", strict=False)
    for key in values:
        check_words(key)


def check_text(text: str) -> None:
    for line in text.splitlines():
        if COMMAND.match(line):
            raise ValueError("a command in a block that is no shell's")
        listed = re.match(r"([\w.-]+/)\s", line)
        if listed and not (PROJECT / listed[1]).is_dir():
            raise ValueError(f"{listed[1]} is not there")


CHECKS = {
    "sh": check_shell,
    "yaml": check_yaml,
    "pbtxt": check_schema,
    "python": check_python,
    "json": check_json,
    "text": check_text,
}


def check_inline(text: str) -> None:
    """Code in a sentence: a command, flags, a key of the configuration, a file, or names."""
    if is_shell(Snippet(PROJECT, 0, text, "inline")):
        check_shell(text)
    elif re.match(r"--?\w|ARGS=", text):
        check_flags(*shlex.split(text.removeprefix("ARGS="))) if text.startswith("ARGS=") else check_flags(text)
    elif not check_key(text):
        check_file(text)
        check_words(re.sub(r"<[^>]*>", "", text))


def check_flags(text: str) -> None:
    for word in shlex.split(text):
        if word.startswith("--"):
            check_flag_name(word.partition("=")[0].removeprefix("--"))
    if re.match(r"--(set|variants|baselines|among|held_out_leaves)\b", text) and "<" not in text and " " in text:
        verb = "run" if text.startswith("--set") else "ablation"
        check_shell(f"python -m pipeline {verb} {text}")


def check_flag_name(name: str) -> None:
    if name in FOREIGN:
        return
    forms = f'"{name}"', f'"--{name}"', f"--{name}=", f"--{name} ", f'"{name.removeprefix("no")}"'
    if not any(form in text for text in sources().values() for form in forms):
        raise ValueError(f"nothing has a flag --{name}")


def check_key(text: str) -> bool:
    """Whether it names a key of the configuration; one that is not there, or a value that is refused, is an error."""
    match = KEY.fullmatch(text)
    if not match or FILE.fullmatch(text) or OUTPUT.fullmatch(text):
        return False
    key, value = match[1], match[2]
    *sections, last = key.split(".")
    paths = [path for path in keys()[last] if f".{path}".endswith(f".{key}")]
    if not paths:
        if sections and sections[0] in RunConfig.model_fields and sections[0] not in ("name",):
            raise ValueError(f"no key of the configuration: {key}")
        return False
    if value and "<" not in value and "." not in value[:3]:
        errors = []
        for path in paths:
            try:
                load_any([f"{path}={value}"])
                return True
            except ValueError as error:
                errors.append(str(error))
        raise ValueError("\n".join(errors))
    return True


def check_file(text: str) -> None:
    for name in text.split():
        if name.startswith(("serving/ranker", "serving/withdrawn")):  # of a run's folder
            continue
        if not FILE.fullmatch(name) and not name.startswith(tuple(f"{folder}/" for folder in FOLDERS)):
            continue
        braces = re.fullmatch(r"(.*)\{(.*)\}(.*)", name)
        for each in [braces[1] + part + braces[3] for part in braces[2].split(",")] if braces else [name]:
            written = "/" not in each and any(each in text for text in sources().values())
            of_reader = "/" not in each and set(WORD.findall(each)) <= words_of_blocks()
            if (
                not written
                and not of_reader
                and not any(
                    pathlib.PurePath(path).match(each.rstrip("/")) or path.startswith(f"{each.rstrip('/')}/")
                    for path in (*sources(), "README.md", *(str(page.relative_to(PROJECT)) for page in PAGES))
                )
            ):
                raise ValueError(f"there is no file {each}")


def check_words(text: str) -> None:
    """Names made of several words are known to the code, or to a block of a page, which is checked itself."""
    known = source_words() | words_of_blocks()
    for word in re.finditer(r"[A-Za-z_]\w*", text):
        name = word[0]
        if "_" not in name.strip("_") and not re.search(r"[a-z][A-Z]", name):
            continue
        if re.match(r"\*|\.\.", text[word.end() :]):
            if any(each.startswith(name) for each in known):
                continue
        elif name in known or re.sub(r"\d+$", "", name) in known:  # of names that are numbered
            continue
        raise ValueError(f"nothing is named {name}")


def problems(page: pathlib.Path, text: str | None = None) -> list[str]:
    found = []
    for snippet in snippets(page, text):
        try:
            check(snippet)
        except (ValueError, SyntaxError, text_format.ParseError, yaml.YAMLError) as error:
            found.append(f"{snippet}\n    {error}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_is_so(page):
    assert not (found := problems(page)), "\n".join(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("    make rum", "No rule to make target"),
        ("    make run CONFG=shop.yaml", "the target does not read CONFG="),
        ('`make run ARGS="--set train.epoch=3"`', "unknown key `train.epoch`. Did you mean `epochs`"),
        ("    cd /x && python -m pipeline serv", "invalid choice: 'serv'"),
        ("    python -m pipeline run \\\n        --target=airflow", "run: there is no flag --target"),
        ("    make bench; python -m benchmarks.serve --secnds 2", "Unknown command line flag 'secnds'"),
        ("`python -m benchmarks.cook`", "No module named 'benchmarks.cook'"),
        ("`python -m pipeline.cook`", "there is no module pipeline.cook"),
        ("`python deploy/rehearse.py job.json out --param epochs=1`", "deploy/rehearse.py has no --param"),
        ('    V="dnn,mow"\n    make ablation ARGS="--variants=\'$V\'"', "--variants mow"),
        ("    export AISLERANK_CONFG=x", "nothing is named AISLERANK_CONFG"),
        ("    tfx run create --engines=local", "No such option"),
        ("    curl localhost:8501/v1/models/ranker:predict -d '{\"inputs\": {}}'", "the model takes"),
        ("    docker build --file deploy/Dokcerfile .", "deploy/Dokcerfile is not there"),
        ("    npm install", "a block of an unknown language"),
        ("```ruby\nputs 1\n```", "a block of ruby"),
        ("```text\nmake run\n```", "a command in a block that is no shell's"),
        ("    make run  # or --confg", "nothing has a flag --confg"),
        ("`--overwritten`", "nothing has a flag --overwritten"),
        ("`--set model.expert=3`", "unknown key `model.expert`"),
        ("`train.epocs`", "no key of the configuration: train.epocs"),
        ("`train.epochs: many`", "`train.epochs`"),
        ("`hsc_over=none`", "`model.hsc_over`"),
        ("    data: {fils: '*.csv'}", "unknown key `data.fils`"),
        ("    dat:\n      files: '*.csv'", "unknown key `dat`"),
        ('    feature { name: "price" typ: FLOAT }', 'no field named "typ"'),
        ("    from serving.client import Client", "serving.client has no"),
        ("`hsc_wieght`", "nothing is named hsc_wieght"),
        ("`test_a_fault_*` and `test_a_mistake_*`", "nothing is named test_a_mistake_"),
        ("`models/rankers.py`", "there is no file models/rankers.py"),
        ("[a page](nowhere.md)", "nowhere.md is not there"),
        ("[a heading](README.md#nothing)", "has no heading #nothing"),
    ],
)
def test_what_is_not_so_is_found(text, message):
    found = problems(PROJECT / "README.md", f"A page.\n\n{text}\n")
    assert len(found) == 1, found
    assert message in found[0]


def test_pages_are_read_alike_by_tests_that_make_started(monkeypatch):
    text = 'make run CONFIG=shop.yaml ARGS="--set train.seed=2"'
    by_hand = list(commands(text))
    for name, value in {"MAKELEVEL": "1", "MAKEFLAGS": "w -- ARGS=-k\\ gates", "ARGS": "-k gates"}.items():
        monkeypatch.setenv(name, value)
    assert list(commands(text)) == by_hand


def test_commands_that_run_at_once_are_told_apart():
    expected = [[f"p{place}", f"{place}" * 20_000, "a\nb"] for place in range(6)]
    text = " | ".join(shlex.join(words) for words in expected)
    assert all(sorted(commands(text)) == expected for _ in range(30))


def test_the_index_has_every_page():
    listed = (PROJECT / "docs/README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.parent.name == "docs" and page.name not in listed] == []


@pytest.mark.parametrize("page", ["README.md", "docs/variants.md"])
def test_figures_that_a_page_quotes_stand_on_the_page_that_measured_them(page):
    measured = [path.read_text(encoding="utf-8") for path in PAGES if path.parent.name == "docs"]
    measured = "\n".join(text for text in measured if not text.startswith("# Choosing a variant"))
    quoted = (PROJECT / page).read_text(encoding="utf-8")
    figures = re.findall(r"[-+]?\d\.\d{4}(?: ± \d\.\d{4}| \[[^]]*\])?", quoted.replace("\n", " "))
    assert len(figures) > 20
    assert [figure for figure in figures if figure not in measured.replace("\n", " ")] == []

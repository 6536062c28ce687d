"""Fingerprints of the project's own source, so that TFX's cache notices a change of code.

TFX answers from its cache when inputs and parameters are the same, and does not look at the code. Each component
therefore takes its fingerprint as one more parameter.
"""

import ast
import collections
import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Iterable, Mapping

from models.ranker.config import ModelConfig

# The modules that a component runs, by its id. What these modules import follows from their source.
_RUNS = {
    "ClickLogExampleGen": ("components.click_log_example_gen.executor",),
    "StatisticsGen": ("components.stock",),
    "ImportSchemaGen": ("components.stock",),
    "ExampleValidator": ("components.stock",),
    "AnomalyGate": ("components.anomaly_gate.executor",),
    "CategoryHierarchyGen": ("components.category_hierarchy_gen.executor",),
    "Transform": ("components.transform.executor", "models.inputs.preprocessing"),
    "Tuner": ("components.tuner", "models.tuning.tuner"),
    "Trainer": ("components.trainer.executor", "models.training.entry"),
    "SplitScorer": ("components.split_scorer.executor",),
    "Evaluator": ("components.evaluator.executor", "models.metrics"),
    "Pusher": ("components.pusher.executor",),
    "ModelReport": ("components.model_report.executor",),
    "BulkScorer": ("components.bulk_scorer.executor",),
}
_PACKAGES = ("common", "schemas", "models", "reporting", "components", "pipeline", "serving")
# Modules that show how far a component is and what it looks like. A prettier picture trains nothing.
_SHOWN = ("common.progress", "components.click_log_example_gen.progress", "models.training.tensorboard")
_ROOT = pathlib.Path(__file__).resolve().parents[1]


def used_rows(model: ModelConfig) -> dict[str, object]:
    """The row that ``model`` uses of each table of data, by the module of the table.

    A fingerprint counts the row in place of the table's source: a new variant retrains no other variant.
    """
    return {"models.ranker.variants": model.parts}


def component_codes(rows: Mapping[str, object] | None = None) -> dict[str, str]:
    """The fingerprint of each component's source, by the component's id; ``rows`` as `used_rows` gives them."""
    return {name: source_fingerprint(*modules, rows=rows) for name, modules in _RUNS.items()}


def source_fingerprint(*modules: str, rows: Mapping[str, object] | None = None) -> str:
    """SHA-256 in hex of what some modules and all that they import do.

    It counts the syntax trees of the project's modules, without docstrings, comments and arguments `description`; the
    templates beside modules that render pages; and the versions of the libraries that the modules import.

    Args:
      *modules: dotted names of modules of the project.
      rows: as `used_rows` gives them.

    Raises:
      ModuleNotFoundError: if there is no such module.
    """
    files, libraries = _closure(modules)
    parts = []
    for name, path in sorted(files.items()):
        if rows and name in rows:
            parts.append(repr(rows[name]))
            continue
        source = _parse(_read(path))
        parts.append(source.tree)
        if source.renders:
            parts += [_read(template) for template in sorted((path.parent / "templates").glob("*"))]
    versions = {version for library in libraries for version in _versions(library)}
    return hashlib.sha256("\n".join([*parts, *sorted(versions)]).encode()).hexdigest()


def _closure(modules: Iterable[str]) -> tuple[dict[str, pathlib.Path], set[str]]:
    """The files of the project's modules that ``modules`` import, by dotted name; and the modules of libraries."""
    files, libraries, waiting = {}, set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name in files or any(f"{name}.".startswith(f"{shown}.") for shown in _SHOWN):
            continue
        path = _file(name)
        if path is None:
            raise ModuleNotFoundError(f"no module {name!r}")
        files[name] = path
        for imported in _imports(path):
            if imported.partition(".")[0] in _PACKAGES:
                waiting.append(imported)
                continue
            libraries.add(imported)
            # TFX's executors compute with libraries that the executors here need not import.
            if imported.startswith("tfx.components.") and (executor := _file(imported)):
                libraries |= set(_imports(executor))
        if package := name.rpartition(".")[0]:
            waiting.append(package)
    return files, libraries


def _imports(path: pathlib.Path) -> list[str]:
    """Modules by dotted name; `from a import b` imports the module a.b, or the name b of the module a."""
    return [
        module if name is None or _file(f"{module}.{name}") is None else f"{module}.{name}"
        for module, name in _parse(_read(path)).imports
    ]


def _file(module: str) -> pathlib.Path | None:
    """The source of a module of the project or of TFX; found by its name, since an import would run it."""
    root = _folder_of_tfx() if module.startswith("tfx.") else _ROOT
    path = root / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@functools.cache
def _folder_of_tfx() -> pathlib.Path:
    return pathlib.Path(importlib.util.find_spec("tfx").origin).parents[1]


def _read(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8")


@dataclasses.dataclass
class _Source:
    """What counts of a file.

    Attributes:
      tree: its syntax tree, as text.
      imports: pairs (module, imported name or None).
    """

    tree: str = ""
    imports: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)

    @property
    def renders(self) -> bool:
        """Whether it names the folder of templates beside it."""
        return "Constant('templates'" in self.tree

    def dump(self, node: object) -> str:
        """A node as text, without texts that only people read; `ast.dump` has no way to leave these out."""
        if isinstance(node, list):
            return f"[{','.join(map(self.dump, node))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, ast.Import):
            self.imports += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            self.imports += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ""
        elif isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
        return f"{type(node).__name__}({','.join([self.dump(getattr(node, name, None)) for name in node._fields])})"


@functools.cache
def _parse(text: str) -> _Source:
    source = _Source()
    source.tree = source.dump(ast.parse(text))
    return source


def _versions(module: str) -> set[str]:
    """The distributions with their versions that a library's module comes from; none for Python's own."""
    root, _, rest = module.partition(".")
    distributions = _distributions()
    # Several distributions share a namespace as `google`.
    return distributions.get(f"{root}.{rest.partition('.')[0]}") or distributions.get(root, set())


@functools.cache
def _distributions() -> dict[str, set[str]]:
    """Installed distributions, as "numpy 1.24.4", by the first name and by the first two names of their modules."""
    found = collections.defaultdict(set)
    for distribution in importlib.metadata.distributions():
        version = f"{distribution.metadata['Name']} {distribution.version}"
        for line in (distribution.read_text("RECORD") or "").splitlines():
            first, *rest = line.partition(",")[0].removesuffix(".py").split("/", 2)[:2]
            found[first].add(version)
            found[".".join([first, *rest])].add(version)
    return found

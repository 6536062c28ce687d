"""Fingerprints of the project's own source, so that TFX's cache notices a change of code."""

import ast
import functools
import hashlib
import importlib.util
import pathlib

_PACKAGES = ("common", "pipeline", "components", "models", "reporting", "schemas")


def source_fingerprint(module: str) -> str:
    """SHA-256 of the source of a module and of all the project's modules that it imports, in hex; and of the templates
    in folders beside them.

    TFX answers from its cache when inputs and parameters are the same, and does not look at the code
    behind a dotted path. Whoever runs ``module`` takes this as one more parameter.

    Raises:
      ModuleNotFoundError: if there is no such module.
    """
    digest = hashlib.sha256()
    modules = _closure(module)
    templates = {path for folder in {path.parent for path in modules} for path in (folder / "templates").glob("*")}
    for path in sorted(modules | templates):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _closure(module: str) -> set[pathlib.Path]:
    found, waiting = {}, [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _path(name)
        waiting += [imported for imported in _imports(found[name]) if imported not in found]
    return set(found.values())


@functools.cache
def _imports(path: pathlib.Path) -> tuple[str, ...]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            # `from a import b` imports the module a.b, or the name b of the module a.
            names += [name for alias in node.names if _is_module(name := f"{node.module}.{alias.name}")]
            names.append(node.module)
    return tuple(name for name in names if name.split(".")[0] in _PACKAGES)


def _is_module(name: str) -> bool:
    return name.split(".")[0] in _PACKAGES and _find(name) is not None


def _find(name: str):
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


def _path(name: str) -> pathlib.Path:
    spec = _find(name)
    if spec is None:
        raise ModuleNotFoundError(f"no module {name!r}")
    return pathlib.Path(spec.origin)

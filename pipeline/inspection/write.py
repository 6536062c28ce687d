"""Writes a proposal as a schema and a configuration with comments, to be read and changed by hand."""

import os
import pathlib
from collections.abc import Mapping

import yaml

from pipeline.inspection.draft import Feature, Proposal

_HEAD = """# {name}: written by `python -m pipeline init --log={log}`; read it, change it.
# The grammar of the tags: schemas/roles.py.
represent_variable_length_as_ragged: true
"""


def write_schema(proposal: Proposal, name: str, log: str) -> str:
    """The schema's text."""
    parts = [_HEAD.format(name=name, log=log)]
    for scope, title in (("request", "once a request"), ("item", "once an item: a list")):
        parts.append(f"# --- {title} {'-' * (98 - len(title))}\n")
        parts += [_feature(feature) for feature in proposal.features if feature.scope == scope]
    return "\n".join(parts)


def _feature(feature: Feature) -> str:
    fields = [f'name: "{feature.name}" type: {feature.type}']
    fields += ["shape {}"] if feature.is_scalar else []
    fields += ["value_count { min: 1 }"] if feature.scope == "item" else []
    fields += ["presence { min_fraction: 1 }"] if feature.required else []
    fields += [feature.domain] if feature.domain else []
    tags = " ".join(f'tag: "{tag}"' for tag in [f"scope:{feature.scope}", *feature.tags])
    column = f"{feature.column}: " if feature.column else ""
    comment = " ".join(f"{column}{feature.why}".split())
    return f"# {comment}\nfeature {{\n  {' '.join(fields)}\n  annotation {{ {tags} }}\n}}\n"


def write_config(proposal: Proposal, name: str, schema: str, log: str) -> str:
    """The configuration's text."""
    head = f"# {name}: written by `python -m pipeline init --log={log}`; read it, change it.\n"
    head += "".join(f"# Unsure: {' '.join(text.split())}\n" for text in proposal.unsure)
    head += "# All keys: python -m pipeline run --help\n"
    data = {key: value for key, value in proposal.data.items() if value != {}}
    body = {"name": name, "schema": schema, "data": data, **proposal.other}
    return head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def write_files(texts: Mapping[pathlib.Path, str]) -> None:
    """Writes new files, all or none.

    Raises:
      OSError: if one of them is there, or cannot be written.
    """
    begun = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                begun.append(path)
                file.write(text)
    except BaseException:
        for path in begun:
            path.unlink()
        raise


def check_free(paths: list[pathlib.Path]) -> None:
    """Refuses to write over a file.

    Raises:
      FileExistsError: naming the first that is there.
    """
    for path in paths:
        if os.path.lexists(path):  # False, not an error, for what can be no path
            raise FileExistsError(f"{path} is there already: --out names another folder, --name other files")

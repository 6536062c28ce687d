"""The versions in a model's folder."""

import pathlib
import re


def versions_in(folder: pathlib.Path) -> list[int]:
    """The numbers of the versions in a model's folder, ascending."""
    if not folder.is_dir():
        return []
    names = [path.name for path in folder.iterdir() if (path / "saved_model.pb").exists()]
    return sorted(int(name) for name in names if re.fullmatch("0|[1-9][0-9]{0,17}", name))

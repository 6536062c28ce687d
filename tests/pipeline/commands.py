"""`python -m pipeline` as it is typed, without the seconds that its imports take."""

import os
import pathlib
import subprocess
import tempfile

from tests.attempts import fork

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DEMO = PROJECT / "pipeline" / "configs" / "demo.yaml"


def call(verb: str, *flags: str, folder: pathlib.Path = PROJECT) -> subprocess.CompletedProcess:
    """The exit code of a verb, and what it wrote to both streams."""
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        code = fork([verb, *flags], dict(os.environ), out.name, err.name, folder).wait()
        return subprocess.CompletedProcess([verb, *flags], code, out.read(), err.read())

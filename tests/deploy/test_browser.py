import os
import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "deploy" / "browser.sh"
UNAME = "#!/bin/sh\necho {}\n"


@pytest.mark.parametrize(
    ("machine", "npm", "reason"),
    [
        ("Darwin arm64", "", "is for Linux on x86-64, and this is Darwin arm64"),
        ("Linux x86_64", "https://registry.invalid", "npm could not download @sparticuz/chromium"),
    ],
)
def test_a_browser_that_cannot_be_had_says_why_and_leaves_nothing(tmp_path, machine, npm, reason):
    uname = tmp_path / "bin" / "uname"
    uname.parent.mkdir()
    uname.write_text(UNAME.format(machine))
    uname.chmod(0o755)
    environment = dict(os.environ) | {"PATH": f"{uname.parent}:{os.environ['PATH']}"}
    if npm:
        # The cache is its own: what was fetched before must not come from there.
        environment |= {"npm_config_registry": npm, "npm_config_cache": str(tmp_path / "cache")}
        environment |= {"npm_config_fetch_retry_mintimeout": "10", "npm_config_fetch_retry_maxtimeout": "20"}
    done = subprocess.run(["bash", SCRIPT, tmp_path / "browser"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "make test CHROMIUM=" in done.stderr
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith("browser")] == []

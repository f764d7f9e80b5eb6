#!/usr/bin/env bash
# Makes the virtual environment in $1: exact, hash-checked versions from requirements/all.lock, then this project.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Spaarpunt needs Python 3.11 or newer as '$python'. On Debian or Ubuntu: apt install python3 python3-venv" >&2
  exit 1
fi
if [ ! -x "$venv/bin/python" ] && ! "$python" -m venv "$venv" 2>/dev/null; then
  # Debian ships venv apart from python3.
  rm -rf "$venv"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing python3-venv …" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    "$python" -m venv "$venv"
  else
    echo "'$python -m venv' does not work here. On Debian or Ubuntu: sudo apt install python3-venv" >&2
    exit 1
  fi
fi

echo "Installing what requirements/all.lock names into $venv …" >&2
# Compiled while it is installed: where Python may not write its compiled modules, a till would compile a thousand of
# them at each start (three seconds instead of one).
# The installer's own lines (name, version, hashes) out of the lock; pip checks the hashes.
installer=$(mktemp)
trap 'rm -f "$installer"' EXIT
awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements/all.lock >"$installer"
"$venv/bin/python" -m pip install -q --require-hashes -r "$installer"
"$venv/bin/uv" pip install -q --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements/all.lock
"$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --no-build-isolation --editable .

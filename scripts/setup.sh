#!/usr/bin/env bash
# Make the virtual environment and install Switchlog in it: scripts/setup.sh VENV EXTRA[,EXTRA...]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 extras=$2

works() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

# 3.12 first: there are no wheels of one of the phones' makers for 3.13 yet. But before that one that was built with
# profile-guided optimisation, such as a distribution's beside one that was compiled by hand: our code then takes a tenth less.
best_python() {
    local name path any=
    for name in python3.12 python3.11 python3.13 python3; do
        for path in "$name" "/usr/bin/$name"; do
            works "$path" || continue
            any=${any:-$path}
            if "$path" scripts/interpreter.py; then
                echo "$path"
                return
            fi
        done
    done
    [ -n "$any" ] && echo "$any"
}

if ! works "$venv/bin/python"; then
    if ! python=$(best_python); then
        # Debian splits venv from python3; other systems have it or have no python3 at all.
        scripts/debian.sh --always python3 python3-venv || true
        python=$(best_python) || {
            echo "setup: Switchlog needs Python 3.11, 3.12 or 3.13 with the venv module; install one and run this again" >&2
            exit 1
        }
    fi
    echo "setup: making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
echo "setup: installing Switchlog [$extras]; the first time takes some minutes"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$extras]"
# An editable install leaves our own modules as they are; compiled now, the first start need not do it.
"$venv/bin/python" -m compileall -q domain media adapters projections api switchlog

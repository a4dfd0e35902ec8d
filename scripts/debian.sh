#!/usr/bin/env bash
# Install Debian packages where that is possible: scripts/debian.sh [--always PACKAGE...] [COMMAND=PACKAGE...]
# A COMMAND that is already there needs nothing. Exits 1, naming what is missing, where nothing may be installed.
set -euo pipefail

always=false
missing=()
for wanted in "$@"; do
    if [[ $wanted == --always ]]; then
        always=true
    elif [[ $wanted != *=* ]]; then
        $always && missing+=("$wanted")
    elif ! command -v "${wanted%%=*}" >/dev/null; then
        missing+=("${wanted#*=}")
    fi
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
    as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ! sudo -n true 2>/dev/null; }; then
    echo "missing and not to be installed from here: ${missing[*]} (names of Debian packages)" >&2
    exit 1
fi
echo "installing ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null || {
    echo "could not be installed: ${missing[*]} (see apt-get above)" >&2
    exit 1
}

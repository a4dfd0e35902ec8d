#!/usr/bin/env bash
# Install Debian packages where that is possible: scripts/debian.sh [--always PACKAGE...] [COMMAND=PACKAGE...]
# A COMMAND that is already there needs nothing. Exits 1, naming what is missing, where nothing may be installed.
# What it installs are commands: a service that comes with one is neither started now nor at the next boot.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # where Debian has servers, and not everybody looks

always=false
missing=()
commands=()
for wanted in "$@"; do
    if [[ $wanted == --always ]]; then
        always=true
    elif [[ $wanted != *=* ]]; then
        $always && missing+=("$wanted")
    elif ! command -v "${wanted%%=*}" >/dev/null; then
        missing+=("${wanted#*=}")
        commands+=("${wanted#*=}")
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

policy=/usr/sbin/policy-rc.d # asked by packages before they start a service; 101 forbids it
if [[ ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    "${as_root[@]}" sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null || {
    echo "could not be installed: ${missing[*]} (see apt-get above)" >&2
    exit 1
}

((${#commands[@]})) && command -v systemctl >/dev/null || exit 0
mapfile -t services < <(dpkg -L "${commands[@]}" | sed -n 's,.*/systemd/system/\([^/@]*\.service\)$,\1,p')
((${#services[@]})) || exit 0
now=()
if [[ -d /run/systemd/system ]]; then
    now=(--now)
fi
"${as_root[@]}" systemctl --quiet disable "${now[@]}" "${services[@]}"

#!/bin/bash
# Install the Debian packages named in the given list files, as far as they are missing, without starting their services.
# Needs root or sudo. Without either it says what is missing and succeeds, unless HAIDANG_REQUIRE_PEERS=1.
set -eu -o pipefail

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=()
for package in $(sed 's/#.*//' "$@"); do
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

refuse() {
    echo "Missing Debian packages: ${missing[*]}" >&2
    echo "$1. To install them: sudo apt-get install ${missing[*]}" >&2
    [ "${HAIDANG_REQUIRE_PEERS:-}" = 1 ] && exit 1
    echo "Going on without them: what needs them is skipped." >&2
    exit 0
}

command -v apt-get >/dev/null || refuse "There is no apt-get here"
root=()
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then root=(sudo -n)
    elif [ -t 0 ] && [ -t 2 ] && command -v sudo >/dev/null; then root=(sudo)
    else refuse "Installing them needs root or sudo"
    fi
fi

echo "Installing Debian packages: ${missing[*]}" >&2
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
placed=
tidy() {
    [ -z "$placed" ] || "${root[@]}" rm -f "$policy"
    rm -f "$log"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ ! -e "$policy" ]; then # the administrator's own stays
    placed=1
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
fi

apt() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
}
before=$(dpkg-query -W -f '${Package}\n' | sort)
# the lists may be missing, or name versions the mirror has replaced since
if ! { ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && apt install --no-install-recommends "${missing[@]}"; }; then
    apt update && apt install --no-install-recommends "${missing[@]}" || {
        cat "$log" >&2
        echo "apt-get could not install ${missing[*]}" >&2
        exit 1
    }
fi

# policy-rc.d keeps services from starting now; those that came with this run shall not start at the next boot either
if command -v systemctl >/dev/null; then
    units=$(comm -13 <(echo "$before") <(dpkg-query -W -f '${Package}\n' | sort) | xargs -r dpkg -L 2>/dev/null |
        sed -n 's,^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|timer\|socket\)\)$,\2,p' | sort -u)
    [ -z "$units" ] || "${root[@]}" systemctl disable $units >>"$log" 2>&1 || true
fi

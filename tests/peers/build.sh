#!/usr/bin/env bash
# Builds a peer of the integration tests once and prints the path of its binary.
#   build.sh NAME      build NAME when the cache has no binary of its present sources
#   build.sh --all     build every peer
#   build.sh --list    print the names
# Each folder beside this script that holds a go.mod is a peer. Binaries live outside of the tree, in PROFPIPE_PEER_CACHE
# (else the user's cache folder), under a hash of the sources and the Go version, so that a change builds anew and a
# clean checkout does not. Exit 77: Go is missing or too old, which tests report as skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${PROFPIPE_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/profpipe-peers}
kept_builds=2 # older builds of a peer are removed beyond this number

skip() {
    echo "peers: skipped: $*" >&2
    exit 77
}

peers() {
    local module
    for module in "$here"/*/go.mod; do
        basename "$(dirname "$module")"
    done
}

# require_go MODULE_DIR: the version in go.mod is the oldest that builds it; nothing newer is downloaded behind our back.
require_go() {
    local wanted have
    command -v go >/dev/null || skip "Go is not installed (needed to build the test peers)"
    wanted=$(awk '$1 == "go" { print $2 }' "$1/go.mod")
    have=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
    [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] || skip "Go $have is too old, $1 needs $wanted"
}

sources_hash() {
    (cd "$1" && go env GOVERSION && find . -type f ! -name '*_test.go' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16
}

# remove_old NAME: the newest builds stay, because another checkout may be using them.
remove_old() {
    find "$cache" -maxdepth 1 -name "$1-????????????????" -printf '%T@ %p\n' | sort -rn | tail -n +$((kept_builds + 1)) | cut -d' ' -f2- |
        while read -r old; do rm -f "$old"; done
}

build() {
    local name=$1 dir=$here/$1 binary
    [ -f "$dir/go.mod" ] || { echo "peers: unknown peer '$name' (known: $(peers | tr '\n' ' '))" >&2; exit 2; }
    require_go "$dir"
    mkdir -p "$cache"
    binary=$cache/$name-$(sources_hash "$dir")
    if [ ! -x "$binary" ]; then
        exec 9>"$cache/$name.lock"
        flock 9
    fi
    if [ ! -x "$binary" ]; then # still: another caller may have built it while this one waited for the lock
        echo "peers: building $name (once; the first build downloads modules and may take minutes)" >&2
        (cd "$dir" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$binary.part" .) >&2
        mv "$binary.part" "$binary"
        remove_old "$name"
    fi
    touch "$binary"
    echo "$binary"
}

export GOTOOLCHAIN=local
case ${1:-} in
--list) peers ;;
--all) for peer in $(peers); do "$0" "$peer"; done ;;
-* | "") sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
*) build "$1" ;;
esac

#!/usr/bin/env bash
# go_oracle_test.sh CONVERT_TEST: real profiles of the Go runtime go through our conversion (pprof -> OTLP -> pprof); Go's own tool must print the
# same for both sides: samples, stacks, lines, labels, mappings and header. Skips (77) where there is no Go.
set -eu
convert=$1
command -v go >/dev/null || { echo "skipped: no go on this machine"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=${HOME:-$dir} GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off
here=$(cd "$(dirname "$0")" && pwd)
cp "$here/testdata/profiles.go" "$dir/main.go"
(cd "$dir" && go mod init example.test/profiles >/dev/null 2>&1 && go build -o profiles . && ./profiles "$dir")
n=0
for f in "$dir"/*.pb.gz; do
    "$convert" --round-trip "$f" "$f.ours"
    # -proto merges and renumbers both sides alike, so that what is compared does not depend on ids.
    for side in "$f" "$f.ours"; do
        go tool pprof -proto -symbolize=none -output="$side.canonical" "$side" 2>/dev/null >&2
        go tool pprof -raw -symbolize=none "$side.canonical" 2>/dev/null >"$side.raw"
    done
    diff -u "$f.raw" "$f.ours.raw" >"$dir/diff" || { echo "$(basename "$f"): differs"; head -40 "$dir/diff"; exit 1; }
    [ "$(wc -l <"$f.raw")" -gt 5 ] || { echo "$(basename "$f"): nothing to compare"; exit 1; }
    n=$((n + 1))
done
[ "$n" -ge 6 ] || { echo "only $n profiles"; exit 1; }
echo "$n profiles are the same after the round trip"

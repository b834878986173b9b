#!/usr/bin/env bash
# Property-based tests of the HTTP API from its OpenAPI document: no 5xx, no answer that the document does not promise.
#
# Usage: tests/schemathesis/run.sh [--seed N] [--seconds N] [--examples N]
# The last line is "N passed, N failed"; the exit code is 0 when nothing failed. Needs python3 with venv (apt: python3-venv).
# schemathesis is put into a virtual environment outside the checkout, made once: $FLUXDB_SCHEMATHESIS_VENV.
set -euo pipefail

version=4.32.5
seed=620600 seconds=120 examples=40
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=$2 ;;
        --seconds) seconds=$2 ;;
        --examples) examples=$2 ;;
        *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${FLUXDB_SCHEMATHESIS_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/fluxdb/schemathesis-$version}

install_schemathesis() {
    [ -x "$venv/bin/schemathesis" ] && return
    python3 -m venv --help >/dev/null 2>&1 || { echo "python3-venv is missing: apt-get install python3-venv" >&2; return 1; }
    rm -rf "$venv" && mkdir -p "$(dirname "$venv")" && python3 -m venv "$venv"
    timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "schemathesis==$version"
}

install_schemathesis
(cd "$root" && cargo build --quiet --example fake_server)

dir=$(mktemp -d)
# The server ends when its standard input does: with this script, however that ends.
mkfifo "$dir/alive"
"${CARGO_TARGET_DIR:-$root/target}/debug/examples/fake_server" "$dir" <"$dir/alive" &
server=$!
exec 9>"$dir/alive"
finish() {
    exec 9>&-
    wait "$server" 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT

for _ in $(seq 100); do
    [ -s "$dir/url" ] && break
    kill -0 "$server" 2>/dev/null || { echo "the server did not start" >&2; exit 1; }
    sleep 0.1
done
url=$(cat "$dir/url")
FLUXDB_TOKEN=$(cat "$dir/admin.token")
export FLUXDB_TOKEN

status=0
(cd "$dir" && timeout $((seconds + 240)) "$venv/bin/schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.json" \
    --checks all --seed "$seed" --max-examples "$examples" --max-time "$seconds" --workers 1 \
    --report json --report-json-path "$dir/report.json") || status=$?
kill -0 "$server" 2>/dev/null || { echo "the server ended while it was tested" >&2; status=1; }
python3 "$here/count.py" "$dir/report.json" "$status"

#!/usr/bin/env bash
# Builds FerretDB from the Go module proxy and an image around it: protocol only, see README.md.
#   bash build.sh REFERENCE
set -euo pipefail
[ $# = 1 ] || { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
images=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly module=github.com/FerretDB/FerretDB/v2 version=v2.7.0
work=$(mktemp -d "${TMPDIR:-/var/tmp}/fluxdb-ferretdb.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# The module cache is read-only; the program is built in a copy, with the toolchain that is here.
export GOTOOLCHAIN=local GOFLAGS=-mod=mod
source=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$source" "$work/source"
chmod -R u+w "$work/source"
# The images are built by a copy of these recipes that has a line for it.
cp -r "$images" "$work/images"
(cd "$work/source" && printf '%s\n' "$version" > build/version/version.txt \
  && go build -p 1 -trimpath -ldflags '-s -w' -o "$work/images/ferretdb/ferretdb" ./cmd/ferretdb)
printf 'ferretdb\t2.7\tsid\tpostgresql-18-documentdb\t/data/db\t/data/db\n' >> "$work/images/recipes.tsv"
bash "$work/images/build.sh" ferretdb 2.7 "$1"

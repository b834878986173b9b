#!/usr/bin/env bash
# Builds one database image from Debian packages (Java servers: and jars from a Maven repository), for hosts that cannot reach a container registry.
#   bash build.sh ENGINE VERSION REFERENCE      e.g. bash build.sh postgresql 17 localhost/fluxdb/postgresql:17
#   bash build.sh --if-changed ENGINE VERSION REFERENCE   does nothing when the image came from this very recipe
#   bash build.sh --list                        what can be built: ENGINE VERSION SUITE
# Lines "progress N/M text" go to stdout, everything else to stderr. See README.md for the environment.
set -euo pipefail

images=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -r -a podman <<< "${PODMAN:-podman}"
readonly phases=5

# shellcheck source-path=SCRIPTDIR source=lib/mirror.sh
. "$images/lib/mirror.sh"
# shellcheck source-path=SCRIPTDIR source=lib/base.sh
. "$images/lib/base.sh"
# shellcheck source-path=SCRIPTDIR source=lib/java.sh
. "$images/lib/java.sh"
# shellcheck source-path=SCRIPTDIR source=lib/wheels.sh
. "$images/lib/wheels.sh"
# shellcheck source-path=SCRIPTDIR source=lib/layer.sh
. "$images/lib/layer.sh"

progress() { echo "progress $1/$phases $2"; }
fail() { echo "build.sh: $1" >&2; exit 1; }

image_label() { "${podman[@]}" image inspect --format "{{index .Labels \"$2\"}}" "$1" 2> /dev/null || true; }

# find_recipe ENGINE VERSION: sets suite, packages, volume and data.
find_recipe() {
  local line
  line=$(awk -F'\t' -v e="$1" -v v="$2" '$1 == e && $2 == v { print $3 "\t" $4 "\t" $5 "\t" $6 }' "$images/recipes.tsv")
  [ -n "$line" ] || fail "no recipe for $1 $2; 'build.sh --list' shows what can be built"
  IFS=$'\t' read -r suite packages volume data <<< "$line"
}

# An interrupted rootless mmdebstrap leaves files of the user's further numbers, which only its namespace may remove.
remove_work() { rm -rf "$work" 2> /dev/null || "${podman[@]}" unshare rm -rf "$work" || true; }

# choose_cache: sets cache to a directory of ours. Another user's is only read: its base tars and jars are used, nothing is put there.
choose_cache() {
  cache=${FLUXDB_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fluxdb/images}
  mkdir -p "$cache" 2> /dev/null || true
  if [ -O "$cache" ] && [ -w "$cache" ]; then return; fi
  echo "build.sh: the cache $cache belongs to someone else; building without keeping anything" >&2
  mkdir -p "$work/cache/base"
  mkdir -p "$work/cache/java"
  ln -s "$cache"/base/*.tar "$work/cache/base/" 2> /dev/null || true
  ln -s "$cache"/java/* "$work/cache/java/" 2> /dev/null || true
  cache=$work/cache
}

build() {
  local engine=$1 version=$2 reference=$3
  find_recipe "$engine" "$version"
  recipe=$(cat "$images/recipes.tsv" "$images"/lib/* "$images"/common/* "$images/$engine"/* | sha256sum | cut -c1-12)
  if [ -n "$if_changed" ] && [ "$(image_label "$reference" io.fluxdb.recipe)" = "$recipe" ]; then
    progress "$phases" "$reference is up to date"
    return
  fi
  umask 022
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/fluxdb-build.XXXXXX")
  trap remove_work EXIT
  trap 'exit 143' INT TERM HUP
  chmod 0755 "$work"  # mmdebstrap's unshared root must be able to enter
  choose_cache
  progress 1 "waiting for other builds on Debian $suite"
  exec 9> "$cache/$suite.lock"
  flock --timeout 1200 9 || fail "another build on Debian $suite has held the lock for 20 minutes"
  package_sources "$suite" > "$work/sources.list"
  # What root reads may be secret; what an ordinary user reads is not, and mmdebstrap reads it again under another number.
  (umask "$([ "$(id -u)" = 0 ] && echo 077 || echo 022)"; package_settings > "$work/apt.conf")
  ensure_base "$suite"
  progress 3 "installing $packages"
  ensure_jars "$engine" "$version"
  build_layer "$engine" "$version" "$reference"
  progress 5 "$reference is ready"
}

if_changed=
case ${1:-} in
  --list) awk -F'\t' '!/^#/ { print $1, $2, $3 }' "$images/recipes.tsv"; exit ;;
  --if-changed) if_changed=yes; shift ;;
esac
[ $# = 3 ] || { sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
build "$@"

#!/usr/bin/env bash
# Do the images keep their contract on real Podman? Builds what is missing or changed, then starts every image under the
# security baseline of the daemon. One line a check, "N passed, N failed" at the end.
#   bash test.sh                     the default version of every engine
#   bash test.sh --all               every version
#   bash test.sh postgresql:15 ...   these
# Runs as root and as an ordinary user; PODMAN and FLUXDB_IMAGE_CACHE as for build.sh.
set -euo pipefail

images=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -r -a podman <<< "${PODMAN:-podman}"
# shellcheck source-path=SCRIPTDIR source=test/lib.sh
. "$images/test/lib.sh"
# shellcheck source-path=SCRIPTDIR source=test/checks.sh
. "$images/test/checks.sh"

# chosen ARG...: lines ENGINE VERSION of what to test.
chosen() {
  case ${1:-} in
    '') bash "$images/build.sh" --list | awk '!seen[$1]++ { print $1, $2 }' ;;
    --all) bash "$images/build.sh" --list | awk '{ print $1, $2 }' ;;
    *) printf '%s\n' "$@" | tr ':' ' ' ;;
  esac
}

trap clean_up EXIT
trap 'exit 143' INT TERM HUP
make_password
while read -r engine version <&3; do
  image=localhost/fluxdb/$engine:$version
  check "$engine $version: builds" build_image
  [ "$last" = ok ] || continue
  run_as 999
  # What starts only with a configuration of fluxdb is tried by its own conformance tests.
  [ -e "$images/test/$engine.sh" ] || continue
  # shellcheck source-path=SCRIPTDIR source=/dev/null
  . "$images/test/$engine.sh"
  check_image
done 3< <(chosen "$@")
clean_up
trap - EXIT
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

# The local database images: made once by root, handed to the service user's own store.
# shellcheck shell=bash disable=SC2154 # project: set by all.sh

# Engines whose images the tests make and run; FLUXDB_TEST_ENGINES=all for every one that can be built here (an hour).
test_engines=${FLUXDB_TEST_ENGINES:-postgresql mariadb redis valkey timescaledb}

# default_images: ENGINE VERSION NAME of the default version of every engine that the tests run.
default_images() {
  bash "$project/images/build.sh" --list | awk -v wanted=" $test_engines " \
    '!seen[$1]++ && (wanted == " all " || index(wanted, " " $1 " ")) { print $1, $2, "localhost/fluxdb/" $1 ":" $2 }'
}

# build_default_images: in the store of the user who calls; does nothing for those that are up to date.
build_default_images() {
  local engine version name
  while read -r engine version name <&3; do
    bash "$project/images/build.sh" --if-changed "$engine" "$version" "$name" 2>&1 | sed "s|^|    |" >&2
    [ "${PIPESTATUS[0]}" = 0 ] || return 1
  done 3< <(default_images)
}

# share_images USER NAME...: copies images that USER has not got, or has an older one of, from the store of the user who calls.
share_images() {
  local user=$1 name missing=()
  shift
  for name; do
    [ "$(podman image inspect --format '{{.Id}}' "$name")" = "$(image_id_of "$user" "$name")" ] || missing+=("$name")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "copying ${missing[*]} to $user"
  timeout 600 podman save --quiet --multi-image-archive "${missing[@]}" | as_user "$user" timeout 600 podman load --quiet >&2
}

image_id_of() { as_user "$1" podman image inspect --format '{{.Id}}' "$2" 2> /dev/null || true; }

# recipes_for USER: prints a copy of images/ that USER can read, whatever the mode of the checkout's parents.
recipes_for() {
  local copy
  copy=$(mktemp -d /var/tmp/fluxdb-images.XXXXXX)
  cp -r "$project/images/." "$copy/"
  chown -R "$1" "$copy"
  echo "$copy"
}

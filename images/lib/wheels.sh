# Python libraries: their wheels come from the package index that this host uses; no address is written in this project.
# shellcheck shell=bash disable=SC2154 # set by build.sh: cache work images

# fetch_wheels ENGINE VERSION DIRECTORY: puts the wheels that images/ENGINE/wheels.tsv names for VERSION (columns: version,
# Python of the image, requirement) into DIRECTORY; nothing for an engine without such a file. Kept in the cache.
fetch_wheels() {
  local engine=$1 version=$2 into=$3 list=$images/$1/wheels.tsv kept python requirement machine
  [ -e "$list" ] || return 0
  machine=$(uname -m)
  kept=$cache/wheels/$engine-$version-$machine-$(sha256sum "$list" | cut -c1-12)
  if [ ! -d "$kept" ]; then
    command -v python3 > /dev/null || fail "python3 with pip is missing: install it (apt-get install python3-pip)"
    rm -rf "$work/wheels"
    mkdir -p "$work/wheels" "$cache/wheels"
    while IFS=$'\t' read -r _ python requirement; do
      timeout --foreground 600 python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --implementation cp --python-version "$python" --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" \
        --platform "manylinux_2_26_$machine" --dest "$work/wheels" "$requirement" < /dev/null >&2 \
        || fail "pip could not fetch $requirement (its messages are above)"
    done < <(awk -F'\t' -v v="$version" '!/^#/ && $1 == v' "$list")
    [ -n "$(ls -A "$work/wheels")" ] || fail "images/$engine/wheels.tsv has nothing for $version"
    rm -rf "$cache/wheels/$engine-$version-$machine"-*
    mv "$work/wheels" "$kept"
  fi
  mkdir -p "$into"
  cp "$kept"/*.whl "$into/"
}

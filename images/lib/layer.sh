# The engine's own layer: packages installed on the shared base by `podman build`.
# shellcheck shell=bash disable=SC2154 # set by build.sh: podman cache work images base suite packages data volume recipe jars

# build_layer ENGINE VERSION REFERENCE
# The recipe, the sources, the jars and the caches are mounted on directories that the base has anyway, so that neither the mirror's
# name nor any litter ends up in the image. What is mounted is not part of Podman's layer cache key, hence no --layers.
# --foreground keeps everything in one process group, so that whoever started the build can end it; TMPDIR, in one place.
# chroot isolation needs no OCI runtime and no cgroup, so it builds where containers themselves cannot run yet.
build_layer() {
  local engine=$1 version=$2 reference=$3
  mkdir -p "$cache/apt/$suite/archives/partial" "$cache/apt/$suite/lists/partial"
  mkdir "$work/recipe"
  cp -rL "$images/common/." "$images/$engine/." "$work/sources.list" "$work/apt.conf" "$work/recipe/"
  fetch_wheels "$engine" "$version" "$work/recipe/wheels"
  TMPDIR=$work timeout --foreground 900 "${podman[@]}" build --quiet --layers=false --force-rm --pull=never --isolation=chroot --network=host \
    --security-opt label=disable \
    --volume "$work/recipe:/mnt:ro" \
    --volume "$cache/apt/$suite/archives:/var/cache/apt/archives" \
    --volume "$cache/apt/$suite/lists:/var/lib/apt/lists" \
    ${jars:+--volume "$jars:/srv:ro"} \
    --build-arg "BASE=$base" --build-arg "VERSION=$version" --build-arg "PACKAGES=$packages" \
    --build-arg "DATA=$data" --build-arg "VOLUME=$volume" \
    --label "io.fluxdb.recipe=$recipe" --label "io.fluxdb.engine=$engine" --label "io.fluxdb.suite=$suite" \
    --label "org.opencontainers.image.version=$version" \
    --tag "$reference" "$images/$engine" >&2 \
    || fail "podman build of $engine $version failed (its messages are above)"
  progress 4 "tagging $reference"
  # Images of ours that lost their name to a newer one, and that no container uses, are dropped.
  "${podman[@]}" image prune --force --filter label=io.fluxdb.recipe > /dev/null 2>&1 || true
}

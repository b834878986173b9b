# The layer that all images of one Debian suite share: made once by mmdebstrap, kept as a tar in the cache.
# shellcheck shell=bash disable=SC2154 # set by build.sh: podman cache work images

readonly base_max_age_days=30

# base_image SUITE: prints the name of the base image, making what is missing.
ensure_base() {
  local suite=$1 recipe tar
  recipe=$(sha256sum "$images/lib/base.sh" | cut -c1-12)
  base=localhost/fluxdb/base:$suite
  if [ "$(image_label "$base" io.fluxdb.recipe)" = "$recipe" ]; then
    progress 2 "Debian $suite base is present"
    return
  fi
  tar=$cache/base/$suite-$(dpkg --print-architecture)-$recipe.tar
  if [ ! -r "$tar" ] || [ -n "$(find "$tar" -mtime +$base_max_age_days)" ]; then
    progress 2 "making the Debian $suite base"
    bootstrap "$suite" "$tar"
  else
    progress 2 "loading the Debian $suite base from the cache"
  fi
  "${podman[@]}" import --quiet --change "LABEL io.fluxdb.recipe=$recipe" "$tar" "$base" > /dev/null \
    || fail "podman could not import the Debian $suite base"
}

# bootstrap SUITE TAR: the smallest Debian with apt, without documentation and translations.
bootstrap() {
  local suite=$1 tar=$2 mode=unshare
  command -v mmdebstrap > /dev/null || fail "mmdebstrap is missing: install it (apt-get install mmdebstrap)"
  [ "$(id -u)" != 0 ] || mode=root
  mkdir -p "$(dirname "$tar")"
  # The tar is made in the work directory and renamed, so an interrupted build leaves no half tar in the cache.
  # shellcheck disable=SC2016 # the hooks are for mmdebstrap's shell
  TMPDIR=$work timeout 600 mmdebstrap --quiet --variant=minbase --mode="$mode" \
    --aptopt="$work/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/* "$1"/var/cache/debconf/*-old' \
    --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list.d/*' \
    --customize-hook=': > "$1"/etc/apt/sources.list' \
    "$suite" "$work/base.tar" "$work/sources.list" >&2 \
    || fail "mmdebstrap could not make the Debian $suite base (its messages are above)"
  chmod 0644 "$work/base.tar"
  mv "$work/base.tar" "$tar"
}

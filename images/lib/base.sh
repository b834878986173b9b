# The layer that all images of one Debian suite share: made once by mmdebstrap, kept as a tar in the cache.
# shellcheck shell=bash disable=SC2154 # set by build.sh: podman cache work images

readonly base_max_age_days=30

# ensure_base SUITE: sets base to the name of the base image, making what is missing.
ensure_base() {
  local suite=$1 recipe tar
  recipe=$(cat "$images/lib/base.sh" "$images/lib/slim-base.sh" | sha256sum | cut -c1-12)
  base=localhost/fluxdb/base:$suite
  if [ "$(image_label "$base" io.fluxdb.recipe)" = "$recipe" ]; then
    progress 2 "Debian $suite base is present"
    return
  fi
  tar=$cache/base/$suite-$(dpkg --print-architecture)-$recipe.tar
  if [ ! -r "$tar" ] || [ -n "$(find "$tar" -mtime +$base_max_age_days)" ]; then
    progress 2 "making the Debian $suite base"
    bootstrap "$suite"
    mkdir -p "$cache/base"
    rm -f "$cache/base/$suite"-*.tar
    mv "$work/base.tar" "$tar"
  else
    progress 2 "loading the Debian $suite base from the cache"
  fi
  "${podman[@]}" import --quiet --change "LABEL io.fluxdb.recipe=$recipe" "$tar" "$base" > /dev/null \
    || fail "podman could not import the Debian $suite base"
}

# bootstrap SUITE: makes $work/base.tar, the smallest Debian with apt, without documentation and translations.
bootstrap() {
  local suite=$1 mode=unshare
  command -v mmdebstrap > /dev/null || fail "mmdebstrap is missing: install it (apt-get install mmdebstrap)"
  [ "$(id -u)" != 0 ] || mode=root
  # The user that mmdebstrap becomes may not enter the homes of others: what it needs is in the work directory.
  cp "$images/lib/slim-base.sh" "$work/"
  TMPDIR=$work HOME=$work timeout --foreground 600 mmdebstrap --quiet --variant=minbase --mode="$mode" --include=usr-is-merged \
    --aptopt="$work/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --customize-hook="sh $work/slim-base.sh \"\$1\"" \
    "$suite" "$work/base.tar" "$work/sources.list" >&2 \
    || fail "mmdebstrap could not make the Debian $suite base (its messages are above)"
  chmod 0644 "$work/base.tar"
}

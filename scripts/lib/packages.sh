# Which Debian packages does fluxdb need, and which of them are missing?
# shellcheck shell=bash

# host_packages: to run databases and to build the daemon, for this kind of machine.
host_packages() {
  echo podman uidmap netavark aardvark-dns iptables mmdebstrap ca-certificates curl jq procps
  # Images of Java servers are made of jars that Maven fetches.
  echo maven
  # That of DuckDB is made of Python wheels.
  echo python3-pip
  echo gcc libc6-dev
  # crun refuses machines that have both cgroup hierarchies.
  if [ "$(cgroup_version)" = 1 ]; then echo runc; else echo crun; fi
  # The network of containers that run without root: passt from Podman 5 on.
  if version_at_least "$(podman_candidate)" 5; then echo passt; else echo slirp4netns; fi
  # Kernels before 5.13 have no overlay file system for users.
  version_at_least "$(uname -r)" 5.13 || echo fuse-overlayfs
  if has_systemd; then echo dbus-user-session; fi
}

podman_candidate() { apt-cache policy podman 2> /dev/null | awk '$1 == "Candidate:" { print $2 }'; }

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2> /dev/null)" = 'ii ' ]; }

# missing_packages PACKAGE...
missing_packages() {
  local package
  for package; do is_installed "$package" || echo "$package"; done
}

# install_packages PACKAGE...: installs what is missing; needs root.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  have apt-get || die "please install by hand (no apt-get here): ${missing[*]}"
  say "installing ${missing[*]}"
  if ! apt_install "${missing[@]}"; then
    timeout 300 apt-get -q update >&2
    apt_install "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
  fi
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive timeout 1200 apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
    install -y --no-install-recommends "$@" >&2 < /dev/null
}

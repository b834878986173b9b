# Which Debian mirror do packages come from? The one this host uses; no address is written in this project.
# shellcheck shell=bash

# host_repository LABEL: the address of the first repository of this host whose label is LABEL (Debian, Debian-Security).
host_repository() {
  command -v apt-get > /dev/null || return 0
  # shellcheck disable=SC2016 # apt fills in $(LABEL) and $(REPO_URI)
  apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2> /dev/null \
    | awk -F'|' -v want="$1" '$1 == want && !found++ { print $2 }'
}

# package_sources SUITE: sources.list lines for SUITE, its updates and security fixes included.
package_sources() {
  local suite=$1 mirror security
  mirror=${FLUXDB_DEBIAN_MIRROR:-$(host_repository Debian)}
  if [ -z "$mirror" ]; then
    fail "no Debian mirror known: run 'apt-get update' on this host, or set FLUXDB_DEBIAN_MIRROR to the address of one"
  fi
  security=${FLUXDB_DEBIAN_SECURITY_MIRROR:-$(host_repository Debian-Security)}
  echo "deb $mirror $suite main"
  [ "$suite" != sid ] || return 0
  echo "deb $mirror $suite-updates main"
  [ -z "$security" ] || echo "deb $security $suite-security main"
}

# package_settings: what apt on this host was told about reaching its mirror (proxies, time checks), for apt in the image.
package_settings() {
  command -v apt-config > /dev/null || return 0
  apt-config dump | grep -E '^Acquire::(https?|Retries|Check-Valid-Until|Check-Date)(::[^ ]+)? ".+";$' || true
}

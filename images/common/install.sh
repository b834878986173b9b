#!/bin/sh
# Installs packages in an image under construction: starts no service, leaves no caches, logs or documentation.
#   sh /mnt/install.sh PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive
# Some maintainer scripts link to manual pages, whose directory the base leaves out.
mkdir -p /usr/share/man/man1 /usr/share/man/man7 /usr/share/man/man8
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

# The caches are mounted from the host. apt runs as root: its own user may not enter them.
export APT_CONFIG=/mnt/apt.conf
apt() {
  timeout --foreground 600 apt-get -q -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o Acquire::Languages=none \
    -o Dir::Etc::SourceList=/mnt/sources.list -o Dir::Etc::SourceParts=- -o APT::Keep-Downloaded-Packages=true "$@"
}
install() { apt install -y --no-install-recommends "$@"; }

recent=$(find /var/lib/apt/lists -name '*Packages*' -mmin -240 | head -n 1)
[ -n "$recent" ] || apt update
# Lists from the cache may name packages that the mirror has replaced since: then once more with new lists.
install "$@" || { apt update && install "$@"; }

rm -rf /usr/sbin/policy-rc.d /usr/share/man /usr/share/doc /var/log/* /var/cache/debconf/*-old /var/lib/dpkg/*-old \
  /var/cache/apt/*.bin /tmp/*

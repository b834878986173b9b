#!/bin/sh
# Takes out of a new base what mmdebstrap leaves and no image needs; a hook of mmdebstrap.
#   sh slim-base.sh ROOT
set -eu
root=$1

# bookworm merges /usr by means of perl programs; usr-is-merged (installed by now) says that this has been done.
if chroot "$root" dpkg-query -W usrmerge > /dev/null 2>&1; then
  # shellcheck disable=SC2016 # dpkg-query fills in the name
  perl=$(chroot "$root" dpkg-query -W -f '${Package}\n' | grep -E '^(usrmerge|perl|perl-modules-.*|libperl[0-9].*|libgdbm.*|lib.*-perl)$')
  # shellcheck disable=SC2086 # one word a package
  chroot "$root" dpkg --purge $perl
fi

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/* "$root"/var/cache/debconf/*-old
# The host's names and the mirror.
rm -f "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root"/etc/apt/sources.list.d/*
: > "$root/etc/apt/sources.list"

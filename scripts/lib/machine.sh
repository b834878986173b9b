# A small Debian machine with systemd and cgroup v2, for tests of rootless Podman as most users have it. It runs under
# qemu, in software alone: that works inside of virtual machines and containers, too.
# shellcheck shell=bash disable=SC2154 # project: set by all.sh; logs: by scripts/test

readonly machine_suite=trixie

machine_packages() { echo qemu-system-x86 e2fsprogs openssh-client; }

# ensure_machine: sets FLUXDB_TEST_MACHINE to a directory with vmlinuz, initrd, disk.img and key. Made once and kept.
ensure_machine() {
  local cache=${FLUXDB_CI_CACHE:-$HOME/.cache/fluxdb} recipe
  recipe=$(cat "$project/scripts/lib/machine.sh" "$project/images/lib/mirror.sh" | sha256sum | cut -c1-12)
  FLUXDB_TEST_MACHINE=$cache/machine/$recipe
  export FLUXDB_TEST_MACHINE
  [ ! -d "$FLUXDB_TEST_MACHINE" ] || return 0
  say "making a Debian $machine_suite machine for the tests"
  rm -rf "$cache/machine"
  make_machine "$FLUXDB_TEST_MACHINE.new" && mv "$FLUXDB_TEST_MACHINE.new" "$FLUXDB_TEST_MACHINE"
}

# make_machine DIRECTORY: each step says when it fails, since the shell's errexit does not count where this is called.
make_machine() (
  fail() { die "$*"; }
  # shellcheck source-path=SCRIPTDIR source=../../images/lib/mirror.sh
  . "$project/images/lib/mirror.sh"
  umask 022
  rm -rf "$1"
  mkdir -p "$1"
  cd "$1" || die "$1 cannot be made"
  package_sources "$machine_suite" > sources.list
  package_settings > apt.conf
  timeout 900 mmdebstrap --quiet --variant=minbase --mode=root --aptopt="$PWD/apt.conf" --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=linux-image-cloud-amd64,systemd,systemd-sysv,dbus-user-session,libpam-systemd,iproute2,openssh-server \
    --include=podman,crun,uidmap,passt,netavark,aardvark-dns,nftables \
    "$machine_suite" root sources.list >&2 < /dev/null || die "mmdebstrap could not make Debian $machine_suite"
  ssh-keygen -q -t ed25519 -N '' -f key || die "no key"
  furnish_machine root key.pub || die "the machine could not be furnished"
  mv root/boot/vmlinuz-* vmlinuz || die "it has no kernel"
  mv root/boot/initrd.img-* initrd || die "it has no initrd"
  rm -rf root/var/cache/apt root/var/lib/apt/lists
  truncate -s 8G disk.img || die "no room for its disk"
  mkfs.ext4 -q -F -d root disk.img || die "its disk could not be made"
  rm -rf root sources.list apt.conf
)

# furnish_machine ROOT KEY: a network, a way in, and two users: limited has cpu, memory and pids delegated, as systemd does
# it by itself; plain has memory and pids only, as older versions of systemd do it.
furnish_machine() {
  local root=$1 user home
  echo fluxdb-test > "$root/etc/hostname"
  echo '/dev/vda / ext4 defaults 0 1' > "$root/etc/fstab"
  rm -f "$root/etc/resolv.conf" # the machine reaches nobody
  printf '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' > "$root/etc/systemd/network/ether.network"
  # systemctl complains of the missing /proc on its error output; its exit code is what counts.
  chroot "$root" systemctl --quiet enable systemd-networkd 2> /dev/null
  chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service 2> /dev/null
  chroot "$root" systemctl --quiet --global enable podman.socket 2> /dev/null
  chroot "$root" useradd --create-home --shell /bin/bash --uid 1000 limited
  chroot "$root" useradd --create-home --shell /bin/bash --uid 1001 plain
  install -d "$root/etc/systemd/system/user@1001.service.d" "$root/var/lib/systemd/linger"
  printf '[Service]\nDelegate=\nDelegate=memory pids\n' > "$root/etc/systemd/system/user@1001.service.d/delegate.conf"
  for user in root limited plain; do
    home=$(awk -F: -v u="$user" '$1 == u { print $6 }' "$root/etc/passwd")
    install -d -m 0700 "$root$home/.ssh"
    install -m 0600 "$2" "$root$home/.ssh/authorized_keys"
    chroot "$root" chown -R "$user:" "$home/.ssh"
    [ "$user" = root ] || touch "$root/var/lib/systemd/linger/$user"
  done
}

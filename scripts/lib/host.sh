# What kind of machine is this? Answers, nothing is changed.
# shellcheck shell=bash

is_root() { [ "$(id -u)" = 0 ]; }
have() { command -v "$1" > /dev/null 2>&1; }
has_systemd() { [ -d /run/systemd/system ]; }

# cgroup_version: 2 for the unified hierarchy, 1 for the old one and for mixtures of both.
cgroup_version() { if [ "$(stat -fc %T /sys/fs/cgroup 2> /dev/null)" = cgroup2fs ]; then echo 2; else echo 1; fi; }

# may_raise_limits: does this process hold CAP_SYS_RESOURCE (bit 24)?
may_raise_limits() {
  local caps
  caps=$(sed -n 's/^CapEff:\s*//p' /proc/self/status)
  (( (16#$caps >> 24) & 1 ))
}

# version_at_least HAVE WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

podman_version() { podman --version 2> /dev/null | awk '{ print $3 }'; }

home_of() { getent passwd "$1" | cut -d: -f6; }

# runtime_dir_of USER: where that user's sockets and Podman's run-time state belong.
runtime_dir_of() { echo "/run/user/$(id -u "$1")"; }

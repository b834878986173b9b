# What Podman has to be told on this machine, and nothing where its defaults are right.
# shellcheck shell=bash

readonly drop_in=/etc/containers/containers.conf.d/50-fluxdb.conf

# containers_settings: for hosts with the old cgroups, without systemd, or without the right to raise limits.
containers_settings() {
  local containers=() engine=()
  may_raise_limits || containers+=('default_ulimits = []  # this host may not raise them')
  [ "$(cgroup_version)" = 2 ] || engine+=('runtime = "runc"  # crun refuses a mixture of cgroup 1 and 2')
  has_systemd || engine+=('cgroup_manager = "cgroupfs"  # systemd does not run' 'events_logger = "file"')
  # What the API keeps of a finished exec session goes after seconds, not after the default of five minutes.
  engine+=('exit_command_delay = 5')
  echo '# Written by fluxdb (scripts/prepare-host).'
  if [ "${#containers[@]}" -gt 0 ]; then printf '%s\n' '[containers]' "${containers[@]}"; fi
  printf '%s\n' '[engine]' "${engine[@]}"
}

# write_if_changed FILE: stdin becomes FILE.
write_if_changed() {
  local file=$1 new
  new=$(cat)
  if [ -e "$file" ] && [ "$(cat "$file")" = "$new" ]; then return; fi
  say "writing $file"
  install -d "$(dirname "$file")"
  printf '%s\n' "$new" > "$file"
}

settings_are_there() { [ "$(cat "$drop_in" 2> /dev/null)" = "$(containers_settings)" ]; }

# A drop-in of our own leaves an existing containers.conf alone, and a user's own file still wins over it.
ensure_containers_conf() { containers_settings | write_if_changed "$drop_in"; }

# ensure_overlay USER: before Podman 5 a new store of a user would copy every layer instead of stacking them.
ensure_overlay() {
  local user=$1 conf
  conf=$(home_of "$user")/.config/containers/storage.conf
  if [ -e "$conf" ] || [ -e "$(home_of "$user")/.local/share/containers/storage/storage.lock" ]; then return; fi
  say "letting $user's Podman use overlay storage"
  # shellcheck disable=SC2016 # for the user's shell
  overlay_settings | as_user "$user" sh -c 'mkdir -p ~/.config/containers && cat > ~/.config/containers/storage.conf'
}

overlay_settings() {
  printf '[storage]\ndriver = "overlay"\n'
  if ! version_at_least "$(uname -r)" 5.13; then
    printf '[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"\n'
  fi
}

# ensure_tun: containers of ordinary users reach the network through it.
ensure_tun() {
  if [ ! -c /dev/net/tun ]; then
    mkdir -p /dev/net
    mknod /dev/net/tun c 10 200 2> /dev/null || { warn "/dev/net/tun is missing and cannot be made"; return; }
  fi
  if [ "$(stat -c %a /dev/net/tun)" != 666 ]; then
    say "letting everyone use /dev/net/tun"
    chmod 0666 /dev/net/tun
  fi
}

# The ordinary user that runs the daemon and, through rootless Podman, the databases.
# shellcheck shell=bash

readonly subid_count=65536

# create_service_user NAME HOME: a system user without password, whose home holds the data and the container store.
# Its number is below 990, since databases of rootful Podman run as 999 and are to have no namesake on the host.
create_service_user() {
  local user=$1 home=$2
  id "$user" > /dev/null 2>&1 && return
  say "creating the user $user"
  useradd --system -K SYS_UID_MAX=989 -K SYS_GID_MAX=989 --user-group --home-dir "$home" --shell /bin/bash "$user"
  install -d -o "$user" -g "$user" -m 0750 "$home"
}

# ensure_subids USER: a range of user and group numbers for the containers' own users, next to no one else's.
ensure_subids() {
  local user=$1 file start
  touch /etc/subuid /etc/subgid
  start=$(next_subid)
  for file in /etc/subuid /etc/subgid; do
    if has_subids "$user" "$file"; then continue; fi
    say "giving $user the range $start+$subid_count in $file"
    echo "$user:$start:$subid_count" >> "$file"
  done
}

has_subids() { awk -F: -v u="$1" -v n="$(id -u "$1")" -v want=$subid_count '($1 == u || $1 == n) && $3 >= want { found = 1 } END { exit !found }' "$2"; }

# next_subid: the first number after all ranges of both files.
next_subid() { cat /etc/subuid /etc/subgid | awk -F: 'BEGIN { top = 100000 } NF == 3 && $2 + $3 > top { top = $2 + $3 } END { print top }'; }

# ensure_runtime_dir USER: logind makes it for users that linger; without logind it is made here (again after each boot).
ensure_runtime_dir() {
  local user=$1 dir
  dir=$(runtime_dir_of "$user")
  if has_systemd && have loginctl; then
    timeout 30 loginctl enable-linger "$user" || warn "could not let $user's services run without a login"
    for _ in {1..50}; do [ ! -d "$dir" ] || break; sleep 0.2; done
  fi
  [ -d "$dir" ] || install -d -o "$user" -g "$(id -g "$user")" -m 0700 "$dir"
}

# as_user USER COMMAND...: runs it as USER, in their home. Of the environment only what concerns fluxdb and proxies is kept
# (but not our cache of images, which is ours alone); it is inherited and never written on a command line, since it may hold secrets.
as_user() {
  local user=$1
  shift
  if [ "$user" = "$(id -un)" ]; then "$@"; return; fi
  (
    for name in $(compgen -e); do
      case $name in
        FLUXDB_IMAGE_CACHE) unset "$name" ;;
        PATH | FLUXDB_* | CI | LANG | TERM | *_proxy | *_PROXY) ;;
        *) unset "$name" ;;
      esac
    done
    HOME=$(home_of "$user") USER=$user LOGNAME=$user SHELL=/bin/bash
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    XDG_RUNTIME_DIR=$(runtime_dir_of "$user")
    DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
    export HOME USER LOGNAME SHELL PATH XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS
    cd "$HOME" || exit
    exec runuser -u "$user" -- "$@"
  )
}

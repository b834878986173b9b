# Starting, finding and stopping the daemon.
# shellcheck shell=bash

readonly start_timeout_secs=90
readonly stop_timeout_secs=40

# choose_places USER PORT DATA: sets user (who runs the daemon), listen, data (its directory) and binary; USER and DATA may
# be empty for the usual ones.
choose_places() {
  user=$1 listen=127.0.0.1:$2 data=$3
  if is_root; then
    user=${user:-fluxdb}
    binary=${FLUXDB_BIN_DIR:-/usr/local/bin}/fluxdb
  else
    [ -z "$user" ] || die "--as-root needs root"
    user=$(id -un)
    binary=${FLUXDB_BIN_DIR:-$HOME/.local/bin}/fluxdb
  fi
  data=${data:-$(usual_data_dir)}
}

# client_config: where the command line of everybody who may use this daemon looks for it.
client_config() {
  if is_root; then echo /etc/fluxdb/config.toml; else echo "${XDG_CONFIG_HOME:-$(home_of "$user")/.config}/fluxdb/config.toml"; fi
}

readonly client_config_header='# Written by scripts/up: where the daemon is. Remove this line, and it is never written again.'

# write_client_config: the daemon and the command line read the same file, so that `fluxdb list` finds what scripts/up started. A file
# that somebody else wrote is left alone.
write_client_config() {
  local file
  file=$(client_config)
  if [ -e "$file" ] && ! grep -qxF "$client_config_header" "$file"; then
    warn "$file is yours and was left alone; to reach this daemon: export FLUXDB_DATA_DIR=$data FLUXDB_LISTEN=$listen"
    return
  fi
  printf '%s\n' "$client_config_header" '[server]' "listen = \"$listen\"" '[data]' "dir = \"$data\"" | write_if_changed "$file"
}

pid_file() { echo "$data/daemon.pid"; }
log_file() { echo "$data/daemon.log"; }

# systemd takes care of the daemon in its usual place; other data directories get a plain process.
usual_data_dir() {
  if [ "$user" = fluxdb ]; then echo /var/lib/fluxdb/data;
  elif [ "$user" = root ]; then echo /var/lib/fluxdb-root;
  else echo "${XDG_DATA_HOME:-$(home_of "$user")/.local/share}/fluxdb"; fi
}
under_systemd() { has_systemd && [ "$data" = "$(usual_data_dir)" ]; }

systemd() { if [ "$user" = root ]; then timeout 90 systemctl "$@"; else as_user "$user" timeout 90 systemctl --user "$@"; fi; }
unit_dir() { if [ "$user" = root ]; then echo /etc/systemd/system; else echo "$(home_of "$user")/.config/systemd/user"; fi; }

# daemon_pid: the number of the running daemon, or nothing.
daemon_pid() {
  local pid
  if under_systemd; then
    pid=$(systemd show --property MainPID --value fluxdb.service 2> /dev/null || true)
  else
    pid=$(cat "$(pid_file)" 2> /dev/null || true)
  fi
  # A number from before a reboot may belong to someone else by now.
  if [ -n "$pid" ] && [ "$pid" != 0 ] && grep -qz '^serve$' "/proc/$pid/cmdline" 2> /dev/null; then echo "$pid"; fi
}

status_url() { echo "http://$listen/api/modules/databases/status"; }
daemon_answers() { curl --noproxy '*' -fsS --max-time 3 "$(status_url)" > /dev/null 2>&1; }

start_daemon() {
  if [ -n "$(daemon_pid)" ]; then return; fi
  if daemon_answers; then die "something else already answers at $listen: choose another --port"; fi
  say "starting the daemon as $user, at $listen"
  [ -d "$data" ] || as_user "$user" mkdir -p -m 0700 "$data"
  if under_systemd; then start_unit; else start_process; fi
}

start_process() {
  # shellcheck disable=SC2016 # for the user's shell
  as_user "$user" sh -c 'pid=$1 log=$2; shift 2; setsid "$@" < /dev/null >> "$log" 2>&1 & echo $! > "$pid"' sh \
    "$(pid_file)" "$(log_file)" "$binary" serve --data-dir "$data" --listen "$listen"
}

# KillMode=process: what forwards the ports of the databases lives in the unit's control group and has to go on.
start_unit() {
  as_user "$user" mkdir -p "$(unit_dir)"
  # shellcheck disable=SC2016 # for the user's shell
  as_user "$user" sh -c 'cat > "$1"' sh "$(unit_dir)/fluxdb.service" << UNIT
[Unit]
Description=fluxdb, databases as a service

[Service]
ExecStart="$binary" serve --data-dir "$data" --listen "$listen"
Restart=on-failure
KillMode=process
Delegate=yes

[Install]
WantedBy=$(if [ "$user" = root ]; then echo multi-user.target; else echo default.target; fi)
UNIT
  systemd daemon-reload
  systemd enable --quiet fluxdb.service
  systemd restart fluxdb.service
}

show_log() {
  if under_systemd; then systemd status --no-pager --lines 30 fluxdb.service >&2 || true; else tail -n 30 "$(log_file)" >&2 || true; fi
}

wait_for_daemon() {
  local deadline=$((SECONDS + start_timeout_secs))
  until daemon_answers; do
    if [ -z "$(daemon_pid)" ]; then show_log; die "the daemon ended; its last lines are above"; fi
    if [ "$SECONDS" -ge "$deadline" ]; then show_log; die "the daemon did not answer at $listen within $start_timeout_secs s"; fi
    sleep 0.2
  done
}

stop_daemon() {
  local pid deadline=$((SECONDS + stop_timeout_secs))
  pid=$(daemon_pid)
  if [ -z "$pid" ]; then say "the daemon is not running"; return; fi
  say "stopping the daemon (process $pid)"
  if under_systemd; then systemd stop fluxdb.service; else kill "$pid"; fi
  while [ -n "$(daemon_pid)" ]; do
    [ "$SECONDS" -lt "$deadline" ] || die "the daemon (process $pid) did not end within $stop_timeout_secs s"
    sleep 0.2
  done
  under_systemd || rm -f "$(pid_file)"
}

# stop_podman_service: the one that the daemon started for itself, which outlives it for the next one.
stop_podman_service() {
  local pid
  for pid in $(pgrep -u "$user" -f "podman system service .*unix://$data/podman.sock" || true); do
    say "stopping its Podman service (process $pid)"
    kill "$pid" 2> /dev/null || true
  done
}

# fluxdb ARGUMENT...: the command line, as the user whose daemon it talks to.
fluxdb() { FLUXDB_DATA_DIR=$data FLUXDB_LISTEN=$listen as_user "$user" "$binary" "$@"; }

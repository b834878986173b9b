# README's tour, typed line by line as its reader would, against the daemon that scripts/up has just started.
# shellcheck shell=bash disable=SC2154 # project: set by all.sh; logs: by scripts/test

# tour_lines: the commands of README's tour.
tour_lines() { awk '/^```console$/ { inside = 1; next } /^```$/ { inside = 0 } inside && sub(/^\$ /, "")' "$project/README.md"; }

take_the_tour() {
  local line typed=0
  while IFS= read -r line <&3; do
    typed=$((typed + 1))
    own_check "README: $line" type_line "$line"
  done 3< <(tour_lines)
  own_check "README's tour has lines" test "$typed" -ge 10
  # shellcheck disable=SC2016 # for the user's shell
  own_check 'the user who runs the daemon finds it, too' as_user fluxdb sh -c 'timeout 20 "$0" list > /dev/null' "$FLUXDB_BIN_DIR/fluxdb"
}

# type_line LINE: with nothing on standard input, and none of the variables that would tell where the daemon is.
type_line() {
  local limit=180 code=0 endless=''
  case $1 in *'(Ctrl-C ends it)'*) limit=5 endless=yes ;; esac
  env -u FLUXDB_DATA_DIR -u FLUXDB_LISTEN -u FLUXDB_URL -u FLUXDB_TOKEN PATH="$FLUXDB_BIN_DIR:$PATH" \
    timeout "$limit" bash -c "$1" > "$logs/typed" 2>&1 < /dev/null || code=$?
  if [ -n "$endless" ] && [ "$code" = 124 ]; then code=0; fi
  [ "$code" = 0 ] || tail -n 20 "$logs/typed"
  return "$code"
}

# What stands in the place that scripts/up writes to belongs to whoever uses this machine.
keep_client_config() { [ ! -e /etc/fluxdb/config.toml ] || mv /etc/fluxdb/config.toml "$logs/client-config"; }
restore_client_config() {
  rm -f /etc/fluxdb/config.toml
  [ ! -e "$logs/client-config" ] || mv "$logs/client-config" /etc/fluxdb/config.toml
}

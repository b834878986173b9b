# DuckDB's promises: how its server is run and asked, by a client of a few lines, for the image has none.
# shellcheck shell=bash disable=SC2034,SC2154 # used by checks.sh; set by test.sh and lib.sh

duckdb_configuration() {
  local dir=$scratch/conf-duckdb
  mkdir -p "$dir"
  printf '{"port": 5432, "directory": "/data", "system_user": "fluxdb", "password_file": "/run/password", "max_connections": 10, "duckdb": {"memory_limit": "300MiB", "threads": "1"}}\n' > "$dir/server.json"
  cp "$images/test/duckdb-client.py" "$dir/"
  chmod -R a+rX "$dir" "$scratch"
  echo "$dir"
}

port=5432
interruptions='0.1 0.3'
volume=/data
arguments=(/etc/conf/server.json)
run_options=(--publish 127.0.0.1::5432 --volume "$(duckdb_configuration):/etc/conf:ro")

ask() { ask_in "$1" postgres "$2"; }
  # shellcheck disable=SC2016 # the shell in the container expands it
ask_in() { inside "$1" sh -c 'exec python3 /etc/conf/duckdb-client.py 5432 fluxdb "$0" "$1" < /run/password' "$2" "$3"; }

ask_over_network() {
  same 1 "$(pod run --rm --interactive --network=host "${baseline[@]}" --volume "$(duckdb_configuration):/etc/conf:ro" \
    --entrypoint python3 "$image" /etc/conf/duckdb-client.py "$1" fluxdb postgres 'SELECT 1' < "$2")"
}

put() {
  ask "$1" 'FLUXDB {"create_database": "kept"}'
  ask_in "$1" kept 'CREATE TABLE IF NOT EXISTS kept (i int); INSERT INTO kept VALUES (7)'
}
got() { same 7 "$(ask_in "$1" kept 'SELECT DISTINCT i FROM kept')"; }

check_engine() {
  local what="duckdb $version"
  launch files "$volume"
  check "$what: statements reach no file" eventually 10 reaches_no_file
  remove files
}
reaches_no_file() {
  { ask files "SELECT * FROM read_text('/etc/hostname')" 2>&1 || true; } | grep 'disabled by configuration'
}

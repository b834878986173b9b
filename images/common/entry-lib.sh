# What the entry scripts of PostgreSQL and MariaDB share: settings from files, and a first start that can be interrupted.
# shellcheck shell=bash

note() { printf '%s [entrypoint] %s\n' "$(date --rfc-3339=seconds)" "$*" >&2; }
die() { note "ERROR: $*"; exit 1; }

# read_setting NAME [DEFAULT]: gives the shell variable NAME the value of NAME or the contents of the file NAME_FILE.
# The variable is not exported: secrets stay out of the environment of the server.
read_setting() {
  local name=$1 file_name=$1_FILE value=${2:-}
  local file=${!file_name:-}
  if [ -n "${!name:-}" ] && [ -n "$file" ]; then die "both $name and $file_name are set, but only one may be"; fi
  if [ -n "${!name:-}" ]; then
    value=${!name}
  elif [ -n "$file" ]; then
    [ -r "$file" ] || die "$file_name names $file, which cannot be read"
    value=$(< "$file")
  fi
  unset "$file_name" "$name"
  printf -v "$name" '%s' "$value"
}

# become USER DIR...: started as root (which needs capabilities), gives USER the directories and runs the script again as USER.
become() {
  local user=$1 dir
  shift
  for dir; do
    mkdir -p "$dir"
    find "$dir" \! -user "$user" -exec chown "$user" '{}' +
  done
  # shellcheck disable=SC2154 # arguments: what the entry script was called with
  exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$0" "${arguments[@]}"
}

# The first start works in DIR/.fluxdb-init and moves the finished files up at the end. A container killed at any moment
# begins again (or finishes moving) at the next start; files that this script did not make are never touched.
staging() { echo "$1/.fluxdb-init"; }

# must_initialise DIR LAST: is there no database in DIR yet? LAST is the entry of a finished database that is moved last.
must_initialise() {
  local dir=$1 last=$2
  if [ -e "$(staging "$dir")/complete" ]; then move_up "$dir" "$last"; fi
  [ ! -e "$dir/$last" ]
}

# begin_staging DIR: leaves an empty DIR/.fluxdb-init/data; what an interrupted first start left there is thrown away.
begin_staging() {
  local dir=$1 stage foreign
  stage=$(staging "$dir")
  foreign=$(find "$dir" -mindepth 1 -maxdepth 1 \! -name .fluxdb-init \! -name lost+found -print -quit)
  [ -z "$foreign" ] || die "$dir holds $(basename "$foreign") but no database; nothing is touched"
  if [ -e "$stage" ]; then note "an earlier first start was interrupted; beginning again"; fi
  [ -e "$stage" ] || mkdir -m 0700 "$stage"
  rm -rf "$stage/data"
  mkdir -m 0700 "$stage/data"
}

# finish_staging DIR LAST: everything made so far is good; move it to its place.
finish_staging() {
  local stage
  stage=$(staging "$1")
  sync "$stage/data"
  touch "$stage/complete"
  move_up "$1" "$2"
}

# move_up DIR LAST: can be interrupted and repeated; LAST arrives last, so its presence means a whole database.
move_up() {
  local dir=$1 last=$2 stage
  stage=$(staging "$dir")
  if [ -e "$stage/data" ]; then
    find "$stage/data" -mindepth 1 -maxdepth 1 \! -name "$last" -exec mv -t "$dir" '{}' +
    [ ! -e "$stage/data/$last" ] || mv -t "$dir" "$stage/data/$last"
    rmdir "$stage/data"
  fi
  rm -rf "$stage"
}

# each_init_file FUNCTION: calls FUNCTION once for each file of /docker-entrypoint-initdb.d, in order of their names.
each_init_file() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    [ ! -e "$file" ] || "$1" "$file"
  done
}

# init_file_sql FILE: the SQL of FILE on stdout, unpacked if need be; fails for other kinds of files.
init_file_sql() {
  case $1 in
    *.sql) cat "$1" ;;
    *.sql.gz) gzip -dc "$1" ;;
    *.sql.xz) xz -dc "$1" ;;
    *.sql.zst) zstd -dc "$1" ;;
    *) return 1 ;;
  esac
}

has_init_files() { [ -n "$(find /docker-entrypoint-initdb.d -mindepth 1 -maxdepth 1 -print -quit 2> /dev/null)" ]; }

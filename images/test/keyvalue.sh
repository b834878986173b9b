# What Redis and Valkey promise alike; name is the one that is tested.
# shellcheck shell=bash disable=SC2034,SC2154 # used by checks.sh; set by test.sh and the caller

# The configuration names a file in which the daemon keeps the users, with the hash of a password.
key_value_configuration() {
  local dir=$scratch/conf-$name
  mkdir -p "$dir"
  printf 'user default off resetpass resetkeys resetchannels -@all\nuser admin on #%s ~* &* +@all\n' \
    "$(sha256sum < "$scratch/password" | cut -d' ' -f1)" > "$dir/users.acl"
  printf 'aclfile /etc/conf/users.acl\nprotected-mode yes\ndir /data\n' > "$dir/$name.conf"
  chmod -R a+rX "$dir" "$scratch"
  echo "$dir"
}

port=6379
interruptions='0.1 0.3'
volume=/data
arguments=("/etc/conf/$name.conf" --appendonly yes)
run_options=(--publish 127.0.0.1::6379 --volume "$(key_value_configuration):/etc/conf:ro")

ask() {
  local command=$2
  [ "$command" != 'SELECT 1' ] || command='EVAL "return 1" 0'
  # shellcheck disable=SC2016 # for the container's shell
  inside "$1" sh -c 'REDISCLI_AUTH=$(cat /run/password) exec '"$name"'-cli --user admin --no-auth-warning --raw' <<< "$command"
}

ask_over_network() {
  # shellcheck disable=SC2016 # for the container's shell
  same PONG "$(client "$2" 'REDISCLI_AUTH=$(cat) exec '"$name"'-cli -h 127.0.0.1 -p '"$1"' --user admin --no-auth-warning ping')"
}

put() { same OK "$(ask "$1" 'SET kept 7')"; }
got() { same 7 "$(ask "$1" 'GET kept')"; }

check_engine() {
  local what="$name $version"
  launch files "$volume"
  check "$what: is told apart from its clients: no password, no answer" eventually 10 refuses_strangers
  check "$what: writes files that only it can read" files_private
  remove files
  start plain --volume "$(volume_of plain):$volume" --network=none
  check "$what: starts without arguments" eventually 10 plain_answers
  remove plain
}

refuses_strangers() { inside files "$name-cli" ping | grep NOAUTH > /dev/null; }
files_private() {
  eventually 10 ready files
  put files
  same OK "$(ask files SAVE)"
  same '' "$(inside files find /data -type f -perm /077)"
}
plain_answers() { same PONG "$(inside plain "$name-cli" ping)"; }

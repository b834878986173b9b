# What every image promises. An engine's own file says how it is run and asked:
#   volume            where the volume NAME is mounted
#   run_options       further options of `podman run`;  arguments: what comes after the image
#   ask NAME SQL      an authenticated question inside the container: prints the answer
#   ask_over_network PORT PASSWORD_FILE   the same from another container through the published port
#   put NAME, got NAME   writes something; is it there?
#   check_engine      what only this engine promises
# shellcheck shell=bash disable=SC2154 # engine, version, image, run, ...: set by test.sh and the engine's file

check_image() {
  local what="$engine $version"
  launch main "$volume"
  check "$what: answers an authenticated question" eventually 60 ready main
  if [ "$last" = failed ]; then logs main; remove main; return; fi
  check "$what: serves the published port" over_network "$scratch/password"
  check "$what: refuses a wrong password there" refuses_wrong_password
  check "$what: has no capability and cannot gain any" no_privileges
  check "$what: has a read-only file system" read_only_root
  check "$what: keeps the password out of its environment and arguments" password_hidden
  check "$what: has its official entry point" same '[docker-entrypoint.sh]' "$(pod image inspect --format '{{.Config.Entrypoint}}' "$image")"
  check "$what: carries no package mirror" no_mirror
  check "$what: stops cleanly" stops_cleanly
  check "$what: keeps its data over a restart" restart_keeps_data
  check "$what: recovers from a kill" recovers_from_kill
  remove main
  check_interruptions
  check_engine
}

# launch NAME MOUNT_POINT OPTION...: as the daemon would.
launch() {
  local name=$1 mount=$2
  shift 2
  start "$name" --volume "$(volume_of "$name"):$mount" "${run_options[@]}" "$@" -- "${arguments[@]}"
}

ready() { same 1 "$(ask "$1" 'SELECT 1')"; }
published_port() { pod port "$run-main" "$port/tcp" | sed 's/.*://'; }
over_network() { ask_over_network "$(published_port)" "$1"; }

# client PASSWORD_FILE COMMAND...: a container of the same image on the host's network; its password is on its stdin.
client() {
  local password_file=$1
  shift
  pod run --rm --interactive --network=host "${baseline[@]}" --entrypoint /bin/sh "$image" -c "$@" < "$password_file"
}

refuses_wrong_password() {
  echo wrong > "$scratch/wrong"
  if over_network "$scratch/wrong"; then return 1; fi
}

no_privileges() {
  same 'CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 ' \
    "$(inside main grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/1/status | tr -s '\t\n' '  ')"
}

read_only_root() { if inside main sh -c 'echo > /usr/x || echo > /etc/x'; then echo 'could write'; return 1; fi; }

password_hidden() {
  if inside main sh -c 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline' | tr '\0' '\n' | grep -F "$(cat "$scratch/password")"; then
    return 1
  fi
  if logs main | grep -F "$(cat "$scratch/password")"; then return 1; fi
}

no_mirror() {
  same '' "$(inside main sh -c 'cat /etc/apt/sources.list /etc/apt/sources.list.d/*; ls -A /mnt /var/lib/apt/lists /var/cache/apt/archives' 2> /dev/null \
    | grep -vE '^(/|$|auxfiles$|partial$|lock$)' || true)"
}

stops_cleanly() {
  put main
  local begun=$SECONDS
  pod stop --time 30 "$run-main" > /dev/null
  same 'exited 0' "$(state main)"
  [ $((SECONDS - begun)) -le 10 ]
}

restart_keeps_data() { pod start "$run-main"; eventually 60 ready main; got main; }

recovers_from_kill() {
  pod kill --signal KILL "$run-main" > /dev/null
  pod wait "$run-main" > /dev/null
  pod start "$run-main"
  eventually 60 ready main
  got main
}

# A container killed at any moment of its first start is complete after the next one.
check_interruptions() {
  local moment
  for moment in $interruptions; do
    check "$engine $version: begins again when killed ${moment}s into its first start" interrupted "$moment"
    [ "$last" = ok ] || logs cut
    remove cut
  done
}

interrupted() {
  launch cut "$volume"
  sleep "$1"
  pod kill --signal KILL "$run-cut" > /dev/null
  pod wait "$run-cut" > /dev/null
  pod start "$run-cut" > /dev/null
  eventually 60 ready cut
  put cut
  got cut
}

# foreign_data_stays FILE: a volume that holds something else is refused and left alone.
foreign_data_stays() {
  pod volume create --label fluxdb.test=1 --label "fluxdb.test.run=$run" "$run-foreign" > /dev/null
  pod run --rm "${baseline[@]}" --volume "$run-foreign:$volume" --entrypoint /bin/sh "$image" \
    -c "mkdir -p '$(dirname "$1")' && echo mine > '$1'"
  launch foreign "$volume"
  eventually 30 foreign_ended
  same mine "$(pod run --rm "${baseline[@]}" --volume "$run-foreign:$volume" --entrypoint cat "$image" "$1")"
}
foreign_ended() { same 'exited 1' "$(state foreign)"; }

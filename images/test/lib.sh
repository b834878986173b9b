# Running one check, and the containers that checks use.
# shellcheck shell=bash disable=SC2034,SC2154 # last; podman, images, engine, version, image: set by test.sh

passed=0
failed=0
run=fluxdb-test-$$
readonly run
scratch=$(mktemp -d)

# The daemon's security baseline. Volumes are mounted by the daemon alone, never implied by an image.
# run_as NUMBER: as which user; 999 unless the engine's file says otherwise.
run_as() {
  number=$1
  baseline=(--pull=never --cap-drop=all --security-opt=no-new-privileges --read-only "--user=$number:$number" --pids-limit=512
    --memory=768m --image-volume=ignore --label=fluxdb.test=1 --label="fluxdb.test.run=$run")
}

# check TEXT COMMAND...: runs COMMAND, which fails at its first wrong step; what it printed is shown then. Sets last.
# The output goes to a file: what watches a container keeps a pipe open for as long as the container runs.
# Not to be called in a condition, where bash would go on after a wrong step.
check() {
  local text=$1 code
  shift
  set +e
  (set -e; "$@") > "$scratch/output" 2>&1
  code=$?
  set -e
  if [ "$code" = 0 ]; then
    passed=$((passed + 1)) last=ok
    echo "ok    $text"
  else
    failed=$((failed + 1)) last=failed
    echo "FAIL  $text"
    tail -n 15 "$scratch/output" | sed 's/^/      /'
  fi
}

pod() { timeout 120 "${podman[@]}" "$@"; }

build_image() { bash "$images/build.sh" --if-changed "$engine" "$version" "$image"; }

# A password that breaks whatever does not quote: it reaches the containers in a secret, never in an argument.
make_password() {
  # shellcheck disable=SC2016 # meant literally
  printf '%s' 'p@ss "w\o'\''rd; `x` $(y) %s' > "$scratch/password"
  chmod 0600 "$scratch/password"
  pod secret create --label "fluxdb.test=1" "$run" "$scratch/password" > /dev/null 2>&1 \
    || pod secret create "$run" "$scratch/password" > /dev/null
}

# start NAME OPTION... -- ARGUMENT...: a container of the image under test, with the volume NAME.
start() {
  local name=$run-$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  [ $# = 0 ] || shift
  pod volume exists "$name" || pod volume create --label fluxdb.test=1 --label "fluxdb.test.run=$run" "$name" > /dev/null
  pod run --detach --name "$name" "${baseline[@]}" \
    --secret "$run,target=/run/password,uid=$number,gid=$number,mode=0400" "${options[@]}" "$image" "$@" > /dev/null
}

inside() { local name=$1; shift; pod exec --interactive "$run-$name" "$@"; }
logs() { pod logs --tail 20 "$run-$1"; }
state() { pod container inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$run-$1"; }
volume_of() { echo "$run-$1"; }

# remove NAME: container and volume.
remove() {
  pod rm --force --time 0 "$run-$1" > /dev/null 2>&1 || true
  pod volume rm --force "$run-$1" > /dev/null 2>&1 || true
}

# eventually SECONDS COMMAND...: tries until it succeeds.
eventually() {
  local deadline=$((SECONDS + $1)) output
  shift
  until output=$("$@" 2>&1); do
    if [ "$SECONDS" -ge "$deadline" ]; then printf '%s\n' "not within the time: $*" "$output"; return 1; fi
    sleep 0.1
  done
}

# same WANTED GOT
same() { [ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2"; return 1; }; }

clean_up() {
  local names
  names=$(pod ps --all --quiet --filter "label=fluxdb.test.run=$run")
  # shellcheck disable=SC2086 # one word a container
  [ -z "$names" ] || pod rm --force --time 0 $names > /dev/null 2>&1 || true
  names=$(pod volume ls --quiet --filter "label=fluxdb.test.run=$run")
  # shellcheck disable=SC2086 # one word a volume
  [ -z "$names" ] || pod volume rm --force $names > /dev/null 2>&1 || true
  pod secret rm "$run" > /dev/null 2>&1 || true
  rm -rf "$scratch"
}

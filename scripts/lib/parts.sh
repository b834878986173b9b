# The parts of scripts/test: what each needs and runs.
# shellcheck shell=bash disable=SC2154 # project: set by all.sh; logs: by scripts/test

all_parts() {
  printf '%s\n' lint unit
  rust_test_files | sed 's/^\S* //'
  printf '%s\n' properties images conformance up
}

# rust_test_files: lines PACKAGE TEST for every file of integration tests.
rust_test_files() {
  local dir package path
  for dir in . adapters; do
    package=$(awk -F'"' '/^name = / && !found++ { print $2 }' "$project/$dir/Cargo.toml")
    for path in "$project/$dir"/tests/*.rs "$project/$dir"/tests/*/main.rs; do
      [ -e "$path" ] || continue
      path=${path%/main.rs}
      echo "$package $(basename "$path" .rs)"
    done
  done
}

# rust: all of the Rust tests at once; not listed, since it is the sum of others.
is_part() { [ "$1" = rust ] || all_parts | grep -x -- "$1" > /dev/null; }

# prepare_for_parts PART...: Podman and images are there before any Rust test wants them.
prepare_for_parts() {
  is_root || die "the tests use rootful and rootless Podman: run them as root"
  # shellcheck disable=SC2046 # one word a package
  install_packages $(host_packages) shellcheck $(have git || echo git) $(have psql || echo postgresql-client) python3-venv
  "$project/scripts/prepare-host"
  find_rust
  if needs_images "$@"; then prepare_images; fi
}

needs_images() {
  local part
  for part; do case $part in lint | unit | properties) ;; *) return 0 ;; esac; done
  return 1
}

prepare_images() {
  local names
  say "making the images"
  build_default_images || die "the images could not be built"
  mapfile -t names < <(default_images | awk '{ print $3 }')
  share_images fluxdb "${names[@]}"
}

run_part() {
  case $1 in
    lint) part_lint ;;
    unit) run_cargo test --workspace --locked --lib --bins ;;
    rust) run_cargo test --workspace --locked --no-fail-fast ;;
    properties) part_properties ;;
    machine) part_machine ;;
    images) part_images ;;
    conformance) part_conformance ;;
    up) part_up ;;
    *) run_cargo test --locked --no-fail-fast --package "$(rust_test_files | awk -v t="$1" '$2 == t && !found++ { print $1 }')" --test "$1" ;;
  esac
}

# run_cargo ARGUMENT...: cargo's tests, counted.
run_cargo() {
  local code=0
  timeout 3600 cargo "$@" < /dev/null 2>&1 | tee "$logs/cargo" || code=${PIPESTATUS[0]}
  count_cargo "$logs/cargo" "$code"
}

quiet() { timeout 1800 "$@" < /dev/null > "$logs/quiet" 2>&1 || { local code=$?; tail -n 60 "$logs/quiet"; return "$code"; }; }

part_lint() {
  own_check 'cargo fmt' quiet cargo fmt --all --check
  own_check 'cargo clippy' quiet cargo clippy --workspace --all-targets --locked -- -D warnings
  # Not among all targets, since it is asked for by name.
  own_check 'cargo clippy of the machine tests' quiet cargo clippy --workspace --test machine --locked -- -D warnings
  own_check 'shellcheck' check_shell
  if [ -e "$project/deny.toml" ]; then own_check 'cargo deny' part_deny; fi
}

check_shell() {
  local files
  mapfile -t files < <(git ls-files -co --exclude-standard | xargs grep -lE '^#!.*sh$|^# shellcheck shell=')
  quiet shellcheck -x "${files[@]}"
}

# cargo-deny is built once and kept beside the other caches.
part_deny() {
  local root=${FLUXDB_CI_CACHE:-$HOME/.cache/fluxdb}/tools
  if ! have cargo-deny && [ ! -x "$root/bin/cargo-deny" ]; then
    say "building cargo-deny, once"
    CARGO_TARGET_DIR=$CARGO_TARGET_DIR/tools quiet cargo install --locked --root "$root" cargo-deny || return
    rm -rf "$CARGO_TARGET_DIR/tools"
  fi
  PATH=$PATH:$root/bin
  quiet cargo deny --locked check bans licenses sources || return
  quiet cargo deny --locked check advisories && return
  # The list of known weaknesses has to be fetched; where it cannot be, that is no fault of the project.
  grep -q 'failed to fetch advisory database' "$logs/quiet" || return 1
  warn "the advisory database cannot be reached: known weaknesses were not looked for"
}

# What the OpenAPI document promises, tried with made-up requests.
part_properties() {
  local code=0
  timeout 1200 bash "$project/tests/schemathesis/run.sh" < /dev/null 2>&1 | tee "$logs/properties" || code=${PIPESTATUS[0]}
  count_line "$logs/properties" "$code"
}

# The images on real Podman, rootful and as an ordinary user.
part_images() {
  local code=0 recipes images
  mapfile -t images < <(default_images | awk '{ print $1 ":" $2 }')
  timeout 1200 bash "$project/images/test.sh" "${images[@]}" < /dev/null 2>&1 | tee "$logs/images" || code=${PIPESTATUS[0]}
  count_line "$logs/images" "$code"
  say "images, rootless"
  recipes=$(recipes_for fluxdb)
  code=0
  as_user fluxdb timeout 1200 bash "$recipes/test.sh" "${images[@]}" < /dev/null 2>&1 | tee "$logs/images" || code=${PIPESTATUS[0]}
  rm -rf "$recipes"
  count_line "$logs/images" "$code"
}

# Rootless Podman on cgroup v2, on machines of their own. Not more than two at a time: each is a whole core of emulation and 3 GiB.
part_machine() {
  # shellcheck disable=SC2046 # one word a package
  install_packages $(machine_packages)
  own_check 'the machine is made' ensure_machine
  run_cargo test --locked --no-fail-fast --package fluxdb --test machine -- --test-threads 2
}

# Every promise of fluxdb on a real server of each engine that the tests run.
part_conformance() {
  local engine version name
  own_check 'the program builds' quiet cargo build --workspace --locked
  while read -r engine version name <&3; do
    own_check "$engine $version conforms" conforms "$engine" "$version"
  done 3< <(default_images)
}

conforms() {
  timeout 1200 "$CARGO_TARGET_DIR/debug/fluxdb" conformance "$1" --version "$2" < /dev/null > "$logs/conforms" 2>&1 \
    || { local code=$?; cat "$logs/conforms"; return "$code"; }
  tail -n 1 "$logs/conforms"
}

# The README's first command, in a place of its own beside whatever runs on this machine.
part_up() {
  local name=demo data=/var/lib/fluxdb/test-$$ up first second
  export FLUXDB_BIN_DIR=/var/lib/fluxdb/test-bin-$$
  keep_client_config
  up=("$project/scripts/up" --name "$name" --port 17620 --data-dir "$data" --binary "$CARGO_TARGET_DIR/debug/fluxdb")
  user_volumes > "$logs/volumes"
  own_check 'the program builds' quiet cargo build --workspace --locked
  own_check 'scripts/up ends' up_to_file "$logs/first"
  first=$(tail -n 1 "$logs/first")
  own_check 'its last line is a connection string that psql takes' psql_says 7 "$first" \
    'CREATE TABLE kept AS SELECT 7 AS n; SELECT n FROM kept'
  take_the_tour
  own_check 'scripts/up again ends' up_to_file "$logs/second"
  second=$(tail -n 1 "$logs/second")
  own_check 'and prints the same' test "$first" = "$second"
  own_check 'scripts/down --all stops it' quiet "$project/scripts/down" --all --port 17620 --data-dir "$data"
  own_check 'the database is stopped, too' psql_fails "$first"
  own_check 'scripts/up brings it back' up_to_file "$logs/third"
  own_check 'with its data' psql_says 7 "$(tail -n 1 "$logs/third")" 'SELECT n FROM kept'
  remove_up "$name" "$data"
  restore_client_config
}

up_to_file() { timeout 900 "${up[@]}" > "$1" 2> "$logs/up" < /dev/null || { local code=$?; tail -n 40 "$logs/up"; return "$code"; }; }

# psql_says WANTED URL SQL: given to psql as a person would do it; the database lives for this test only.
psql_says() {
  local got
  got=$(timeout 20 psql -XtAqw -v ON_ERROR_STOP=1 -d "$2" <<< "$3;" 2>&1)
  [ "$got" = "$1" ] || { echo "psql said: $got"; return 1; }
}
psql_fails() { ! timeout 20 psql -XtAqw -d "$1" <<< 'SELECT 1;' > /dev/null 2>&1; }

# remove_up NAME DATA: the instance, the daemon and everything that they made.
remove_up() {
  # shellcheck disable=SC2034 # for the functions of daemon.sh
  local user=fluxdb binary=$FLUXDB_BIN_DIR/fluxdb data=$2 listen=127.0.0.1:17620 volume
  fluxdb update "$1" --no-protect > /dev/null 2>&1 || true
  fluxdb delete "$1" --yes --wait > /dev/null 2>&1 || warn "$1 could not be deleted"
  quiet "$project/scripts/down" --all --port 17620 --data-dir "$data" || true
  for volume in $(comm -13 "$logs/volumes" <(user_volumes)); do as_user fluxdb podman volume rm "$volume" > /dev/null || true; done
  rm -rf "$data" "$FLUXDB_BIN_DIR"
}

user_volumes() { as_user fluxdb podman volume ls --quiet --filter label=fluxdb.owner 2> /dev/null | sort; }

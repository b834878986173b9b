# Adding up what passed and failed over all parts of a test run.
# shellcheck shell=bash

total_passed=0
total_failed=0

# add_counts PASSED FAILED
add_counts() { total_passed=$((total_passed + $1)) total_failed=$((total_failed + $2)); }

# own_check TEXT COMMAND...: one check of this script's own.
own_check() {
  local text=$1 code=0
  shift
  "$@" || code=$?
  if [ "$code" = 0 ]; then echo "ok    $text"; add_counts 1 0; else echo "FAIL  $text (exit code $code)"; add_counts 0 1; fi
}

# count_cargo LOG CODE: adds the "test result:" lines of cargo; a run that failed without a failed test counts as one.
count_cargo() {
  local counts passed failed
  counts=$(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$1")
  read -r passed failed <<< "$counts"
  if [ "$2" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
  add_counts "$passed" "$failed"
}

# count_line LOG CODE: adds the last line "N passed, N failed" of a script's output.
count_line() {
  local counts passed=0 failed=0
  counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1" | tail -n 1)
  [ -z "$counts" ] || read -r passed failed <<< "$counts"
  if [ "$2" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
  add_counts "$passed" "$failed"
}

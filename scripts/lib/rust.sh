# A Rust toolchain that is new enough to build the project: the one that is there, or rustup's.
# shellcheck shell=bash disable=SC2154 # project: set by all.sh

wanted_rust() { awk -F'"' '/^rust-version = / && !found++ { print $2 }' "$project/Cargo.toml"; }
cargo_version() { cargo --version 2> /dev/null | awk '{ print $2 }'; }
rust_is_recent() { have cargo && version_at_least "$(cargo_version)" "$(wanted_rust)"; }

# find_rust: where rustup puts its programs is not on everybody's PATH.
find_rust() { PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin; export PATH; }

# ensure_rust: for the user who calls, without root.
ensure_rust() {
  find_rust
  if rust_is_recent; then return; fi
  say "installing Rust (at least $(wanted_rust))"
  if have rustup; then
    timeout 1200 rustup toolchain install stable --profile minimal --component rustfmt --component clippy >&2 || true
    export RUSTUP_TOOLCHAIN=stable
  else
    install_rustup || true
    # Before an older Rust of the distribution.
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
  fi
  rust_is_recent || die "no Rust toolchain of at least version $(wanted_rust): install one (https://rustup.rs), then run this again"
}

install_rustup() {
  local installer code=0
  installer=$(mktemp)
  curl --proto '=https' --tlsv1.2 -sSf --max-time 60 https://sh.rustup.rs -o "$installer" \
    && timeout 1200 sh "$installer" -y --no-modify-path --profile minimal --component rustfmt --component clippy >&2 || code=$?
  rm -f "$installer"
  return "$code"
}

# target_dir: where cargo builds; continuous integration keeps it outside of its fresh clones.
target_dir() {
  if [ -n "${CARGO_TARGET_DIR:-}" ]; then echo "$CARGO_TARGET_DIR";
  elif [ "${CI:-}" = true ]; then echo "${FLUXDB_CI_CACHE:-$HOME/.cache/fluxdb}/target";
  else echo "$project/target"; fi
}

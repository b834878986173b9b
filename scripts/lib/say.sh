# How the scripts speak: progress and errors on stderr, so that stdout carries results alone.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

#!/usr/bin/env bash
# Makes the database if there is none and ends, for a job that prepares a volume: same settings as docker-entrypoint.sh.
set -euo pipefail
export FLUXDB_ONLY_INITIALISE=yes
exec docker-entrypoint.sh postgres "$@"

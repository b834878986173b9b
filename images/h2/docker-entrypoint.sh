#!/bin/sh
# Runs the given program; H2 has no configuration to prepare. Databases are nobody else's business.
set -eu
umask 0077
exec "$@"

#!/bin/sh
# Runs the given program; the server prepares its directory itself. Tables are nobody else's business.
set -eu
umask 0077
exec "$@"

#!/bin/sh
# Runs the given program. Unlike the official image's entry point, it makes no demo configuration: give one in a
# directory that OPENSEARCH_PATH_CONF names.
set -eu
umask 0077
exec "$@"

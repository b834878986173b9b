#!/bin/sh
# Runs the given program; the official image makes a configuration out of NEO4J_* variables, here it is a file. Data are nobody else's business.
set -eu
umask 0077
exec "$@"

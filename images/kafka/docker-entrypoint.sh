#!/bin/sh
# Runs the given program: Kafka has nothing to prepare that its configuration does not say. The official image makes a
# configuration out of KAFKA_* variables; here it is a file.
set -eu
umask 0077
exec "$@"

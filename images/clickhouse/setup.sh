#!/bin/sh
# Fills the ClickHouse image: user 101, server and client programs, data directory, entry script.
#   sh /mnt/setup.sh PACKAGE...
set -eu

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -r -g 101 clickhouse
useradd -r -u 101 -g 101 -d /var/lib/clickhouse -s /bin/sh clickhouse
sh /mnt/install.sh "$@"
# The package gives the server capabilities for priorities and locked memory: a container without any could not run it.
setcap -r /usr/bin/clickhouse 2> /dev/null || true
rm -rf /var/lib/clickhouse
install -d -o 101 -g 101 -m 0755 /var/lib/clickhouse
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

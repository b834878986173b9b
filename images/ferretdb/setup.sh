#!/bin/sh
# Fills the FerretDB image: user 999, PostgreSQL with DocumentDB, the program, data directory, entry script.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -r -g 999 postgres
useradd -r -u 999 -g 999 -d /data/db -s /bin/sh postgres
# The package would make a cluster of its own.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
sh /mnt/install.sh "$@"
install -d -o 999 -g 999 -m 0755 /data/db /run/postgresql /docker-entrypoint-initdb.d
install -m 0755 /mnt/ferretdb /usr/local/bin/
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

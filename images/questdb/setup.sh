#!/bin/sh
# Fills the QuestDB image: user 10001, Java, the jar.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -r -g 10001 questdb
useradd -r -u 10001 -g 10001 -d /var/lib/questdb -s /bin/sh questdb
sh /mnt/java.sh "$@"
install -d /opt/questdb
install -m 0644 /srv/questdb-*.jar /opt/questdb/questdb.jar
install -d -o 10001 -g 10001 -m 0755 /var/lib/questdb
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

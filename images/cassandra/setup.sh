#!/bin/sh
# Fills the Cassandra image: user 999, Java, the jars, server and nodetool. cqlsh is Python and not among the jars.
#   sh /mnt/setup.sh PACKAGE...
set -eu

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -r -g 999 cassandra
useradd -r -u 999 -g 999 -d /var/lib/cassandra -s /bin/sh cassandra
sh /mnt/java.sh "$@"

install -d /opt/cassandra/bin /opt/cassandra/lib
install -m 0644 /srv/*.jar /opt/cassandra/lib/
# Native libraries of other systems.
rm -f /opt/cassandra/lib/*-osx-*.jar /opt/cassandra/lib/*-windows-*.jar /opt/cassandra/lib/*-riscv64.jar
install -m 0755 /mnt/cassandra.sh /opt/cassandra/bin/cassandra
install -m 0755 /mnt/nodetool.sh /opt/cassandra/bin/nodetool
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/
install -d -o 999 -g 999 -m 0755 /var/lib/cassandra /var/log/cassandra /etc/cassandra
install -m 0644 /mnt/jvm-server.options /mnt/logback.xml /etc/cassandra/

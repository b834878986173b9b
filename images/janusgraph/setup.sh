#!/bin/sh
# Fills the JanusGraph image: user 999, Java, the jars.
#   sh /mnt/setup.sh PACKAGE...
set -eu

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -r -g 999 janusgraph
useradd -r -u 999 -g 999 -d /var/lib/janusgraph -s /bin/sh janusgraph
sh /mnt/java.sh "$@"
install -d /opt/janusgraph/lib
install -m 0644 /srv/*.jar /opt/janusgraph/lib/
# Native libraries of other systems.
rm -f /opt/janusgraph/lib/*-osx-*.jar /opt/janusgraph/lib/*-windows-*.jar
install -d -o 999 -g 999 -m 0755 /var/lib/janusgraph /etc/opt/janusgraph
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

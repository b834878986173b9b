#!/bin/sh
# Fills the Neo4j image: user 7474, Java, the jars.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -g 7474 neo4j
useradd -u 7474 -g 7474 -d /var/lib/neo4j -s /bin/sh neo4j
sh /mnt/java.sh "$@"
install -d /var/lib/neo4j/lib /var/lib/neo4j/conf /var/lib/neo4j/plugins
install -m 0644 /srv/*.jar /var/lib/neo4j/lib/
install -d -o 7474 -g 7474 -m 0755 /data /logs
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

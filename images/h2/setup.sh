#!/bin/sh
# Fills the H2 image: user 999, Java, the jar.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -r -g 999 h2
useradd -r -u 999 -g 999 -d /data -s /bin/sh h2
sh /mnt/java.sh "$@"
install -d /opt/h2/bin
install -m 0644 /srv/*.jar /opt/h2/bin/
install -d -o 999 -g 999 -m 0755 /data
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

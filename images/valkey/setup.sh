#!/bin/sh
# Fills the Valkey image: user 999, server and client programs, data directory, entry script.
#   sh /mnt/setup.sh PACKAGE...
set -eu

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -r -g 999 valkey
useradd -r -u 999 -g 999 -d /data -s /bin/sh valkey
sh /mnt/install.sh "$@"
# The distribution's configuration is for its own service: the official image has none.
rm -rf /etc/valkey /var/lib/valkey
install -d -o 999 -g 999 -m 0755 /data
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

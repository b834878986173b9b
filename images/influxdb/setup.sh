#!/bin/sh
# Fills the InfluxDB image: user 1500, server and client programs, data directory, entry script.
#   sh /mnt/setup.sh PACKAGE...
set -eu

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -g 1500 influxdb
useradd -u 1500 -g 1500 -d /var/lib/influxdb -s /bin/sh influxdb
sh /mnt/install.sh "$@"
# The distribution's configuration is for its own service.
rm -rf /etc/influxdb /etc/default/influxdb /var/lib/influxdb
install -d -o 1500 -g 1500 -m 0755 /var/lib/influxdb
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

#!/bin/sh
# Fills the H2 image: user 999, Java, the jar, our launcher and the functions that it closes.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -r -g 999 h2
useradd -r -u 999 -g 999 -d /data -s /bin/sh h2
sh /mnt/java.sh "$@"
install -d /opt/h2/bin /opt/h2/launcher
install -m 0644 /srv/h2-*.jar /opt/h2/bin/
# The compiler stays outside: Eclipse's, one jar, since Debian's Java without a compiler is a third of the one with it.
java -jar /srv/ecj-*.jar --release 21 -nowarn -proc:none -cp /opt/h2/bin/h2-*.jar -d /opt/h2/launcher /mnt/*.java
chmod -R a+rX /opt/h2/launcher
install -d -o 999 -g 999 -m 0755 /data
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

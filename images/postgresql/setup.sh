#!/bin/sh
# Fills the PostgreSQL image: its user, server and client programs, directories, entry scripts.
#   sh /mnt/setup.sh MAJOR PACKAGE...
set -eu
major=$1; shift
id=${POSTGRES_ID:-999}  # another one in the TimescaleDB image

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -r -g "$id" postgres
useradd -r -u "$id" -g "$id" -d /var/lib/postgresql -s /bin/bash postgres
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
sh /mnt/install.sh "$@" xz-utils zstd

localedef -i en_US -c -f UTF-8 en_US.UTF-8

# What a server never loads: JIT (jit=on simply stays without effect), bitcode, Debian's cluster tools and their perl,
# sources of locales.
rm -rf "/usr/lib/postgresql/$major/lib/bitcode" "/usr/lib/postgresql/$major"/lib/llvmjit* /usr/lib/*-linux-gnu/libLLVM* \
  /usr/lib/llvm-* /usr/lib/*-linux-gnu/libz3* /usr/lib/*-linux-gnu/perl/[0-9]* /usr/lib/*-linux-gnu/libperl.so* \
  /usr/share/perl/[0-9]* /usr/share/perl5 /usr/share/postgresql-common /usr/share/i18n /usr/share/zoneinfo/right

# A private key that everyone with this image would know.
rm -f /etc/ssl/private/* /etc/ssl/certs/ssl-cert-snakeoil.pem

# As in the official image: the sample configuration listens on all addresses, so every new cluster does.
sed -ri "s/^#?listen_addresses\s*=.*/listen_addresses = '*'/" "/usr/share/postgresql/$major/postgresql.conf.sample"
grep -q "^listen_addresses = '\*'" "/usr/share/postgresql/$major/postgresql.conf.sample"

install -d -o "$id" -g "$id" -m 0755 /var/lib/postgresql
[ "$major" -ge 18 ] || install -d -o "$id" -g "$id" -m 0700 /var/lib/postgresql/data
install -d -o "$id" -g "$id" -m 2775 /run/postgresql
install -d /docker-entrypoint-initdb.d /usr/local/lib/fluxdb
install -m 0644 /mnt/entry-lib.sh /usr/local/lib/fluxdb/
install -m 0755 /mnt/docker-entrypoint.sh /mnt/docker-ensure-initdb.sh /usr/local/bin/

#!/bin/sh
# Fills the MySQL image: user 999, server and client programs, directories, entry script.
#   sh /mnt/setup.sh PACKAGE...
set -eu

# Before the packages, which would otherwise make the user with a number of their own choice.
groupadd -r -g 999 mysql
useradd -r -u 999 -g 999 -d /var/lib/mysql -s /bin/bash mysql
sh /mnt/install.sh "$@" tzdata xz-utils zstd

# Perl and what is written in it, programs for other work than running, asking and dumping a server.
rm -rf /usr/lib/*-linux-gnu/perl/[0-9]* /usr/lib/*-linux-gnu/libperl.so* /usr/share/perl/[0-9]* /usr/share/perl5 \
  /usr/share/zoneinfo/right
cd /usr/bin
for program in mysql* innochecksum ibd2sdi myisam* perror my_print_defaults resolveip; do
  case $program in
    mysql | mysqladmin | mysqldump | mysqlbinlog | mysql_tzinfo_to_sql | my_print_defaults) ;;
    *) rm -f "$program" ;;
  esac
done
# Messages in other languages.
find /usr/share/mysql* -mindepth 1 -maxdepth 1 -type d \! -name charsets \! -name english -exec rm -rf '{}' + 2> /dev/null || true
# Scripts for the perl that is gone, links to what is gone.
grep -rlE --binary-files=without-match '^#! ?/usr/bin/(env )?perl' /usr/bin | xargs --no-run-if-empty rm -f
find /usr/bin -xtype l -delete

rm -rf /etc/mysql /etc/my.cnf
install -d /etc/mysql/conf.d /docker-entrypoint-initdb.d /usr/local/lib/fluxdb
install -d -o 999 -g 999 -m 0750 /var/lib/mysql /var/lib/mysql-files
install -d -o 999 -g 999 -m 0755 /run/mysqld
install -m 0644 /mnt/my.cnf /etc/mysql/
install -m 0644 /mnt/entry-lib.sh /usr/local/lib/fluxdb/
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

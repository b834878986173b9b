#!/bin/sh
# Fills the DuckDB image: user 999, Python, the library, the server.
#   sh /mnt/setup.sh VERSION PACKAGE...
set -eu
shift # one library for each version, in wheels

groupadd -r -g 999 duckdb
useradd -r -u 999 -g 999 -d /data -s /bin/sh duckdb
sh /mnt/install.sh "$@"
mkdir -p /usr/local/lib/duckdb-server
for wheel in /mnt/wheels/*.whl; do
  python3 -m zipfile --extract "$wheel" /usr/local/lib/duckdb-server # a wheel is a zip file of modules
done

install -d -o 999 -g 999 -m 0700 /data
install -m 0644 /mnt/accounts.py /mnt/session.py /mnt/values.py /usr/local/lib/duckdb-server/
install -m 0755 /mnt/gateway.py /usr/local/lib/duckdb-server/
ln -s ../lib/duckdb-server/gateway.py /usr/local/bin/docker-entrypoint.sh
python3 -m compileall -q /usr/local/lib/duckdb-server
python3 -c 'import sys; sys.path.insert(0, "/usr/local/lib/duckdb-server"); import session' # everything is there

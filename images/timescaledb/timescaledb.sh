#!/bin/sh
# What the TimescaleDB image has beside PostgreSQL: the extension in every database that comes from template1.
set -eu
cat > /docker-entrypoint-initdb.d/000_install_timescaledb.sh <<'SCRIPT'
#!/bin/sh
# As in the official image: the extension in postgres, in template1 (so in every later database) and in the first one.
set -eu
for database in postgres template1 "$POSTGRES_DB"; do
  PGPASSWORD=$POSTGRES_PASSWORD psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$database" \
    --quiet --command 'SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS timescaledb'
done
SCRIPT
chmod 0755 /docker-entrypoint-initdb.d/000_install_timescaledb.sh

# ClickHouse's promises: how it is run and asked. Its users stand in a file, with the hash of a password.
# shellcheck shell=bash disable=SC2034,SC2154 # used by checks.sh; set by test.sh and lib.sh

clickhouse_configuration() {
  local dir=$scratch/conf-clickhouse
  mkdir -p "$dir"
  printf '<yandex><profiles><default/></profiles><quotas><default/></quotas><users><admin><password_sha256_hex>%s</password_sha256_hex><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></admin></users></yandex>\n' \
    "$(sha256sum < "$scratch/password" | cut -d' ' -f1)" > "$dir/users.xml"
  cat > "$dir/config.xml" << 'X'
<yandex><logger><level>warning</level><console>1</console></logger><listen_host>0.0.0.0</listen_host>
<http_port>8123</http_port><tcp_port>9000</tcp_port><path>/var/lib/clickhouse/</path><tmp_path>/var/lib/clickhouse/tmp/</tmp_path>
<users_config>/etc/conf/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>16777216</mark_cache_size></yandex>
X
  chmod -R a+rX "$dir" "$scratch"
  echo "$dir"
}

port=9000
interruptions='0.1 0.3'
volume=/var/lib/clickhouse
arguments=(--config-file=/etc/conf/config.xml)
run_options=(--user=101:101 --publish 127.0.0.1::9000 --volume "$(clickhouse_configuration):/etc/conf:ro")

ask() { inside "$1" clickhouse-client --user admin --password "$(cat "$scratch/password")" --query "$2"; }

ask_over_network() {
  # shellcheck disable=SC2016 # for the container's shell
  same 1 "$(client "$2" 'exec clickhouse-client --host 127.0.0.1 --port '"$1"' --user admin --password "$(cat)" --query "SELECT 1"')"
}

put() {
  ask "$1" 'CREATE TABLE IF NOT EXISTS kept (i UInt8) ENGINE = MergeTree() ORDER BY i'
  ask "$1" 'INSERT INTO kept SELECT 7'
}
got() { same 7 "$(ask "$1" 'SELECT DISTINCT i FROM kept')"; }

check_engine() { :; }

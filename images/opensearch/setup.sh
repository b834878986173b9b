#!/bin/sh
# Fills the OpenSearch image: user 1000, Java, the server's jars, the security plugin with its configuration. The modules
# of the full distribution (Painless, reindex, analysis, ingest) are no artefacts of their own and are not here.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -g 1000 opensearch
useradd -u 1000 -g 1000 -d /usr/share/opensearch -s /bin/sh opensearch
sh /mnt/java.sh "$@"

home=/usr/share/opensearch
install -d "$home/bin" "$home/lib" "$home/modules" "$home/plugins/opensearch-security" "$home/config/opensearch-security"
install -m 0644 /srv/*.jar "$home/lib/"
cd "$home/plugins/opensearch-security"
unzip -q /srv/opensearch-security-*.zip
mv config/*.yml "$home/config/opensearch-security/"
rm -rf config tools
printf 'status = error\nrootLogger.level = info\nrootLogger.appenderRef.out.ref = out\nappender.out.type = Console\nappender.out.name = out\nappender.out.layout.type = PatternLayout\nappender.out.layout.pattern = [%%d][%%p][%%c{1.}] %%m%%n\n' > "$home/config/log4j2.properties"
install -m 0755 /mnt/opensearch.sh "$home/bin/opensearch"
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/
install -d -o 1000 -g 1000 -m 0755 "$home/data" "$home/logs"

#!/bin/sh
# Starts OpenSearch with the configuration in OPENSEARCH_PATH_CONF. Knows OPENSEARCH_JAVA_OPTS.
set -eu
home=/usr/share/opensearch
conf=${OPENSEARCH_PATH_CONF:-$home/config}
# shellcheck disable=SC2086 # several options
exec java -XX:+UseG1GC -Xss1m -Djava.awt.headless=true -Dfile.encoding=UTF-8 -Djna.nosys=true -Djna.tmpdir=/tmp -Djava.io.tmpdir=/tmp \
  -XX:-OmitStackTraceInFastThrow -XX:+ShowCodeDetailsInExceptionMessages -XX:+ExitOnOutOfMemoryError \
  -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0 -Dio.netty.allocator.numDirectArenas=0 \
  -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true -Dclient.encoder.enforce=true -Djdk.module.illegalAccess=permit \
  --add-modules=jdk.incubator.vector -Djava.locale.providers=SPI,CLDR -Djava.security.manager=allow -Xms512m -Xmx512m ${OPENSEARCH_JAVA_OPTS:-} \
  "-Dopensearch.path.home=$home" "-Dopensearch.path.conf=$conf" -Dopensearch.distribution.type=docker -Dopensearch.bundled_jdk=false \
  -cp "$home/lib/*" org.opensearch.bootstrap.OpenSearch "$@"

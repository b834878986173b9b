#!/bin/sh
# Fills the Kafka image: user 1000, Java, the jars, a program for each of Kafka's tools.
#   sh /mnt/setup.sh PACKAGE...
set -eu

groupadd -g 1000 appuser
useradd -u 1000 -g 1000 -d /opt/kafka -s /bin/sh appuser
sh /mnt/java.sh "$@"

install -d /opt/kafka/bin /opt/kafka/libs /opt/kafka/config
install -m 0644 /srv/*.jar /opt/kafka/libs/
install -m 0755 /mnt/run-class.sh /opt/kafka/bin/kafka-run-class.sh
install -m 0755 /mnt/docker-entrypoint.sh /usr/local/bin/

# program NAME OPTION CLASS...: starts the first of the classes that this version has.
program() {
  name=$1 heap=$2
  shift 2
  for class; do
    if grep -q "$(echo "$class" | tr . /).class" /opt/kafka/libs/kafka*.jar; then
      # shellcheck disable=SC2016 # meant literally
      printf '#!/bin/sh\nexport KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--%s}"\nexec /opt/kafka/bin/kafka-run-class.sh %s "$@"\n' \
        "$heap" "$class" > "/opt/kafka/bin/$name.sh"
      chmod 0755 "/opt/kafka/bin/$name.sh"
      return
    fi
  done
}
program kafka-server-start Xmx1G kafka.Kafka
program kafka-storage Xmx128M kafka.tools.StorageTool
program kafka-topics Xmx256M org.apache.kafka.tools.TopicCommand kafka.admin.TopicCommand
program kafka-configs Xmx256M org.apache.kafka.tools.ConfigCommand kafka.admin.ConfigCommand
program kafka-acls Xmx256M org.apache.kafka.tools.AclCommand kafka.admin.AclCommand
program kafka-consumer-groups Xmx256M org.apache.kafka.tools.consumer.group.ConsumerGroupCommand kafka.admin.ConsumerGroupCommand
program kafka-console-producer Xmx256M org.apache.kafka.tools.ConsoleProducer kafka.tools.ConsoleProducer
program kafka-console-consumer Xmx256M org.apache.kafka.tools.consumer.ConsoleConsumer kafka.tools.ConsoleConsumer
program kafka-broker-api-versions Xmx256M org.apache.kafka.tools.BrokerApiVersionsCommand kafka.admin.BrokerApiVersionsCommand
program kafka-metadata-quorum Xmx256M org.apache.kafka.tools.MetadataQuorumCommand kafka.admin.MetadataQuorumCommand
program kafka-log-dirs Xmx256M org.apache.kafka.tools.LogDirsCommand kafka.admin.LogDirsCommand
program kafka-get-offsets Xmx256M org.apache.kafka.tools.GetOffsetShell kafka.tools.GetOffsetShell
# zookeeper PROGRAM CLASS: as above, for a version that still has ZooKeeper.
zookeeper() {
  # shellcheck disable=SC2016 # meant literally
  printf '#!/bin/sh\nexport KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx128M}"\nexec /opt/kafka/bin/kafka-run-class.sh %s "$@"\n' \
    "$2" > "/opt/kafka/bin/$1.sh"
  chmod 0755 "/opt/kafka/bin/$1.sh"
}
if ls /opt/kafka/libs/zookeeper-[0-9]*.jar > /dev/null 2>&1; then
  zookeeper zookeeper-server-start org.apache.zookeeper.server.quorum.QuorumPeerMain
  zookeeper zookeeper-shell 'org.apache.zookeeper.ZooKeeperMain -server'
fi

cat > /opt/kafka/config/log4j2.properties << 'END'
status = error
shutdownHook = disable
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
END
cat > /opt/kafka/config/log4j.properties << 'END'
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
END
install -d -o 1000 -g 1000 -m 0755 /var/lib/kafka /var/lib/kafka/data

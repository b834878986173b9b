#!/bin/sh
# What the Java images share: a small Java, and starting programs found in a directory of jars.
#   sh /mnt/java.sh PACKAGE...     installs the packages, among them openjdk-*-jre-headless, and takes out what no server needs
set -eu
sh /mnt/install.sh "$@"
for java in /usr/lib/jvm/java-*-openjdk-*; do
  [ ! -L "$java" ] || continue
  # Class archives for settings that no server here uses, the agent library for profilers, notes.
  rm -rf "$java"/lib/server/classes_*coh*.jsa "$java"/man "$java"/docs "$java"/lib/src.zip
done

# Java servers: their jars come from the Maven repository that this host uses; no address is written in this project.
# shellcheck shell=bash disable=SC2154 # set by build.sh: cache work images

readonly maven_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

# ensure_jars ENGINE VERSION: sets jars to a directory with what images/ENGINE/pom.xml asks for in its profile VERSION;
# empty for an engine without a pom. Kept in the cache: Maven is asked again only when the pom has changed.
ensure_jars() {
  local engine=$1 version=$2 pom=$images/$1/pom.xml made
  jars=
  [ -e "$pom" ] || return 0
  jars=$cache/java/$engine-$version-$(cat "$pom" "$images/lib/java.sh" | sha256sum | cut -c1-12)
  [ ! -d "$jars" ] || return 0
  command -v mvn > /dev/null || fail "mvn is missing: install it (apt-get install maven)"
  exec 8> "$cache/maven.lock"
  flock --timeout 1200 8 || fail "another build has held Maven's lock for 20 minutes"
  if [ ! -d "$jars" ]; then
    made=$work/jars
    # A repository may refuse for a moment; what came is kept, so the second try is short.
    fetch_jars "$pom" "$version" "$made" || fetch_jars "$pom" "$version" "$made" \
      || fail "Maven could not fetch what $engine $version needs (its messages are above)"
    [ -n "$(ls -A "$made" 2> /dev/null)" ] || fail "images/$engine/pom.xml has nothing in its profile $version"
    mkdir -p "$cache/java"
    rm -rf "$cache/java/$engine-$version"-*
    mv "$made" "$jars"
  fi
  exec 8>&-
}

# fetch_jars POM VERSION DIRECTORY: what the pom names (jars, and zips where it says so) and what that needs.
fetch_jars() {
  rm -rf "$3"
  timeout --foreground 900 mvn --quiet --batch-mode --no-transfer-progress --file "$1" --activate-profiles "v$2" \
    "-Dmaven.repo.local=$cache/maven" "$maven_plugin:copy-dependencies" \
    "-DoutputDirectory=$3" -DincludeScope=runtime < /dev/null 2>&1 \
    | sed 's/\x1b\[[0-9;]*m//g; /^$/d' >&2 # it colours even nothing
}

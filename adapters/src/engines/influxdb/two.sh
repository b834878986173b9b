# Runs inside the container of InfluxDB 2: names become the numbers that its API wants. Arguments: what to do, then names,
# each as a JSON string and percent-encoded where a request needs it so. Standard input: a JSON string with a password.
set -eu
[ -e /var/lib/influxdb/influxd.bolt ] || exit 0 # version 1
IFS= read -r token < /fluxdb/system-password || [ -n "$token" ]
IFS= read -r password || true

# api METHOD PATH [BODY]: secrets go to curl through a pipe.
api() {
  {
    printf 'header = "Authorization: Token %s"\n' "$token"
    [ -z "${3:-}" ] || printf 'header = "Content-Type: application/json"\ndata-raw = "%s"\n' "$(printf '%s' "$3" | sed 's/[\\"]/\\&/g')"
  } | curl -sS -K - -X "$1" -w '\n%{http_code}\n' "http://127.0.0.1:8086$2"
}

# must ANSWER: its status is good.
must() {
  case ${1##*
} in
    2*) ;;
    401) echo "the server refused the login"; exit 1 ;;
    *) printf '%s\n' "$1"; exit 1 ;;
  esac
}

# first_id ANSWER: the first number with 16 hexadecimal digits that is called id.
first_id() { printf '%s' "$1" | tr -d '\n\t ' | grep -o '"id":"[0-9a-f]\{16\}"' | head -n 1 | cut -d '"' -f 4; }

find_id() {
  answer=$(api GET "$1")
  case $answer in *"
404") return 0 ;; esac
  must "$answer"
  first_id "$answer" || true
}

organisation() { find_id '/api/v2/orgs?org=main'; }
bucket() { find_id "/api/v2/buckets?org=main&name=$1"; }
user() { find_id "/private/legacy/authorizations?token=$1"; }

# permissions read|write...: for the bucket with the number $id.
permissions() {
  for action; do
    printf '{"action":"%s","resource":{"type":"buckets","id":"%s","orgID":"%s"}},' "$action" "$id" "$org"
  done
}

every_bucket() {
  printf '{"action":"%s","resource":{"type":"buckets","orgID":"%s"}},' read "$org" write "$org"
}

set_password() { must "$(api POST "/private/legacy/authorizations/$1/password" "{\"password\":$password}")"; }

what=$1
shift
case $what in
  bucket) # NAME_JSON NAME_PERCENT
    [ -n "$(bucket "$2")" ] || must "$(api POST /api/v2/buckets "{\"orgID\":\"$(organisation)\",\"name\":$1,\"retentionRules\":[]}")" ;;
  drop-bucket) # NAME_PERCENT
    id=$(bucket "$1")
    [ -z "$id" ] || must "$(api DELETE "/api/v2/buckets/$id")" ;;
  user) # USER_JSON USER_PERCENT owner|readwrite|read BUCKET_PERCENT...
    org=$(organisation) json=$1 old=$(user "$2") actions=read list=
    [ "$3" != readwrite ] || actions='read write'
    [ "$3" != owner ] || list=$(every_bucket)
    shift 3
    for name; do
      id=$(bucket "$name")
      [ -n "$id" ] || { echo "no bucket $name"; exit 1; }
      # shellcheck disable=SC2086 # two words
      list=$list$(permissions $actions)
    done
    # Without any right a user cannot be made: reading a bucket that is nowhere is none.
    [ -n "$list" ] || { id=ffffffffffffffff; list=$(permissions read); }
    [ -z "$old" ] || must "$(api DELETE "/private/legacy/authorizations/$old")"
    answer=$(api POST /private/legacy/authorizations "{\"orgID\":\"$org\",\"token\":$json,\"permissions\":[${list%,}]}")
    must "$answer"
    set_password "$(first_id "$answer")" ;;
  drop-user) # USER_PERCENT
    id=$(user "$1")
    [ -z "$id" ] || must "$(api DELETE "/private/legacy/authorizations/$id")" ;;
  password) # USER_PERCENT
    id=$(user "$1")
    [ -n "$id" ] || { echo "InfluxDB 2 cannot change this password"; exit 1; }
    set_password "$id" ;;
esac

# Redis's promises: see keyvalue.sh.
# shellcheck shell=bash disable=SC2034,SC2154 # used by keyvalue.sh; set by test.sh

name=redis
# shellcheck source-path=SCRIPTDIR source=keyvalue.sh
. "$images/test/keyvalue.sh"

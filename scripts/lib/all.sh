# Loads every helper; a script sources this file alone.
# shellcheck shell=bash

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export project
# shellcheck source=say.sh
. "$project/scripts/lib/say.sh"
# shellcheck source=host.sh
. "$project/scripts/lib/host.sh"
# shellcheck source=packages.sh
. "$project/scripts/lib/packages.sh"
# shellcheck source=rust.sh
. "$project/scripts/lib/rust.sh"
# shellcheck source=user.sh
. "$project/scripts/lib/user.sh"
# shellcheck source=containers.sh
. "$project/scripts/lib/containers.sh"
# shellcheck source=images.sh
. "$project/scripts/lib/images.sh"
# shellcheck source=daemon.sh
. "$project/scripts/lib/daemon.sh"
# shellcheck source=tour.sh
. "$project/scripts/lib/tour.sh"
# shellcheck source=machine.sh
. "$project/scripts/lib/machine.sh"

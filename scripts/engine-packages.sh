#!/usr/bin/env bash
# Which packages make an engine on Debian and Ubuntu, and where bookworm gets recent ones from. For engine.sh.
#
# bookworm's own Docker is 20.10, without buildx and compose. Its successor's packages run on it as they are, so they
# are asked for one by one from that suite, which is pinned so low that nothing else moves (apt_preferences(5)).

readonly NEXT_SUITE=trixie
readonly APT_DIR=${APT_DIR:-/etc/apt}
readonly DAEMON_CONFIG=${DAEMON_CONFIG:-/etc/docker/daemon.json}
readonly ENGINE_DATA=${ENGINE_DATA:-/var/lib/docker}

install_engine() {
  local packages
  packages=$(engine_packages)
  say "There is no Docker engine here. Root on $(distribution) gets one from the distribution's packages:"
  ! needs_next_suite || say "  - add the suite $NEXT_SUITE of this machine's own mirror, pinned low: nothing else moves"
  ! is_first_engine || say "  - write $DAEMON_CONFIG: images in containerd's store"
  say "  - install $packages" "  - start dockerd"
  ! needs_next_suite || add_next_suite
  # Before the package, which may start the daemon: a store chosen later would hide what the first one holds.
  ! is_first_engine || write_daemon_config
  # shellcheck disable=SC2086 # one word a package
  apt_install "the Docker engine" $packages
}

# PART...: the command line or plugins that a running engine lacks; nothing that is there may be replaced or removed.
install_parts() {
  local packages
  packages=$(part_packages "$@")
  ! needs_next_suite || [[ $packages != */* ]] || add_next_suite
  # shellcheck disable=SC2086 # one word a package
  apt_install "Docker is here without: $*" $packages
}

engine_packages() {
  case $(distribution) in
    "debian bookworm") echo "docker.io/$NEXT_SUITE $(part_packages cli buildx compose) iptables mmdebstrap" ;;
    debian*) echo "docker.io $(part_packages cli buildx compose) iptables mmdebstrap" ;;
    ubuntu*) echo "docker.io $(part_packages buildx compose) iptables mmdebstrap" ;;
  esac
}

# PART...: the packages of `cli`, `buildx` and `compose`, from whoever this machine's Docker is from.
part_packages() {
  local part names=""
  for part in "$@"; do
    names+=" $(part_package "$part")"
  done
  echo "${names# }"
}

part_package() {
  case "$(docker_origin):$1" in
    docker-ce:cli) echo docker-ce-cli ;;
    docker-ce:*) echo "docker-$1-plugin" ;;
    "debian bookworm:"*) echo "docker-$1/$NEXT_SUITE" ;;
    ubuntu*:cli) echo docker.io ;;
    ubuntu*:compose) echo docker-compose-v2 ;;
    *) echo "docker-$1" ;;
  esac
}

# Docker's own packages and the distribution's do not mix.
docker_origin() {
  # shellcheck disable=SC2016 # dpkg-query's own format
  if [[ $(dpkg-query -W -f '${Status}\n' docker-ce docker-ce-cli 2>/dev/null) == *"ok installed"* ]]; then
    echo docker-ce
  else
    distribution
  fi
}

is_first_engine() { [[ ! -e $DAEMON_CONFIG && ! -e $ENGINE_DATA/image && ! -e $ENGINE_DATA/overlay2 ]]; }

# OCI and zstd output, every cache type, and timestamps that can be set: the graph drivers' store has none of them.
write_daemon_config() {
  mkdir -p "$(dirname "$DAEMON_CONFIG")"
  printf '{\n  "features": {"containerd-snapshotter": true}\n}\n' >"$DAEMON_CONFIG"
}

needs_next_suite() { [[ $(distribution) == "debian bookworm" && -z $(apt_entry "$NEXT_SUITE") ]]; }

add_next_suite() {
  local entry source pin=$APT_DIR/preferences.d/envkit-$NEXT_SUITE
  entry=$(apt_entry bookworm)
  [[ -n $entry ]] || unmet "apt has no source for bookworm's main packages here" "  see $APT_DIR/sources.list(.d)"
  source=$APT_DIR/sources.list.d/envkit-$NEXT_SUITE.$(entry_format "$entry")
  printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$NEXT_SUITE" >"$pin"
  entry_for_suite "$entry" "$NEXT_SUITE" >"$source"
  # An entry that apt cannot read would be in the way of whatever the user installs next.
  step "Adding the suite $NEXT_SUITE to apt's sources" apt-get update -q --error-on=any -o Dir::Etc::sourcelist="$source" \
    -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 || { rm -f "$source" "$pin" && exit "$UNMET"; }
}

# SUITE: where apt's configuration names its main packages, as FILE:N. N counts stanzas in a .sources file and lines in
# a .list file; apt itself has done the reading.
apt_entry() {
  # shellcheck disable=SC2016 # apt's own format
  apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(SOURCESENTRY)' 'Created-By: Packages' |
    awk -v suite="$1" '$1 == suite && $2 == "main" && !found { print $3; found = 1 }'
}

entry_format() {
  case ${1%:*} in
    *.sources) echo sources ;;
    *) echo list ;;
  esac
}

# FILE:N SUITE: the same entry (mirror, signed-by, every other option) for the main packages of another suite.
entry_for_suite() {
  local file=${1%:*} number=${1##*:} suite=$2
  if [[ $(entry_format "$1") == list ]]; then
    sed -nE "${number}s#^(deb([[:space:]]+\[[^]]*\])?[[:space:]]+[^[:space:]]+)[[:space:]].*#\1 $suite main#p" "$file"
    return
  fi
  # Comments do not count as stanzas; a field ends where the next line does not start with a space.
  sed '/^#/d' "$file" | awk -v RS= -v n="$number" 'NR == n' | awk -v suite="$suite" '
    BEGIN { own["types"] = "deb"; own["suites"] = suite; own["components"] = "main" }
    /^[^[:space:]]/ {
      name = tolower(substr($0, 1, index($0, ":") - 1))
      if (name in own) print substr($0, 1, index($0, ":")) " " own[name]
    }
    !(name in own)'
}

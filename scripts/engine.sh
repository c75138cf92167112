#!/usr/bin/env bash
# The engine side of set-up: a Docker engine that answers, with buildx and compose.
#
# One that runs is used as it is. Where there is none, root on Debian or Ubuntu gets one from the distribution's own
# packages; everybody else is told what to install, and the exit code is 4. See docs/how-to/install-engine.md.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=engine-packages.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/engine-packages.sh"
# shellcheck source-path=SCRIPTDIR source=dockerd.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/dockerd.sh"

readonly SOCKET=${ENGINE_SOCKET:-/var/run/docker.sock}
# What an ordinary user's PATH leaves out, and root's may after `su`.
readonly SBIN=${SBIN:-/usr/local/sbin:/usr/sbin:/sbin}

main() {
  PATH=$PATH:$SBIN
  if ! engine_answers; then
    explain_refusal
    get_engine
  fi
  add_missing_parts
}

# Does the engine that this user's docker command would talk to answer?
engine_answers() {
  if command -v docker >/dev/null; then
    timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
  else
    socket_answers "$SOCKET" # a daemon without its command: what a container with the socket mounted has
  fi
}

# Stop where an engine is there, or was asked for, that this script must not put another beside.
explain_refusal() {
  local said
  if said=$(chosen_elsewhere); then
    unmet "$said does not answer" "  start that engine, or unset the choice to use one on this machine"
  fi
  [[ ! -S $SOCKET || -w $SOCKET ]] || unmet "Docker is here, but $(caller) may not use it" \
    "  join its group, then log in again: sudo usermod -aG docker $(caller)"
}

# The engine that DOCKER_HOST or a docker context chose, unless it is this machine's usual one.
chosen_elsewhere() {
  local context
  if [[ -n ${DOCKER_HOST-} ]]; then
    [[ $DOCKER_HOST != unix://$SOCKET && $DOCKER_HOST != unix:///run/docker.sock ]] || return 1
    echo "DOCKER_HOST=$DOCKER_HOST"
    return
  fi
  context=$(docker context inspect --format '{{.Name}}' 2>/dev/null) || return 1
  [[ $context != default ]] || return 1
  echo "docker context $context"
}

# An engine on this machine: the one that is installed, else the distribution's.
get_engine() {
  if ! command -v dockerd >/dev/null; then
    can_install || explain_install
    install_engine
  elif ((EUID != 0)); then
    unmet "Docker is installed but not running" "  start it: $(start_command)"
  fi
  start_engine
}

explain_install() {
  if [[ -z $(distribution) ]]; then
    unmet "no Docker engine is running here" \
      "  install Docker Engine 20.10 or later with its buildx and compose plugins, start it, and run this again" \
      "  (docs/how-to/install-engine.md)"
  fi
  unmet "no Docker engine is installed here" \
    "  install and start one: sudo $(project_root)/scripts/engine.sh" \
    "  then let yourself use it, and log in again: sudo usermod -aG docker $(caller)"
}

start_command() {
  if has_systemd; then echo "sudo systemctl start docker"; else echo "sudo $(project_root)/scripts/engine.sh"; fi
}

# A running engine lacks nothing but perhaps the command line or its plugins: get those alone.
add_missing_parts() {
  local -a parts=()
  command -v docker >/dev/null || parts+=(cli)
  docker buildx version >/dev/null 2>&1 || parts+=(buildx)
  docker compose version >/dev/null 2>&1 || parts+=(compose)
  ((${#parts[@]})) || return 0
  can_install || unmet "Docker is here without: ${parts[*]}" \
    "  install what is missing: $(part_command "${parts[@]}")"
  install_parts "${parts[@]}"
}

part_command() {
  if [[ -n $(distribution) ]]; then
    echo "sudo apt-get install $(part_packages "$@")"
  else
    echo "docker-buildx-plugin, docker-compose-plugin, or whatever your distribution calls them"
  fi
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"

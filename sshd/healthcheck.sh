#!/usr/bin/env bash
# Asks the running sshd to log in a user that there is not. It has to prove its host key, the one on the volume, before
# it can refuse: only a server that works gets as far as that. sshd_config keeps this user's refusals out of the log;
# ssh-keyscan, or a client that hangs up, would leave a line there each time.
set -Eeuo pipefail

readonly USER_OF_NOBODY=envkit-health
readonly KNOWN_HOSTS=/run/envkit/known_hosts # written at the start, with the host's name in it: envkit

main() {
  local port said
  port=$(</run/envkit/port)
  said=$(knock "$port") || true # a refusal is what it is to be
  if [[ $said != *"Permission denied ("* ]]; then
    printf 'sshd does not answer on port %s: %s\n' "$port" "${said:-nothing came within 4 seconds}" >&2
    exit 1
  fi
  echo "sshd answers on port $port"
}

# knock PORT
knock() {
  timeout 4 ssh -F none -T -p "$1" -o BatchMode=yes -o PreferredAuthentications=none -o HostKeyAlias=envkit \
    -o UserKnownHostsFile="$KNOWN_HOSTS" -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes \
    "$USER_OF_NOBODY@127.0.0.1" 2>&1
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi

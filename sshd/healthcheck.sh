#!/usr/bin/env bash
# Asks the running sshd for its host key and compares it with the one on the volume.
set -Eeuo pipefail
trap 'echo "sshd does not answer" >&2' ERR

main() {
  local port served
  port=$(</run/envkit/port)
  served=$(ssh-keyscan -T 4 -t ed25519 -p "$port" 127.0.0.1 2>/dev/null | awk '$2 == "ssh-ed25519" { print $2, $3 }')
  [[ $served == "$(cut -d ' ' -f 1,2 /var/lib/envkit/ssh/ssh_host_ed25519_key.pub)" ]]
  echo "sshd answers on port $port"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi

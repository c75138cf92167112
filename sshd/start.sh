#!/usr/bin/env bash
# Sourced by entrypoint.sh, as the user: how the SSH server starts.
# shellcheck disable=SC2154  # lib, run_dir, host_keys and the functions used here are entrypoint.sh's

# Who may come in, checked before anything takes long.
prepare_service() {
  local name
  name=$(id -un 2>/dev/null) || die "$EX_INPUT" "uid $EUID has no entry in /etc/passwd, which sshd needs" \
    "start the container without --user and with ENVKIT_UID=$EUID: it gives up root's rights by itself"
  secret ENVKIT_AUTHORIZED_KEYS authorized_keys || die "$EX_INPUT" "no SSH key is allowed in" \
    "set ENVKIT_AUTHORIZED_KEYS or ENVKIT_AUTHORIZED_KEYS_FILE, or mount $secrets/authorized_keys"
  # ssh-keygen would take it for its own public half, and nobody could log in.
  ! grep -q 'PRIVATE KEY' "$run_dir/authorized_keys" || die "$EX_INPUT" "the authorized keys hold a private key" \
    "give its public half instead: the file that ends with .pub"
  ssh-keygen -l -f "$run_dir/authorized_keys" >"$run_dir/fingerprints" ||
    die "$EX_INPUT" "the authorized keys are not public keys" "expected lines such as: ssh-ed25519 AAAA... you@host"
  sed 's/^/envkit: admits /' "$run_dir/fingerprints" >&2
  make_host_keys
  sed 's/^/envkit /' "$host_keys/ssh_host_ed25519_key.pub" >"$run_dir/known_hosts" # for the health check
  own_config "$name" >"$run_dir/sshd.conf"
}

# Once for each volume: a client that has seen the host's key must find the same one after a rebuild. No RSA: finding
# its primes held the first start up for as long as five seconds, and every client of the last ten years knows these.
make_host_keys() {
  local type key
  for type in ed25519 ecdsa; do
    key=$host_keys/ssh_host_${type}_key
    if [[ -s $key ]]; then continue; fi
    rm -f "$key.new"*
    ssh-keygen -q -t "$type" -N '' -C envkit -f "$key.new"
    mv "$key.new.pub" "$key.pub"
    mv "$key.new" "$key" # last: its presence says that the pair is whole
  done
}

# own_config USER: what sshd_config includes, since only the start knows it.
own_config() {
  echo "AllowUsers $1"
  if ((EUID == 0)); then echo "PermitRootLogin prohibit-password"; fi
  # From 9.8 on OpenSSH shuts out an address that connects without logging in. Here every client has the same one, the
  # engine's, and the health check is such a client. Older ones do not know the option.
  if knows PerSourcePenalties no; then echo "PerSourcePenalties no"; fi
  set_env
}

# knows OPTION VALUE: whether this OpenSSH has the option.
knows() {
  /usr/sbin/sshd -T -f /dev/null -h "$host_keys/ssh_host_ed25519_key" -o "$1=$2" >/dev/null 2>&1
}

# sshd gives a session none of the container's environment: one SetEnv line, which is all it reads, does.
set_env() {
  local name value line=SetEnv
  while read -r name; do
    value=${!name}
    if [[ $value == *$'\n'* ]]; then continue; fi
    value=${value//\\/\\\\}
    line+=" \"$name=${value//\"/\\\"}\""
  done < <(session_environment | sed 's/^export \([^=]*\)=.*/\1/')
  echo "$line"
}

serve() {
  # The port that the arguments lead to, for the health check.
  /usr/sbin/sshd -T -f "$lib/sshd/sshd_config" "$@" | awk '$1 == "port" && !seen++ { print $2 }' >"$run_dir/port"
  exec /usr/sbin/sshd -D -e -f "$lib/sshd/sshd_config" "$@"
}

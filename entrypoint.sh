#!/usr/bin/env bash
# The container's entry: root prepares, privileges are dropped once, the models are synced and verified, and then what
# was asked for takes this process's place.
#
#   entrypoint.sh jupyter|ssh [ARG...]   a service; further arguments go to it
#   entrypoint.sh sync                   the models only
#   entrypoint.sh COMMAND [ARG...]       any command, as the project's owner, in the working directory
#   entrypoint.sh --health               what HEALTHCHECK runs
#
# The script runs twice: as root it prepares, and then executes itself again as the project's owner, under tini, marked
# by --as-user. No process of root's stays, unless the project is root's. Where the engine was told a user
# (`docker run --user`) there is nothing to prepare.
# Paths, variables and exit codes: docs/reference/image.md
set -Eeuo pipefail
trap 'log "entrypoint.sh: line $LINENO: \`$BASH_COMMAND\` failed"' ERR

readonly EX_INPUT=2 # of the exit codes in envkit/errors.py: your input is wrong

lib=/opt/envkit
workspace=/workspace
run_dir=/run/envkit
secrets=/run/secrets
ca_bundle=/etc/envkit/ca.crt
host_keys=/var/lib/envkit/ssh
root_hooks=/etc/envkit/start.d
passwd=/etc/passwd
group=/etc/group

log() { printf 'envkit: %s\n' "$*" >&2; }

# die CODE MESSAGE [NEXT STEP]
die() {
  log "$2"
  if [[ -n ${3-} ]]; then log "  $3"; fi
  exit "$1"
}

main() {
  case ${1-} in
    --health) check_health ;;
    --as-user) run_as_user "${@:2}" ;;
    *)
      check_writable
      if ((EUID == 0)); then run_as_root "$@"; fi
      exec tini -s -g -- "$lib/entrypoint.sh" --as-user "$@"
      ;;
  esac
}

# A start makes an entry for its user, and runtime files. The runtime folder of an earlier start may be closed to a root
# without capabilities, so root looks at a file of its own.
check_writable() {
  local place=$run_dir
  if ((EUID == 0)); then place=$passwd; fi
  [[ -w $place ]] || die $EX_INPUT "$place cannot be written to" \
    "start the container without --read-only: $passwd, $run_dir and the home folder are written at each start"
}

# --- as root -------------------------------------------------------------------------------------------------------

run_as_root() {
  local uid gid home=/root name=root
  trap 'exit 143' TERM # this is process 1, whose signals the kernel drops unless they are asked for
  uid=$(owner_uid) || exit
  gid=$(owner_gid "$uid") || exit
  if ((uid != 0)); then
    home=/home/paddle name=paddle
    add_user "$uid" "$gid"
  fi
  mkdir -p /run/sshd # sshd run by root separates its privileges there
  give_folder "$home" "$uid" "$gid"
  give_folder "$host_keys" "$uid" "$gid"
  give_folder "$run_dir" "$uid" "$gid"
  run_hooks "$root_hooks"
  export HOME=$home USER=$name LOGNAME=$name
  become "$uid" "$gid" tini -s -g -- "$lib/entrypoint.sh" --as-user "$@"
}

# The user whose files the project's are: the one named, else the owner of the project folder.
owner_uid() {
  local uid=${ENVKIT_UID:-}
  [[ -n $uid ]] || uid=$(stat -c %u "$workspace")
  check_id ENVKIT_UID "$uid"
  echo "$uid"
}

# owner_gid UID: the group named, else the project folder's if UID owns it, else the one of the same number.
owner_gid() {
  local gid=${ENVKIT_GID:-}
  if [[ -z $gid ]]; then
    if [[ $(stat -c %u "$workspace") == "$1" && $1 != 0 ]]; then gid=$(stat -c %g "$workspace"); else gid=$1; fi
  fi
  check_id ENVKIT_GID "$gid"
  echo "$gid"
}

# check_id NAME VALUE
check_id() {
  [[ $2 =~ ^(0|[1-9][0-9]{0,9})$ ]] || die $EX_INPUT "$1 is '$2'" "expected a number, as \`id -u\` and \`id -g\` print it"
}

# add_user UID GID: the user `paddle`. Its entry comes first, so that it gives UID its name and home even where the
# base image has another entry for that number; a group that the image has is used as it is.
add_user() {
  local others
  others=$(grep -v '^paddle:' "$passwd")
  printf 'paddle:x:%s:%s:PaddlePaddle:/home/paddle:/bin/bash\n%s\n' "$1" "$2" "$others" >"$passwd"
  others=$(grep -v '^paddle:' "$group")
  if ! grep -q "^[^:]*:[^:]*:$2:" <<<"$others"; then others+=$'\n'"paddle:x:$2:"; fi
  printf '%s\n' "$others" >"$group"
}

# give_folder PATH UID GID: the folder is the user's, for nobody else. Only a folder of root's is given away, and only
# the folder itself: what another user already has in it is not ours to take.
give_folder() {
  local owner
  mkdir -p "$1"
  owner=$(stat -c %u "$1")
  if [[ $owner == "$2" && $owner != 0 ]]; then return; fi
  ((owner == 0)) || die $EX_INPUT "$1 belongs to uid $owner, but the project's owner is uid $2" \
    "\`envkit down --volumes\` lets the next start make new ones; without envkit: remove the volume, or set ENVKIT_UID=$owner"
  chmod 0700 "$1"
  if (($2 != 0)); then chown "$2:$3" "$1"; fi
}

# become UID GID COMMAND...: drops what the user is not to have, once and for good.
become() {
  local uid=$1 gid=$2 groups
  shift 2
  if ((uid == EUID && gid == $(id -g))); then exec "$@"; fi
  # Groups that the engine was told to add (`--group-add video`) stay; root's own does not.
  groups=$(id -G | tr ' ' '\n' | grep -vx 0 | paste -sd,) || groups=
  if [[ -n $groups ]]; then groups=--groups=$groups; else groups=--clear-groups; fi
  exec setpriv --reuid="$uid" --regid="$gid" "$groups" --inh-caps=-all --no-new-privs -- "$@"
}

# --- as the user ---------------------------------------------------------------------------------------------------

run_as_user() {
  if (($# == 0)); then set -- jupyter; fi
  settle_in
  run_hooks "$workspace/.envkit/start.d"
  case $1 in
    jupyter) start_service "$lib/jupyter/start.sh" "$@" ;;
    ssh) start_service "$lib/sshd/start.sh" "$@" ;;
    sync) run_command envkit --project "$workspace" models sync "${@:2}" ;;
    *)
      sync_models
      note_start command "$@"
      run_command "$@"
      ;;
  esac
}

# start_service START ARG...: checks what the service needs before the models are fetched, which can take long.
start_service() {
  # shellcheck disable=SC1090  # jupyter/start.sh or sshd/start.sh
  source "$1"
  prepare_service
  sync_models
  (note_start "$2" "${@:2}" &) # tini takes the orphan in: the service has no child that it does not know
  echo "$2" >"$run_dir/service"
  serve "${@:3}"
}

run_command() {
  echo command >"$run_dir/service"
  exec "$@"
}

# A home and an environment that can be worked in, and an empty runtime folder, also after a restart.
settle_in() {
  export SHELL=/bin/bash USER=${USER:-paddle}
  find_home
  [[ -e $HOME/.profile ]] || cp -r /etc/skel/. "$HOME"
  find "$run_dir" -mindepth 1 -delete 2>/dev/null || true # started with --user, some of it may be another's
  echo starting >"$run_dir/service"
  export PATH="$HOME/.local/bin:$PATH"
  trust_host
  (umask 077 && session_environment >"$run_dir/environment")
}

# The engine gives a user that has no entry (`--user 1234`) the home `/`.
find_home() {
  if [[ ${HOME:-/} != / && -w $HOME ]]; then return; fi
  export HOME=/home/paddle
  if [[ -w $HOME ]]; then return; fi
  HOME=$(mktemp -d)
  log "uid $EUID has no home here that it may write to: using $HOME, which goes with the container"
}

# The host's certificates, its settings of pip, and its proxies where their URLs hold a password, if handed over.
trust_host() {
  local name value
  if [[ -s $ca_bundle ]]; then
    for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT CURL_CA_BUNDLE GIT_SSL_CAINFO; do
      export "$name=${!name:-$ca_bundle}"
    done
  fi
  if [[ -f $secrets/pip.conf ]]; then export PIP_CONFIG_FILE=${PIP_CONFIG_FILE:-$secrets/pip.conf}; fi
  if [[ -f $secrets/proxy.env ]]; then
    while IFS='=' read -r name value; do export "$name=$value"; done <"$secrets/proxy.env"
  fi
}

# Shell lines that give a login its environment: login shells read them (sshd/profile.sh), and sshd's SetEnv is made of
# the same. Names, not everything: the container's environment may hold secrets.
session_environment() {
  local name
  for name in $(compgen -e); do
    case $name in
      PATH | LD_LIBRARY_PATH | LIBRARY_PATH | LANG | LC_* | TZ | CUDA_* | NVIDIA_* | NCCL_* | PADDLE_* | FLAGS_* | \
        OMP_* | ENVKIT_IMAGE | ENVKIT_IMAGE_* | PIP_* | SSL_CERT_* | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | GIT_SSL_CAINFO | \
        HTTP_PROXY | HTTPS_PROXY | NO_PROXY | http_proxy | https_proxy | no_proxy)
        printf 'export %s=%q\n' "$name" "${!name}"
        ;;
    esac
  done
}

# Runs a folder's *.sh by name; one that fails stops the start.
run_hooks() {
  local hook status=0
  for hook in "$1"/*.sh; do
    [[ -e $hook ]] || continue
    log "running $hook"
    bash "$hook" & # and wait: a signal is not to be held up by a hook that takes long
    wait $! || status=$?
    ((status == 0)) || die $EX_INPUT "$hook failed with exit code $status" "mend it, or move it out of $1"
  done
}

# Brings the models to what models.yaml says, before anything that may use them runs.
sync_models() {
  local mode=${ENVKIT_MODELS:-strict} status=0
  [[ $mode =~ ^(strict|warn|off)$ ]] || die $EX_INPUT "ENVKIT_MODELS is '$mode'" "expected one of: strict, warn, off"
  [[ -e $workspace/models.yaml ]] || return 0
  if [[ $mode == off ]]; then
    log "WARNING: ENVKIT_MODELS=off: the models are neither fetched nor verified"
    return 0
  fi
  envkit --project "$workspace" models sync >&2 || status=$? # standard output is the command's
  if ((status == 0)); then return 0; fi
  if [[ $mode == warn ]]; then
    log "WARNING: ENVKIT_MODELS=warn: starting although the models are not what models.yaml says (exit code $status)"
    return 0
  fi
  die "$status" "not started: the models are not what models.yaml says" \
    "mend what is said above; ENVKIT_MODELS=warn starts all the same"
}

# note_start SERVICE ARG...: writes down what this run depends on, the arguments of the container included, in
# .envkit/runs of the project. What keeps it from doing so is said in one line, and never stops a start.
note_start() {
  local said status=0
  [[ -e $workspace/models.yaml ]] || return 0
  said=$(timeout -k 1 20 envkit --project "$workspace" snapshot --start "$1" -- "${@:2}" 2>&1 >/dev/null) || status=$?
  case $status in
    0) ;;
    124 | 137) log "this start is not noted: that took more than 20 seconds" ;;
    *) log "this start is not noted: ${said%%$'\n'*}" ;;
  esac
}

# secret NAME FILE: writes the value of $NAME, else of the file $NAME_FILE, else of the secret mounted as FILE, to the
# runtime folder's FILE. Fails if there is none of them. Then both variables are gone, so that no child inherits them.
secret() {
  local value=${!1:-} from=$1_FILE
  from=${!from:-}
  if [[ -n $value && -n $from ]]; then die $EX_INPUT "both $1 and $1_FILE are set" "leave one of them out"; fi
  if [[ -z $value ]]; then
    if [[ -z $from && -e $secrets/$2 ]]; then from=$secrets/$2; fi
    if [[ -z $from ]]; then return 1; fi
    [[ -r $from ]] || die $EX_INPUT "$from: not readable by uid $EUID" "it must belong to that user, mode 0600"
    value=$(<"$from")
    [[ -n ${value//[[:space:]]/} ]] || die $EX_INPUT "$from: empty"
  fi
  unset "$1" "$1_FILE"
  (umask 077 && printf '%s\n' "$value" >"$run_dir/$2")
}

# --- health --------------------------------------------------------------------------------------------------------

# Asks the service itself, as the user, whose runtime folder nobody else can read.
check_health() {
  local uid
  uid=$(stat -c %u "$run_dir")
  if ((EUID == 0 && uid != 0)); then become "$uid" "$(stat -c %g "$run_dir")" "$lib/entrypoint.sh" --health; fi
  case $(cat "$run_dir/service" 2>/dev/null) in
    jupyter) exec "$lib/jupyter/healthcheck.py" ;;
    ssh) exec "$lib/sshd/healthcheck.sh" ;;
    command) ;;
    *) echo "not started yet: hooks run, or the models are being synced" && exit 1 ;;
  esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi

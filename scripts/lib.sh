#!/usr/bin/env bash
# What the set-up scripts share: messages, long steps, whose the checkout is, packages of Debian and Ubuntu.
set -Eeuo pipefail
trap 'on_error "$?" "${BASH_SOURCE[0]-$0}" "$LINENO"' ERR

# The exit code for "something this needs is not here" (envkit/errors.py); its reason has been given by then.
UNMET=4

on_error() { # STATUS FILE LINE
  (($1 == UNMET)) || printf "%s: line %s: '%s' ended with %s\n" "$2" "$3" "$BASH_COMMAND" "$1" >&2
}

# LINE...: to standard error, which standard output stays free of.
say() { printf '%s\n' "$@" >&2; }

# Say what is missing and what to do about it, one argument a line, and stop.
unmet() {
  say "$@"
  exit "$UNMET"
}

# TEXT COMMAND...: run a command quietly (with `set -e` off) and show that time passes; stop with the end of its output
# when it fails. The clock runs in the background and the command in front, so that Ctrl-C reaches the command.
step() (
  local text=$1 log status=0
  shift
  log=$(mktemp)
  if [[ -t 2 ]]; then printf '%s' "$text" >&2; else say "$text"; fi
  clock "$text" &
  trap 'kill $! 2>/dev/null || true; rm -f "$log"' EXIT
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [[ ! -t 2 ]] || printf '\n' >&2
  ((status != 0)) || return 0
  tail -n 15 "$log" | sed 's/^/  | /' >&2
  unmet "${text#"${text%%[^ ]*}"}: failed with exit code $status; what it said last is above"
)

# TEXT: the seconds, in place on a terminal, every quarter of a minute in a log.
clock() {
  local text=$1 seconds=0
  while kill -0 "$$" 2>/dev/null; do
    sleep 1 >/dev/null 2>&1 # an orphan for its last second: it must not hold a reader's pipe
    seconds=$((seconds + 1))
    if [[ -t 2 ]]; then
      printf '\r%s (%s s) ' "$text" "$seconds" >&2
    elif ((seconds % 15 == 0)); then
      say "  ... $seconds s"
    fi
  done
}

project_root() { (cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P); }

# Whose the project's files are, as UID:GID: the same rule as `whose` in envkit/settings.py.
owner() {
  if ((EUID != 0)); then
    printf '%s:%s\n' "$(id -u)" "$(id -g)"
  elif [[ ${SUDO_UID-} =~ ^[0-9]+$ && ${SUDO_GID-} =~ ^[0-9]+$ && $SUDO_UID != 0 ]]; then
    printf '%s:%s\n' "$SUDO_UID" "$SUDO_GID"
  else
    stat -c %u:%g -- "$(project_root)"
  fi
}

# The caller's name; some have only a number.
caller() { id -un 2>/dev/null || id -u; }

# COMMAND...: run it as the owner, in the owner's home folder's configuration.
as_owner() {
  local ids home
  ids=$(owner)
  if ((EUID != 0)) || [[ $ids == 0:* ]]; then
    "$@"
    return
  fi
  home=$(getent passwd "${ids%:*}" | cut -d: -f6) || home=/nonexistent
  setpriv --reuid="${ids%:*}" --regid="${ids#*:}" --clear-groups env HOME="$home" "$@"
}

# The distribution as "ID CODENAME" where its packages are known here (Debian, Ubuntu), else nothing.
distribution() (
  # shellcheck source=/dev/null
  . "${OS_RELEASE:-/etc/os-release}" 2>/dev/null || return 0
  [[ ${ID-} != debian && ${ID-} != ubuntu ]] || printf '%s %s\n' "$ID" "${VERSION_CODENAME:-unknown}"
)

# May this run install packages by itself?
can_install() { ((EUID == 0)) && [[ -n $(distribution) ]]; }

# WHY PACKAGE...: install packages, having said so; what is installed is neither upgraded nor removed.
apt_install() {
  local why=$1
  shift
  say "Installing with apt: $* ($why)"
  step "  fetching and installing" update_and_install "$@"
}

update_and_install() {
  # A source that does not answer is a warning: it need not be the one that has these packages.
  apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends --no-remove --no-upgrade \
      -o DPkg::Lock::Timeout=300 "$@" # another apt may be at work: a fresh Ubuntu updates itself
}

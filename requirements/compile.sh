#!/usr/bin/env bash
# Rewrites the locks (*.txt) from what is asked for (*.in): one lock for Python 3.10 and later, with hashes, naming no
# index, so that pip takes each file from whatever index the machine is configured for. Needs `uv`.
#
#   requirements/compile.sh             keep the versions that are locked already
#   requirements/compile.sh --upgrade   take the newest that fit
set -Eeuo pipefail
trap 'echo "compile.sh: line $LINENO failed" >&2' ERR

# A lock that constrains another comes before it.
locks=(host dev paddle-common paddle-cpu jupyter envkit)

main() {
  local name
  cd "$(dirname "${BASH_SOURCE[0]}")"
  for name in "${locks[@]}"; do
    uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-build \
      --no-emit-index-url --no-header --no-annotate "$@" --output-file "$name.txt" "$name.in"
  done
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi

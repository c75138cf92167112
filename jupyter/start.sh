#!/usr/bin/env bash
# Sourced by entrypoint.sh, as the user: how JupyterLab starts.
# shellcheck disable=SC2154  # lib, run_dir and the functions used here are entrypoint.sh's

# The token, always: the one given, else one made once and kept in the home volume.
prepare_service() {
  local kept=$HOME/.local/state/envkit/jupyter_token
  if secret JUPYTER_TOKEN jupyter_token; then return; fi
  if [[ ! -s $kept ]]; then
    mkdir -p "${kept%/*}"
    (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$kept")
  fi
  install -m 0600 "$kept" "$run_dir/jupyter_token"
  log "no token was given: JupyterLab asks for the one in this container's $kept"
  log "  to see it: docker exec --user $EUID $HOSTNAME cat $kept"
}

serve() {
  export JUPYTER_RUNTIME_DIR=$run_dir/jupyter
  # The image's kernel comes first: an ipykernel in the user's home must not replace it by one of the same name, which
  # would run in the server's own environment. Kernels of other names are offered beside it.
  export JUPYTER_PATH=/opt/jupyter/share/jupyter${JUPYTER_PATH:+:$JUPYTER_PATH}
  # -I: neither PYTHONPATH nor a package in the user's home reaches the server. Kernels get the environment as it is.
  exec /opt/jupyter/bin/python -I -m jupyterlab --config="$lib/jupyter/jupyter_server_config.py" "$@"
}

#!/bin/sh
# Installed as /etc/profile.d/envkit.sh. /etc/profile has just reset PATH: a login shell gets the session's environment
# back, whether it came by SSH, by JupyterLab's terminal or by `docker exec`.
if [ -r /run/envkit/environment ]; then
  # shellcheck disable=SC1091  # written at the container's start
  . /run/envkit/environment
fi
# A person who logs in wants the project; a program (scp, an editor) counts on the home folder.
case $- in
  *i*) [ "$PWD" != "$HOME" ] || cd /workspace || true ;;
esac

#!/bin/sh
# What every RUN of the Dockerfile that downloads has in common: the host's certificates and settings of pip, mounted
# as the secrets `ca` and `pip` where the host has them, and nothing left behind in the layer.
#
#   install.sh apt PACKAGE...            Debian packages, from the sources that the base image has
#   install.sh pip PYTHON ARGUMENT...    pip install into PYTHON's environment (`python3`: Paddle's)
set -eu

ca=/run/secrets/ca
pip_config=/run/secrets/pip

install_debian() {
  export DEBIAN_FRONTEND=noninteractive
  # The official images' way to keep layers small empties the cache mount after each package.
  clean=/etc/apt/apt.conf.d/docker-clean
  if [ -e "$clean" ]; then
    mv "$clean" /tmp/docker-clean
    trap 'mv /tmp/docker-clean "$clean"' EXIT
  fi
  options='-o Binary::apt-get::APT::Keep-Downloaded-Packages=true -o DPkg::Use-Pty=0 -o Acquire::Retries=3'
  # apt fetches as a user of its own, which cannot read root's secret.
  if [ -s "$ca" ]; then options="$options -o APT::Sandbox::User=root -o Acquire::https::CaInfo=$ca"; fi
  # shellcheck disable=SC2086  # several words
  apt-get $options update -q
  # shellcheck disable=SC2086
  apt-get $options install -qy --no-install-recommends "$@"
  rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old
}

install_python() {
  python=$1
  shift
  if [ -s "$ca" ]; then export PIP_CERT="$ca"; fi
  if [ -s "$pip_config" ]; then export PIP_CONFIG_FILE="$pip_config"; fi
  export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_RETRIES=10
  if [ "$python" != python3 ]; then
    python3 -m pip --python "$python" install "$@"
  elif python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip install "$@"
  else # the distribution's Python has none, but the wheel for its virtual environments runs as it is
    python3 "$(echo /usr/share/python-wheels/pip-*.whl)/pip" install "$@"
  fi
}

case $1 in
  apt) shift && install_debian "$@" ;;
  pip) shift && install_python "$@" ;;
  *) echo "install.sh: '$1' is neither apt nor pip" >&2 && exit 2 ;;
esac

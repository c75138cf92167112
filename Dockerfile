# PaddlePaddle 3.3 with JupyterLab, an SSH server and envkit's model half. Needs BuildKit (Docker 20.10 or later).
#
#   docker buildx build --target cpu .
#   docker buildx build --target gpu --build-arg VARIANT=gpu .
#
# Behind a proxy that inspects TLS, give the host's certificates; with an index of your own, your settings of pip:
#   --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt --secret id=pip,src=$HOME/.config/pip/pip.conf
# Both are mounted while a RUN downloads and are in no layer. What changes seldom comes first.

ARG VARIANT=cpu
ARG CPU_BASE=debian:bookworm-slim
ARG GPU_BASE=paddlepaddle/paddle:3.3.0-gpu-cuda12.6-cudnn9.5

# --- Paddle's environment: the system's Python, as in Paddle's own images -------------------------------------------

# hadolint ignore=DL3006
FROM ${CPU_BASE} AS cpu-base
# hadolint ignore=DL3006
FROM ${GPU_BASE} AS gpu-base

FROM ${VARIANT}-base AS python
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=secret,id=ca \
    --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    sh /build/install.sh apt ca-certificates libgomp1 python3 python3-venv && \
    # Paddle's environment is pip's, not the distribution's.
    rm -f /usr/lib/python3*/EXTERNALLY-MANAGED

FROM python AS cpu-paddle
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=bind,source=requirements/paddle-cpu.txt,target=/build/paddle-cpu.txt \
    --mount=type=secret,id=ca \
    --mount=type=secret,id=pip \
    --mount=type=cache,target=/root/.cache/pip \
    sh /build/install.sh pip python3 --require-hashes --requirement /build/paddle-cpu.txt

FROM python AS gpu-paddle
# Where a plain CUDA base needs Paddle: its own index, the only one that serves the GPU wheels. One folder a CUDA version.
ARG PADDLE_INDEX=https://www.paddlepaddle.org.cn/packages/stable/cu126/
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=secret,id=ca \
    --mount=type=secret,id=pip \
    --mount=type=cache,target=/root/.cache/pip \
    python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("paddle") is None)' || \
    sh /build/install.sh pip python3 --extra-index-url "${PADDLE_INDEX}" \
      'paddlepaddle-gpu==3.3.*' 'numpy<2.4' 'setuptools<81' 'pip>=25'

# --- What both variants have ----------------------------------------------------------------------------------------

FROM ${VARIANT}-paddle AS image
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The server's host keys are made on a volume at the first start: the ones of the package would be everybody's.
# Without ccache every `import paddle` begins with a warning.
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=secret,id=ca \
    --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    sh /build/install.sh apt ccache curl fonts-dejavu-core git less openssh-client openssh-server procps tini tzdata && \
    rm -f /etc/ssh/ssh_host_*
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=bind,source=requirements/paddle-common.txt,target=/build/paddle-common.txt \
    --mount=type=secret,id=ca \
    --mount=type=secret,id=pip \
    --mount=type=cache,target=/root/.cache/pip \
    sh /build/install.sh pip python3 --require-hashes --requirement /build/paddle-common.txt && \
    { command -v python || ln -s "$(command -v python3)" /usr/local/bin/python; }
# JupyterLab apart from Paddle, so that no `pip install` breaks the server; its one kernel runs in Paddle's environment.
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=bind,source=requirements/jupyter.txt,target=/build/jupyter.txt \
    --mount=type=secret,id=ca \
    --mount=type=secret,id=pip \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=tmpfs,target=/tmp \
    python3 -m venv --without-pip /opt/jupyter && \
    sh /build/install.sh pip /opt/jupyter/bin/python --require-hashes --requirement /build/jupyter.txt && \
    python3 -m ipykernel install --prefix /opt/jupyter --name python3 \
      --display-name "PaddlePaddle 3.3 (Python $(python3 -c 'import sys; print(*sys.version_info[:2], sep=".")'))"
RUN --mount=type=bind,source=requirements/install.sh,target=/build/install.sh \
    --mount=type=bind,source=requirements/envkit.txt,target=/build/envkit.txt \
    --mount=type=secret,id=ca \
    --mount=type=secret,id=pip \
    --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv --without-pip /opt/envkit/venv && \
    sh /build/install.sh pip /opt/envkit/venv/bin/python --require-hashes --requirement /build/envkit.txt

# --- envkit's own ---------------------------------------------------------------------------------------------------

# Folders that volumes and the start fill. A container told its user (`--user`) has nobody to hand them over, so they
# are open like /tmp; a start as root closes them (entrypoint.sh). Without a project mounted, uid 1000 owns /workspace.
RUN install -d -m 1777 /home/paddle /run/envkit /var/lib/envkit/ssh && \
    install -d /etc/envkit/start.d /opt/envkit/lib /run/secrets && \
    install -d -o 1000 -g 1000 /workspace && \
    echo /opt/envkit/lib >"$(/opt/envkit/venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/envkit.pth" && \
    printf '#!/bin/sh\nexec /opt/envkit/venv/bin/python -I -m envkit "$@"\n' >/usr/local/bin/envkit && \
    chmod 0755 /usr/local/bin/envkit
ENV LANG=C.UTF-8 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /workspace
EXPOSE 8888 2222
# While the models are synced it says so: ten minutes of that are no failure. One success ends the period.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m --retries=3 CMD ["/opt/envkit/entrypoint.sh", "--health"]
# It puts tini above what it starts, once it has given up root's rights: tini then may signal what it watches over.
ENTRYPOINT ["/opt/envkit/entrypoint.sh"]
CMD ["jupyter"]
COPY sshd/profile.sh /etc/profile.d/envkit.sh
COPY sshd /opt/envkit/sshd
COPY jupyter/overrides.json /opt/jupyter/share/jupyter/lab/settings/overrides.json
COPY jupyter /opt/envkit/jupyter
COPY entrypoint.sh /opt/envkit/entrypoint.sh
COPY envkit /opt/envkit/lib/envkit
# A checkout may have come with a tight umask. And an ordinary user, who cannot write the compiled form beside the
# source, would compile at every start.
RUN chmod -R a+rX,go-w /opt/envkit/entrypoint.sh /opt/envkit/jupyter /opt/envkit/lib /opt/envkit/sshd /etc/profile.d/envkit.sh && \
    /opt/envkit/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/envkit/lib

# --- The targets ----------------------------------------------------------------------------------------------------

# A target that was asked for with the other VARIANT: these fail while the long layers have just begun.
FROM ${VARIANT}-base AS is-cpu
ARG VARIANT
RUN [ "${VARIANT}" = cpu ] || { echo "target cpu wants no --build-arg VARIANT=${VARIANT}" >&2; exit 1; }
FROM ${VARIANT}-base AS is-gpu
ARG VARIANT
RUN [ "${VARIANT}" = gpu ] || { echo "target gpu wants --build-arg VARIANT=gpu" >&2; exit 1; }

FROM image AS cpu
RUN --mount=type=bind,from=is-cpu,target=/mnt true
LABEL io.envkit.variant=cpu

FROM image AS gpu
RUN --mount=type=bind,from=is-gpu,target=/mnt true
LABEL io.envkit.variant=gpu

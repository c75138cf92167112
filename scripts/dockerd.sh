#!/usr/bin/env bash
# Start the engine: by its service manager, else by hand, past whatever a killed one left behind. For engine.sh.

readonly ENGINE_RUN=${ENGINE_RUN:-/var/run}
readonly ENGINE_LOG=${ENGINE_LOG:-/var/log/dockerd.log}
readonly START_SECONDS=60

# Runs a command in a mount namespace whose root is the chroot's. runc's exec enters a container by its namespaces and
# takes their root over: where that is another system's, `docker exec` and health checks would run there, on its files.
# shellcheck disable=SC2016 # the inner shells' variables
readonly -a WITH_OWN_ROOT=(
  unshare --mount --propagation slave nsenter --mount=/proc/self/ns/mnt --wd=/
  sh -ec 'mount --rbind . . && cd "$PWD"; mkdir -p run/outer-root; pivot_root . run/outer-root; exec chroot . "$@"' sh
  sh -ec 'umount -l /run/outer-root; exec "$@"' sh
)

has_systemd() { [[ -d /run/systemd/system ]]; } # sd_booted(3)

start_engine() {
  ! engine_answers || return 0
  if has_systemd; then
    say "Starting Docker (systemctl start docker)"
    systemctl start docker || unmet "docker.service did not start" "  see why: journalctl -u docker -n 30"
  elif ! is_running "$ENGINE_RUN/docker.pid" dockerd; then
    start_by_hand
  fi
  wait_for_engine
}

# No service manager (a container, a chroot, a minimal VM): a session of its own, so that it outlives this shell.
start_by_hand() {
  say "Starting dockerd by hand, since no service manager runs here (log: $ENGINE_LOG)"
  remove_stale
  delegate_cgroups
  local -a launch=()
  ! in_chroot || launch=("${WITH_OWN_ROOT[@]}")
  (cd / && setsid --fork "${launch[@]}" dockerd >>"$ENGINE_LOG" 2>&1 </dev/null)
}

# Is / not the root of the mount namespace? (Who may not enter it cannot start an engine either.)
in_chroot() {
  local namespace
  namespace=$(nsenter --mount=/proc/self/ns/mnt stat -c %d:%i / 2>/dev/null) && [[ $namespace != "$(stat -c %d:%i /)" ]]
}

# A dockerd that was killed leaves files which the next one takes for a sign of life: it refuses to start when the
# number in its pid file is some other process's by now, and waits in vain for a containerd that is gone.
remove_stale() {
  is_running "$ENGINE_RUN/docker.pid" dockerd || rm -f "$ENGINE_RUN/docker.pid"
  is_running "$ENGINE_RUN/docker/containerd/containerd.pid" containerd ||
    rm -f "$ENGINE_RUN"/docker/containerd/containerd.{pid,sock,sock.ttrpc}
  ! is_dead_socket "$ENGINE_RUN/containerd/containerd.sock" || rm -f "$ENGINE_RUN"/containerd/containerd.sock{,.ttrpc}
}

# PIDFILE NAME: does the file name a live process that runs the program NAME? (A zombie runs none.)
is_running() {
  local pid program
  pid=$(cat "$1" 2>/dev/null) && program=$(readlink "/proc/$pid/exe") || return 1
  program=${program% (deleted)} # by an upgrade
  [[ ${program##*/} == "$2" ]]
}

is_dead_socket() { [[ -S $1 ]] && ! socket_answers "$1"; }

socket_answers() { python3 -I -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$1" 2>/dev/null; }

# On cgroup v2, a group with processes in it hands no controllers down, and in a container even the topmost one is such
# a group: move what is in it to a child (the same as hack/dind in github.com/moby/moby). The real root has no type.
delegate_cgroups() {
  local top=/sys/fs/cgroup pid
  [[ -e $top/cgroup.type && -w $top/cgroup.subtree_control ]] || return 0
  mkdir -p "$top/init"
  while read -r pid; do
    echo "$pid" 2>/dev/null >"$top/init/cgroup.procs" || true # it may have ended meanwhile
  done < <(cat "$top/cgroup.procs")
  sed -e 's/ / +/g' -e 's/^/+/' "$top/cgroup.controllers" >"$top/cgroup.subtree_control"
}

wait_for_engine() {
  local began=$SECONDS said=0
  while ((SECONDS - began < START_SECONDS)); do
    ! engine_answers || return 0
    has_systemd || is_running "$ENGINE_RUN/docker.pid" dockerd || ((SECONDS - began < 5)) || break
    ((SECONDS - began < said + 15)) || { said=$((SECONDS - began)) && say "  ... waiting for the engine to answer, $said s"; }
    sleep 1
  done
  has_systemd || tail -n 15 "$ENGINE_LOG" | sed 's/^/  | /' >&2
  unmet "the Docker engine was started but does not answer" "  $(engine_log_hint)"
}

engine_log_hint() {
  if has_systemd; then echo "see why: journalctl -u docker -n 30"; else echo "see why: $ENGINE_LOG"; fi
}

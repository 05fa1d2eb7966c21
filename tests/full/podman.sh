#!/bin/bash
# SPDX-License-Identifier: MIT
# podman.sh: podman with mica in the place of fuse-overlayfs: it builds, runs, changes,
# commits and compares containers. Nothing is pulled. Prints TAP.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
MICA=$(realpath "${MICA:-$ROOT/build/test-gcc/mica}")
work=$(mktemp -d)
# shellcheck source=tests/full/lib.sh
. "$ROOT/tests/full/lib.sh"

leave() {
  podman rm -af -t 0 >/dev/null 2>&1
  findmnt -rno TARGET | grep "^$work/" | tac | xargs -r -d '\n' umount -l
  rm -rf --one-file-system "$work"
}
trap leave EXIT
cd "$work" || exit 1

mkdir bin && ln -s "$MICA" bin/mica-fuse-overlayfs
cat >storage.conf <<E
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
[storage.options.overlay]
mount_program = "$work/bin/mica-fuse-overlayfs"
E
# crun refuses the control groups of some hosts, and the limits may be smaller than it wants
cat >containers.conf <<'E'
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
E
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
run=(podman run --pull=never --network=none)

# differs TEXT: for an output that is not what was expected
differs() {
  echo "$1"
  return 1
}

build() {
  mkdir -p context/bin && cp /bin/busybox context/bin || return
  cat >context/Containerfile <<'E'
FROM scratch
COPY bin /bin
RUN ["/bin/busybox", "sh", "-c", "for n in sh ls cat rm mkdir ln mv seq; do /bin/busybox ln -s busybox /bin/$n; done"]
RUN mkdir /data && seq 1000 > /data/numbers && ln /data/numbers /data/link && rm /bin/seq && mv /data /moved
E
  podman build -q --isolation=chroot -t base context
}

changes() {
  local out
  out=$("${run[@]}" --name one localhost/base /bin/sh -c '
    ls /moved; ls /bin | /bin/busybox xargs; cat /moved/link | /bin/busybox wc -l
    echo new > /moved/new; rm /moved/link; mv /moved /again') || return
  [ "$out" = "link
numbers
busybox cat ln ls mkdir mv rm sh
1000" ] || differs "$out"
}

differences() {
  local out
  out=$(podman diff one | grep -v ' /etc$' | sort)
  [ "$out" = "A /again
A /again/new
A /again/numbers
D /moved" ] || differs "$out"
}

committed() {
  local out
  podman commit -q one changed || return
  out=$("${run[@]}" --rm --read-only localhost/changed /bin/sh -c \
    'cat /again/new; ls / /again; cat /again/numbers | /bin/busybox md5sum') || return
  [[ $out == new* && $out == *numbers* && $out != *moved* &&
    $out == *"$(seq 1000 | md5sum | cut -c1-32)"* ]] || differs "$out"
}

executed() {
  local out
  "${run[@]}" -d --name two localhost/changed /bin/busybox sleep 1000 || return
  out=$(podman exec two /bin/sh -c 'echo x >/again/y; cat /again/y; /bin/busybox mount' |
    grep -e '^x' -e ' on / ')
  [[ $out == x*fuse.fuse-overlayfs* ]] || differs "$out"
}

ended() {
  podman rm -af -t 0 || return
  ! findmnt -rno TARGET | grep "^$work/.*/merged" && ! pgrep -f "^$work/bin/mica-fuse"
}

check 'build' build
check 'run: a container sees and changes its layers' changes
check 'diff' differences
check 'commit, and a read-only container of it' committed
check 'exec' executed
check 'everything is unmounted, and no server is left' ended
echo "1..$number"
exit $failed

#!/bin/bash
# SPDX-License-Identifier: MIT
# qemu.sh: mounts images on Debian 12's own kernels, 6.1 and 6.12, in QEMU. Each
# image is mounted from a virtio disk, or as a file (6.12) or by loop (6.1) from
# memory; the listing that treelist makes there must be that of the source.
# Prints TAP, one case for each image and kernel.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
MICA=${MICA:-$ROOT/build/test-gcc/mica}
TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
KERNELS=${KERNELS:-$ROOT/build/kernels} # downloads are kept here
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0 failed=0

ok() {
  number=$((number + 1))
  echo "ok $number $1"
}

not_ok() { # not_ok NAME [TEXT]
  number=$((number + 1)) failed=1
  echo "not ok $number $1"
  head -c 4000 <<<"${2:-}" | sed 's/^/# /'
}

# --- kernels -----------------------------------------------------------------

# kernel_packages SERIES: packages with that kernel, signed, no flavour; what is here already
# first, then the newest. A mirror may list some that it no longer has.
kernel_packages() {
  find "$KERNELS" -mindepth 2 -maxdepth 2 -path "*/linux-image-$1[.-]*/done" 2>/dev/null |
    sed 's|/done$||; s|.*/||' | sort -rV
  apt-cache search --names-only "^linux-image-${1//./\\.}\.[0-9.]+[-+][0-9a-z]*-?amd64\$" |
    cut -d' ' -f1 | grep -vE 'unsigned|cloud|rt|dbg' | sort -rV | head -5
}

# kernel_unpack PACKAGE
kernel_unpack() {
  local deb dir=$KERNELS/$1
  [ ! -f "$dir/done" ] || return 0
  rm -rf "$dir"
  mkdir -p "$dir"
  (cd "$dir" && apt-get download -q "$1" >/dev/null 2>&1) || return
  deb=$(ls "$dir"/*.deb)
  dpkg-deb -x "$deb" "$dir" && rm "$deb" && depmod -b "$dir" "${1#linux-image-}" &&
    touch "$dir/done"
}

# kernel_get SERIES: sets $vmlinuz, $modules (a root for modprobe) and $release
kernel_get() {
  local package try
  for try in 1 2; do
    # the list of packages may be too old for any to be found
    [ $try = 1 ] || apt-get update -qq >/dev/null 2>&1
    for package in $(kernel_packages "$1"); do
      kernel_unpack "$package" || continue
      release=${package#linux-image-}
      modules=$KERNELS/$package
      vmlinuz=$modules/boot/vmlinuz-$release
      return 0
    done
  done
  return 1
}

# --- what the guest runs -----------------------------------------------------

guest_init() {
  cat <<'I'
#!/bin/sh
# SPDX-License-Identifier: MIT
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /modules/order); do insmod /modules/$m || echo "insmod $m failed"; done
mkdir /mnt
show() { # show NAME MOUNT-COMMAND...
  name=$1
  shift
  if "$@"; then
    echo "=== $name"
    treelist /mnt || echo "treelist failed"
    umount /mnt
  else
    echo "=== $name"
    echo "mount failed"
    dmesg | grep erofs | tail -2
  fi
}
{
  for line in $(cat /disks); do
    show "${line#*=}" mount -t erofs -o ro "/dev/${line%%=*}" /mnt
  done
  for image in /images/*; do
    [ -f "$image" ] || continue
    case $(uname -r) in
    6.1.*) show "${image##*/}" mount -t erofs -o ro,loop "$image" /mnt ;;
    *) show "${image##*/}" kmount "$image" /mnt ;;
    esac
  done
} >/list 2>&1
echo "=== end" >>/list
output=/dev/$(cat /output)
dd if=/list of=$output bs=1M 2>/dev/null
sync
echo "guest: kernel $(uname -r), $(wc -c </list) bytes of listing"
poweroff -f
I
}

# initrd OUT: busybox, tools, modules and the images of $work/images
initrd() {
  local root=$work/initrd name file
  rm -rf "$root"
  mkdir -p "$root"/{bin,proc,sys,dev,modules,images}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for name in sh mount umount insmod cat echo mkdir dd dmesg grep tail uname sync wc poweroff; do
    ln -s busybox "$root/bin/$name"
  done
  cp "$TOOLS/treelist" "$TOOLS/kmount" "$root/bin/"
  : >"$root/modules/order"
  for name in virtio_pci virtio_blk loop crc32c_generic erofs; do
    modprobe -d "$modules" -S "$release" --show-depends "$name" 2>/dev/null |
      sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' | while read -r file; do
    name=$(basename "$file" .xz)
    if [[ $file == *.xz ]]; then xz -dc "$file" >"$root/modules/$name"; else cp "$file" "$root/modules/"; fi
    echo "$name" >>"$root/modules/order"
  done
  cp "$work"/memory/* "$root/images/" 2>/dev/null
  cp "$work/disks" "$work/output" "$root/"
  guest_init >"$root/init"
  chmod +x "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$1"
}

# --- images ------------------------------------------------------------------

# build NAME ALG COMPAT SOURCE: $work/memory/NAME or $work/disk/NAME
build() {
  "$MICA" mkimage --quiet -z "$2" --compat "$3" "$1" "$4" 2>"$work/message" ||
    not_ok "build $(basename "$1")" "$(cat "$work/message")"
}

# images COMPAT...: for every algorithm that the oldest of them allows
images() {
  local compat alg seed
  rm -rf "$work"/{disk,memory}
  mkdir "$work"/{disk,memory}
  for compat; do
    # Debian's 6.1 is built without lzma
    for alg in none lz4 lzma:1 deflate zstd; do
      [[ $compat = 6.12 || $alg =~ ^(none|lz4)$ ]] || continue
      build "$work/disk/sample-$alg-$compat" $alg "$compat" "$work/sample"
      for seed in 1 2 3 4; do
        build "$work/memory/seed$seed-$alg-$compat" $alg "$compat" "$work/seed$seed"
      done
    done
  done
}

# Linux 6.12 mounts files of a ramfs, but not of a tmpfs.
# boot: runs the guest over all images; its listing is left in $work/list
boot() {
  local arguments=() letters=({a..z}) i=0 disk
  : >"$work/disks"
  for disk in "$work"/disk/*; do
    arguments+=(-drive "file=$disk,if=virtio,format=raw,readonly=on")
    echo "vd${letters[i]}=${disk##*/}" >>"$work/disks"
    i=$((i + 1))
  done
  echo "vd${letters[i]}" >"$work/output"
  truncate -s 0 "$work/list"
  truncate -s 64M "$work/list"
  arguments+=(-drive "file=$work/list,if=virtio,format=raw")
  initrd "$work/initrd.gz"
  timeout 600 qemu-system-x86_64 -machine accel=tcg -cpu max -m 1024 -smp 1 -display none \
    -no-reboot -monitor none -serial stdio -kernel "$vmlinuz" -initrd "$work/initrd.gz" \
    -append 'console=ttyS0 quiet panic=-1 loglevel=4 rootfstype=ramfs' "${arguments[@]}" </dev/null >"$work/console" 2>&1
}

# listing NAME: what the guest listed for an image
listing() {
  awk -v name="=== $1" '/^===/ { show = $0 == name; next } show' "$work/list.txt"
}

kernel_test() { # kernel_test SERIES COMPAT...
  local series=$1 image name source
  shift
  if ! kernel_get "$series"; then
    number=$((number + 1))
    echo "ok $number Linux $series # skip no package with this kernel can be downloaded"
    return
  fi
  images "$@"
  boot
  tr -d '\0' <"$work/list" >"$work/list.txt"
  if ! grep -q '^=== end' "$work/list.txt"; then
    not_ok "$release ran to its end" "$(tail -30 "$work/console")"
    return
  fi
  for image in "$work"/{disk,memory}/*; do
    name=${image##*/}
    source=$work/${name%%-*}.list
    if diff <(listing "$name") "$source" >"$work/differences"; then
      ok "$release: $name"
    else
      not_ok "$release: $name" "$(cut -c1-200 "$work/differences" | head -20)"
    fi
  done
}

# --- the run -----------------------------------------------------------------

. "$ROOT/tests/bats/trees.bash"
sample_tree "$work/sample"
sample_more "$work/sample"
for seed in 1 2 3 4; do
  mkdir "$work/seed$seed"
  "$TOOLS/randtree" --max-file 500000 $seed "$work/seed$seed"
done
for tree in sample seed1 seed2 seed3 seed4; do
  "$TOOLS/treelist" "$work/$tree" >"$work/$tree.list"
done
kernel_test 6.1 5.15 6.1
kernel_test 6.12 6.1 6.12
echo "1..$number"
exit $failed

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Trees that tests build images from.

# text BYTES [SEED]: that many bytes of compressible text, always the same
text() {
  yes "the layers of mica split into thin, clear sheets; sheet ${2:-0}" | awk '{print NR, $0}' |
    head -c "$1"
}

# noise BYTES [SEED]: that many bytes that do not compress, always the same
noise() {
  head -c "$1" /dev/zero |
    openssl enc -aes-128-ctr -nosalt -pass "pass:mica${2:-}" -iter 1 2>/dev/null
}

# sample_tree DIR: every type of file and attribute that a tar can hold, contents
# of every layout
sample_tree() {
  local dir=$1 i
  mkdir -p "$dir"/{empty,wide,deep/{a/b/c/d/e,x},meta}
  text 3000000 >"$dir/text"
  noise 700001 >"$dir/noise"
  { noise 100000 1; text 400000 1; head -c 300000 /dev/zero; noise 5000 2; } >"$dir/mixed"
  head -c 1000000 /dev/zero >"$dir/zeros"
  : >"$dir/nothing"
  for i in 1 31 32 33 4031 4032 4033 4063 4064 4065 4095 4096 4097 8192 65535 65536 65537 \
    262143 262144 262145 524288; do
    text "$i" "$i" >"$dir/text.$i"
    noise "$i" "$i" >"$dir/noise.$i"
  done
  truncate -s 5M "$dir/sparse"
  text 5000 | dd of="$dir/sparse" bs=1 seek=2000000 conv=notrunc status=none
  cp "$dir/mixed" "$dir/deep/x/duplicate"
  { printf shifted; cat "$dir/mixed"; } >"$dir/deep/x/shifted"
  (cd "$dir/wide" && seq -f 'entry-%05g' 1500 | xargs touch)
  touch "$dir/wide/"{'!',+,-,.a,...,' ',~} "$dir/wide/$(printf 'n%.0s' $(seq 255))"
  touch "$dir/wide/"$'\xff\x01\n\t\\' "$dir/wide/--help"
  ln -s ../text "$dir/deep/link"
  ln -s "$(printf 't%.0s' $(seq 4095))" "$dir/deep/longlink"
  ln "$dir/text.4097" "$dir/deep/a/hard"
  ln "$dir/text.4097" "$dir/wide/hard"
  mkfifo "$dir/meta/fifo"
  mknod "$dir/meta/null" c 1 3
  mknod "$dir/meta/wide-device" b 4095 1048575
  sample_attributes "$dir/meta"
  find "$dir" -depth -exec touch -hd '2024-05-06 07:08:09' {} +
  touch -d '@1.000000001' "$dir/nothing"
  touch -d '@-1.5' "$dir/text.1"
  touch -d '2200-01-01 00:00:00.123456789' "$dir/zeros" "$dir/deep"
}

# sample_more DIR: adds what a tar cannot hold: sockets
sample_more() {
  mkdir "$1/more"
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1/more/socket"
  ln "$1/more/socket" "$1/more/socket2"
}

# sample_attributes DIR: modes, owners, xattrs, ACLs, capabilities
sample_attributes() {
  local i
  for i in 4755 2755 1777 0000 7777 0640; do
    touch "$1/mode.$i"
    chmod "$i" "$1/mode.$i"
  done
  touch "$1"/{owned,xattr,acl,capability,many} "$1"/label.{1..6}
  mkdir "$1/dir"
  chown 65536:4294967294 "$1/owned"
  setfattr -n user.one -v 1 "$1/xattr"
  setfattr -n user.empty "$1/xattr"
  setfattr -n trusted.two -v 0x0001fe00 "$1/xattr"
  setfattr -n security.mica -v label "$1/xattr"
  setfattr -n user.long -v "0x$(noise 1500 | od -An -v -tx1 | tr -d ' \n')" "$1/many"
  for i in {1..20}; do
    setfattr -n "user.number.$i" -v "$i" "$1/many"
  done
  for i in {1..6}; do
    setfattr -n security.mica.label -v system_u:object_r:usr_t:s0 "$1/label.$i"
  done
  setfacl -m u:1000:rx,g:70000:rwx,u:3:- "$1/acl"
  setfacl -m u:1000:rx -d -m g:5:w "$1/dir"
  setcap cap_net_raw,cap_sys_admin=ep "$1/capability"
}

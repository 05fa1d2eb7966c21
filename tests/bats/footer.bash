# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The footer of an image behind something else, made without mica.

# add_footer FILE IMAGE-OFFSET IMAGE-LENGTH DEVICE-BYTES
add_footer() {
  python3 - "$@" <<'P'
import struct, sys

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc

file, image, length, device = sys.argv[1], *map(int, sys.argv[2:])
def footer(checksum):
    return struct.pack("<8sIIQQQ24x", b"micafoot", 1, checksum, image, length, device)
with open(file, "ab") as f:
    f.write(footer(crc32c(footer(0))))
P
}

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stream.py MEGABYTES SAMPLE FACTS: writes a tar of that size to standard output, and
how many entries and bytes of names it has to the file FACTS. The contents look like
those of SAMPLE's first bytes, but no 4 KiB of it come twice. Always the same bytes."""
import json
import random
import struct
import sys
import tarfile

POOL = 32 << 20
STAMP = 4096  # one unique number in each of these


def main():
    size, sample, facts = int(sys.argv[1]) * 1000000, sys.argv[2], sys.argv[3]
    rng = random.Random(20240101)
    with open(sample, "rb") as file:
        pool = file.read(POOL)
    out = sys.stdout.buffer
    written = entries = names = stamp = 0
    while written < size:
        kind = rng.choice(("c", "so", "py", "txt"))
        name = f"d{entries // 1000:05}/file-{entries % 1000:03}.{kind}"
        length = min(int(rng.lognormvariate(10, 2)), len(pool) // 2)
        start = rng.randrange(len(pool) - length)
        data = bytearray(pool[start:start + length])
        for at in range(0, length - 8, STAMP):
            struct.pack_into("<Q", data, at, stamp * 0x9e3779b97f4a7c15 & (1 << 64) - 1)
            stamp += 1
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = length, 0o644, 1700000000
        for part in (info.tobuf(tarfile.USTAR_FORMAT), data, bytes(-length % 512)):
            out.write(part)
            written += len(part)
        entries += 1
        names += len(name) - 7
    out.write(bytes(10240))
    with open(facts, "w", encoding="ascii") as file:
        json.dump({"bytes": written, "entries": entries + entries // 1000 + 1,
                   "name_bytes": names}, file)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""overlay_data.py DIR: what programs do with a file's data beside reading and writing it.

DIR has "holes" (a hole of 1 MiB and 64 KiB of data, twice) and "plain" (100,000 bytes without a
hole), and takes changes. Prints what each step came to, for two trees to be compared."""

import ctypes
import errno
import os
import sys

MIB = 1 << 20
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]


def outcome(what, value):
    print(what, value)


def tried(what, call):
    """Its result or error."""
    try:
        outcome(what, call())
    except OSError as e:
        outcome(what, errno.errorcode[e.errno])


def extents(fd):
    """The data in a file: [begin, end) of each run, as far as holes are told."""
    found, at, size = [], 0, os.fstat(fd).st_size
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            assert e.errno == errno.ENXIO
            break
        end = os.lseek(fd, at, os.SEEK_HOLE)
        found.append((at, end))
        at = end
    return found


def seek(path):
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    outcome(path, extents(fd))
    for at in (0, size // 2, size - 1, size, size + 1):
        for whence in (os.SEEK_DATA, os.SEEK_HOLE):
            tried(f"{path} seek {at} {whence}", lambda: os.lseek(fd, at, whence))
    os.close(fd)


def fallocate(fd, mode, off, length):
    if libc.fallocate(fd, mode, off, length) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return os.fstat(fd).st_size


def content(path):
    data = open(path, "rb").read()
    return len(data), sum((i + 1) * b for i, b in enumerate(data)) % 1000003


def allocate(path):
    fd = os.open(path, os.O_RDWR)
    size = os.fstat(fd).st_size
    page = 4096
    tried("keep size", lambda: fallocate(fd, KEEP_SIZE, size, MIB))
    tried("punch", lambda: fallocate(fd, KEEP_SIZE | PUNCH_HOLE, size - 8 * page, 4 * page))
    outcome("punched", [run for run in extents(fd)
                        if run[0] < size - 4 * page and run[1] > size - 8 * page])
    tried("zero", lambda: fallocate(fd, ZERO_RANGE, size - 1010, 1000))
    tried("grow", lambda: fallocate(fd, 0, size, 5000))
    tried("nothing", lambda: fallocate(fd, 0, 0, 0))
    tried("unknown", lambda: fallocate(fd, 0x4000, 0, 1))
    os.close(fd)
    outcome("allocated", content(path))


def copy(source, target):
    into = os.open(target, os.O_RDWR | os.O_CREAT, 0o644)
    out = os.open(source, os.O_RDONLY)
    size = os.fstat(out).st_size
    done = 0
    while done < size:
        n = os.copy_file_range(out, into, size - done)
        assert n > 0
        done += n
    tried("in the middle", lambda: os.copy_file_range(out, into, 5000, 123, 77777))
    tried("behind the end", lambda: os.copy_file_range(out, into, 5000, size, 0))
    tried("from what is not for reading",
          lambda: os.copy_file_range(os.open(source, os.O_WRONLY), into, 1, 0, 0))
    os.close(out)
    os.close(into)
    outcome(f"copied {source}", content(target))


def main():
    os.chdir(sys.argv[1])
    for path in ("holes", "plain"):
        seek(path)
    copy("holes", "copy of holes")
    copy("plain", "copy of plain")
    # into a file that is below, and within one
    copy("plain", "target")
    fd = os.open("plain", os.O_RDWR)
    tried("within", lambda: os.copy_file_range(fd, fd, 3000, 0, 50000))
    tried("onto itself", lambda: os.copy_file_range(fd, fd, 3000, 0, 1000))
    os.close(fd)
    outcome("plain", content("plain"))
    allocate("holes")
    allocate("copy of plain")


main()

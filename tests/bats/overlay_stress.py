#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""overlay_stress.py DIR SECONDS: eight processes change one tree at the same time.

Whatever they meet there is an answer, but only some errors are ones that can be had."""

import errno
import multiprocessing
import os
import random
import sys
import time

DIRS = ["d0", "d1", "d2", "d0/s", "d1/s", "dir", "dir/sub"]
EXPECTED = {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL}


def change(rng, root):
    directory = os.path.join(root, rng.choice(DIRS))
    file = os.path.join(directory, f"f{rng.randrange(12)}")
    other = os.path.join(root, rng.choice(DIRS), f"f{rng.randrange(12)}")
    kind = rng.randrange(12)
    if kind == 0:
        os.makedirs(directory, exist_ok=True)
    elif kind == 1:
        with open(file, "a", encoding="ascii") as f:
            f.write("x" * rng.randrange(9000))
    elif kind == 2:
        with open(file, "rb") as f:
            f.read()
    elif kind == 3:
        os.rename(file, other)
    elif kind == 4:
        os.unlink(file)
    elif kind == 5:
        os.listdir(directory)
    elif kind == 6:
        os.chmod(file, rng.choice([0o600, 0o644]))
    elif kind == 7:
        os.link(file, other)
    elif kind == 8:
        os.stat(file)
    elif kind == 9:
        os.rename(directory, os.path.join(root, f"d{rng.randrange(4)}"))
    elif kind == 10:
        os.setxattr(file, "user.a", b"1")
    else:
        with open(file, "r+b") as f:
            f.truncate(rng.randrange(100))
            os.fsync(f.fileno())


def work(seed):
    rng, root, end = random.Random(seed), sys.argv[1], time.time() + float(sys.argv[2])
    done = 0
    while time.time() < end:
        try:
            change(rng, root)
            done += 1
        except OSError as e:
            if e.errno not in EXPECTED:
                raise
    return done


if __name__ == "__main__":
    with multiprocessing.Pool(8) as pool:
        print(sum(pool.map(work, range(8))))

# SPDX-License-Identifier: MIT
"""Reading a mounted image from end to end: all names, all bytes, and again; and how
soon after the mount there is a first piece of a file."""
import os
import time

import mounts
from building import image_path
from programs import measure
from rows import READS

CAT = 'find "$1" -type f -print0 | xargs -0 cat >/dev/null'

CAT_BY_TWO = CAT.replace("xargs -0", "xargs -0 -n400 -P2")
WALK = ("-newermt", "2100-01-01")   # needs the inodes, and matches none


def first_piece(programs, read, image, work, path):
    """Seconds from before the mount to the first block of a file, the image cached."""
    start = time.monotonic()
    with mounts.mounted(programs, read.how, image, work) as directory:
        with open(os.path.join(directory, path), "rb") as file:
            file.read(mounts.BLOCK)
        return time.monotonic() - start


def first_file(directory):
    for root, dirs, names in os.walk(directory):
        dirs.sort()
        for name in sorted(names):
            path = os.path.join(root, name)
            if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path):
                return os.path.relpath(path, directory)
    return None


def read_one(results, programs, read, corpus, work):
    image = image_path(work, read.image)
    entry = results.row("reads", corpus=corpus.name, name=read.name)
    mounts.drop_caches()
    with mounts.mounted(programs, read.how, image, work) as directory:
        cat = ["sh", "-c", CAT, "-", directory]
        found = {"walk": measure(work, ["find", directory, *WALK])[0],
                 "walk_again": measure(work, ["find", directory, *WALK])[0]}
        mounts.drop_caches()
        found["cold"] = measure(work, cat)[0]
        found["again"] = measure(work, cat)[0]
        mounts.drop_caches()
        found["two"] = measure(work, ["sh", "-c", CAT_BY_TWO, "-", directory])[0]
        path = first_file(directory)
    if path:
        found["first"] = first_piece(programs, read, image, work, path)
    for name, wall in found.items():
        entry.setdefault(name, []).append(wall)


def read_all(results, programs, corpus, runs, work, log):
    for number in range(runs):
        log(f"{corpus.name}: reading, round {number + 1} of {runs}")
        for read in READS:
            if not os.path.exists(image_path(work, read.image)):
                continue
            try:
                read_one(results, programs, read, corpus, work)
            except mounts.NotMounted as error:
                results.note(f"{corpus.name}, {read.name}: {error}")

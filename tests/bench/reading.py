# SPDX-License-Identifier: MIT
"""Reading a mounted image from end to end: all names, all bytes, and again."""
import os

import mounts
from building import image_path
from programs import measure
from rows import READS

CAT = 'find "$1" -type f -print0 | xargs -0 cat >/dev/null'


def read_one(results, programs, read, corpus, work):
    image = image_path(work, read.image)
    entry = results.row("reads", corpus=corpus.name, name=read.name)
    mounts.drop_caches()
    with mounts.mounted(programs, read.how, image, work) as directory:
        cat = ["sh", "-c", CAT, "-", directory]
        walk = measure(work, ["find", directory, "-newermt", "2100-01-01"])
        mounts.drop_caches()
        cold = measure(work, cat)
        again = measure(work, cat)
    for name, (wall, _, _) in (("walk", walk), ("cold", cold), ("again", again)):
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

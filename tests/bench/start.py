# SPDX-License-Identifier: MIT
"""A start: some files of many are read, always the same ones, right after the mount and with
nothing cached. What it is worth to lay them out in that order and to decode them ahead."""
import os
import random
import stat
import subprocess
import time
from dataclasses import dataclass

import mounts
from programs import MICA

FILES = 300
PIECE = 1 << 20     # of a large file no more is read
SEED = 20240102
READ = f'xargs -0 head -qc {PIECE} <"$1" >/dev/null'


@dataclass
class Start:
    name: str
    ordered: bool       # the image
    how: str            # as for mounts.mounted()
    prefetch: bool = False


STARTS = [
    Start("mica", False, "mica"),
    Start("mica, prefetch", False, "mica", True),
    Start("mica, order", True, "mica"),
    Start("mica, order and prefetch", True, "mica", True),
    Start("the kernel", False, "kernel"),
    Start("the kernel, order", True, "kernel"),
]


def chosen(directory):
    files = []
    for root, dirs, names in os.walk(directory):
        dirs.sort()
        for name in sorted(names):
            path = os.path.join(root, name)
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_size:
                files.append(os.path.relpath(path, directory))
    return random.Random(SEED).sample(files, min(FILES, len(files)))


def read(directory, files, work):
    names = f"{work}/start.names"
    with open(names, "wb") as file:
        file.write(b"".join(os.fsencode(os.path.join(directory, name)) + b"\0" for name in files))
    subprocess.run(["sh", "-c", READ, "-", names], check=True)


def trace(programs, image, files, work):
    """Recorded, and whole: the server is gone."""
    path = f"{work}/start.trace"
    if os.path.exists(path):
        os.unlink(path)
    with mounts.mounted(programs, "mica", image, work, "--trace", path) as directory:
        said = subprocess.run([MICA, "status", "--json", directory], stdout=subprocess.PIPE,
                              check=True).stdout
        server = int(said.split(b'"pid":')[1].split(b",")[0])
        read(directory, files, work)
    while os.path.exists(f"/proc/{server}"):
        time.sleep(0.01)
    return path


def once(programs, start, image, path, files, work):
    """Seconds from before the mount until all is read."""
    options = ["--prefetch", path] if start.prefetch else []
    mounts.drop_caches()
    began = time.monotonic()
    with mounts.mounted(programs, start.how, image, work, *options) as directory:
        read(directory, files, work)
        return time.monotonic() - began


def start_all(results, programs, corpus, runs, work, log):
    plain, ordered = f"{work}/start.plain", f"{work}/start.ordered"
    files = chosen(corpus.directory)
    mounts.run(MICA, "mkimage", "--quiet", plain, corpus.tar)
    path = trace(programs, plain, files, work)
    mounts.run(MICA, "mkimage", "--quiet", "--order", path, ordered, corpus.tar)
    results["start"] = {"corpus": corpus.name, "files": len(files),
                        "plain": os.path.getsize(plain), "ordered": os.path.getsize(ordered)}
    for number in range(runs):
        log(f"{corpus.name}: starting, round {number + 1} of {runs}")
        for start in STARTS:
            try:
                wall = once(programs, start, ordered if start.ordered else plain, path, files, work)
            except mounts.NotMounted as error:
                results.note(f"start, {start.name}: {error}")
                continue
            results.row("starts", name=start.name).setdefault("wall", []).append(wall)
    for image in (plain, ordered):
        os.unlink(image)

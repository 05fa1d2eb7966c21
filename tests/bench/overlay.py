# SPDX-License-Identifier: MIT
"""Stacks with an upper directory: reading through them, unpacking into them, removing what
lies below. The upper directories are on a tmpfs, so that no disk is measured."""
import os
import random
import shutil
import subprocess
import tarfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import mounts
from corpora import EPOCH
from programs import Failed, MICA, measure
from reading import CAT, WALK
from rows import DEFAULT, NEWER

FILES = 20000   # to unpack: as many, but no more than the corpus has
LARGEST = 8000  # bytes of one


@dataclass
class Stack:
    name: str
    program: str    # mica, kernel, or the name of a program that takes fuse-overlayfs' options
    below: str      # directory, or how the image is mounted (mounts.mounted())


OVER_DIRECTORY = "fuse-overlayfs over a directory"
OVER_EROFSFUSE = "fuse-overlayfs over erofsfuse"
BY_KERNEL = "overlayfs over EROFS, both the kernel's"
STACKS = [
    Stack("mica", "mica", "image"),
    Stack("mica over a directory", "mica", "directory"),
    Stack(OVER_DIRECTORY, "fuse-overlayfs", "directory"),
    Stack(NEWER + OVER_DIRECTORY, NEWER + "fuse-overlayfs", "directory"),
    Stack(OVER_EROFSFUSE, "fuse-overlayfs", NEWER + "erofsfuse"),
    Stack(NEWER + OVER_EROFSFUSE, NEWER + "fuse-overlayfs", NEWER + "erofsfuse"),
    Stack("overlayfs of the kernel over a directory", "kernel", "directory"),
    Stack(BY_KERNEL, "kernel", "kernel"),
]


def small_files(path, count):
    """A tar of them, the same each time."""
    rng = random.Random(count)
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            info = tarfile.TarInfo(f"small/{number // 100:03}/file{number % 100:02}")
            info.size, info.mtime = rng.randrange(1, LARGEST), EPOCH
            with open("/dev/zero", "rb") as data:
                tar.addfile(info, data)


@contextmanager
def tmpfs(directory):
    os.makedirs(directory)
    mounts.run("mount", "-t", "tmpfs", "tmpfs", directory)
    try:
        yield directory
    finally:
        # the server of the stack may need a moment to go
        mounts.run("umount", "-l", directory)
        os.rmdir(directory)


@contextmanager
def stacked(programs, stack, corpus, image, work):
    """Yields the mountpoint."""
    with ExitStack() as stay:
        changes = stay.enter_context(tmpfs(f"{work}/changes"))
        upper, inner, directory = (f"{changes}/{name}" for name in ("upper", "work", "mnt"))
        for path in (upper, inner, directory):
            os.mkdir(path)
        below = {"directory": corpus.directory, "image": image}.get(stack.below)
        if not below:
            below = stay.enter_context(mounts.mounted(programs, stack.below, image, work))
        words = f"lowerdir={below},upperdir={upper},workdir={inner}"
        if stack.program == "mica":
            mounts.run(MICA, "mount", "--quiet", below, directory, "--upper", upper, "--work",
                       inner)
        elif stack.program == "kernel":
            mounts.run("mount", "-t", "overlay", "overlay", directory, "-o", words)
        else:
            mounts.run(programs.find(stack.program), "-o", words, directory)
        try:
            yield directory
        finally:
            try:
                mounts.run("umount", directory)
            except mounts.NotMounted:
                mounts.run("umount", "-l", directory)


def server_peak(directory):
    """Bytes; None: no process serves it."""
    found = subprocess.run(["pgrep", "-n", "-f", directory], stdout=subprocess.PIPE, check=False)
    if found.returncode:
        return None
    with open(f"/proc/{int(found.stdout)}/status", encoding="ascii", errors="replace") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM")),
                    None)


def entries(directory):
    return sum(len(dirs) + len(names) for _, dirs, names in os.walk(directory))


def largest(directory):
    """The name of the top directory with most below it, and how much that is."""
    names = [entry.name for entry in os.scandir(directory)
             if entry.is_dir(follow_symlinks=False)]
    return max(((entries(os.path.join(directory, name)), name) for name in names),
               default=(0, None))


def stack_one(stack_of, small, removed, entry, work):
    """stack_of: makes the stack"""
    found = {}
    mounts.drop_caches()
    with stack_of() as directory:
        walk = ["find", directory, *WALK]
        found["walk"] = measure(work, walk)[0]
        found["walk_again"] = measure(work, walk)[0]
        mounts.drop_caches()
        cat = ["sh", "-c", CAT, "-", directory]
        found["cold"] = measure(work, cat)[0]
        found["again"] = measure(work, cat)[0]
        found["unpack"] = measure(work, ["tar", "-xf", small, "-C", directory])[0]
        if removed:
            found["remove"] = measure(work, ["rm", "-rf", os.path.join(directory, removed)])[0]
        found["server"] = server_peak(directory)
    for name, value in found.items():
        if value is not None:
            entry.setdefault(name, []).append(value)


def overlay_all(results, programs, corpus, runs, work, log):
    image, small = f"{work}/below.img", f"{work}/small.tar"
    measure(work, [MICA, "mkimage", "--quiet", *"-z zstd:3 --compat 6.12".split(), image,
                   corpus.tar])
    count, removed = largest(corpus.directory)
    files = min(FILES, entries(corpus.directory))
    small_files(small, files)
    results["overlay"].append({"corpus": corpus.name, "image": DEFAULT, "files": files,
                               "removed": count})
    there = [stack for stack in STACKS
             if stack.program == "kernel" or programs.find(stack.program)]
    for number in range(runs):
        log(f"{corpus.name}: stacks, round {number + 1} of {runs}")
        for stack in there:
            entry = results.row("stacks", corpus=corpus.name, name=stack.name)
            try:
                stack_one(lambda stack=stack: stacked(programs, stack, corpus, image, work), small,
                          removed, entry, work)
            except (mounts.NotMounted, Failed) as error:
                results.note(f"{corpus.name}, {stack.name}: {error}")
    os.unlink(image)
    os.unlink(small)
    shutil.rmtree(f"{work}/changes", ignore_errors=True)

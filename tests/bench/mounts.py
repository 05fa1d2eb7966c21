# SPDX-License-Identifier: MIT
"""Mounting an image, and small reads at random places of what is mounted."""
import json
import os
import random
import resource
import stat
import statistics
import subprocess
import time
from contextlib import contextmanager

from programs import MICA, TOOLS

BLOCK = 4096
PLACES = 1500   # for each image and round
SEED = 20240101


class NotMounted(Exception):
    """Why this image cannot be mounted here."""


def drop_caches(what=3):
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write(str(what))


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip().splitlines()
        raise NotMounted(said[-1] if said else f"{command[0]} failed")


def by_loop(kind, image, directory):
    run("mount", "-t", kind, "-o", "ro,loop", image, directory)


def by_kernel(image, directory):
    """As a file if this kernel can, as mica's users do, else through a loop device."""
    try:
        run(f"{TOOLS}/kmount", image, directory)
    except NotMounted:
        by_loop("erofs", image, directory)


@contextmanager
def mounted(programs, how, image, work, *options):
    """how: mica, which takes options, kernel, loop:TYPE, or the name of a FUSE program."""
    directory = f"{work}/mnt"
    os.makedirs(directory, exist_ok=True)
    if how == "mica":
        run(MICA, "mount", *options, image, directory)
    elif how == "kernel":
        by_kernel(image, directory)
    elif how.startswith("loop:"):
        by_loop(how[len("loop:"):], image, directory)
    else:
        program = programs.find(how)
        if not program:
            raise NotMounted(f"no {how} here")
        run(program, image, directory)
    try:
        yield directory
    finally:
        try:
            run("umount", directory)
        except NotMounted:  # busy: nothing may be left below the work directory
            run("umount", "-l", directory)


def places(directory):
    """The same ones for each image of a corpus: every block of every file is as likely."""
    files = []
    for root, dirs, names in os.walk(directory):
        dirs.sort()
        for name in sorted(names):
            found = os.lstat(os.path.join(root, name))
            if stat.S_ISREG(found.st_mode) and found.st_size:
                files.append((os.path.join(root, name), -(-found.st_size // BLOCK)))
    rng = random.Random(SEED)
    chosen = rng.choices(files, weights=[blocks for _, blocks in files], k=min(PLACES, len(files)))
    return [(path, rng.randrange(blocks) * BLOCK) for path, blocks in chosen]


def read_places(found, warm=None):
    """Microseconds for each: (mean, median, mean CPU time of the reader). The files are
    open already, nothing is cached but their inodes, and with warm the image's bytes, so
    that what is left is decoding, which the kernel does for the reader and in its name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, PLACES + 100), hard))
    files = []
    try:
        for path, offset in found:
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
            files.append((fd, offset))
        drop_caches()
        if warm:
            with open(warm, "rb") as image:
                while image.read(1 << 20):
                    pass
        times = []
        cpu = time.thread_time()
        for fd, offset in files:
            start = time.monotonic()
            os.pread(fd, BLOCK, offset)
            times.append((time.monotonic() - start) * 1e6)
        cpu = (time.thread_time() - cpu) / len(files) * 1e6
        return statistics.mean(times), statistics.median(times), cpu
    finally:
        for fd, _ in files:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def decoded(image):
    """What `mica dump` says about the clusters of an EROFS image, {} if it cannot read it."""
    done = subprocess.run([MICA, "dump", "--json", image], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode:
        return {}
    found = json.loads(done.stdout).get("statistics", {})
    return {name: found[name] for name in ("clusters", "cluster_mean", "read_mean")
            if name in found}

# SPDX-License-Identifier: MIT
"""What a second, nearly identical root costs: Debian 12 and the same with all security
fixes since, as two layers of one image, side by side.

What really changed: of the second root's files those whose contents no file of the
first has; of these, cut at content-defined points into pieces of 4 KiB in the mean,
the pieces that no replaced file of the first root has; all of them as one `zstd -3`
stream. A root that is there twice shows what names and inodes add."""
import hashlib
import os
import random
import shutil
import subprocess

from corpora import TAR
from programs import Failed, measure
from rows import DEFAULT, EROFS_PACKED, NEWEST, SQUASHFS, builds

PIECE_MIN, PIECE_MAX = 1 << 10, 1 << 16
GEAR = [random.Random(byte).getrandbits(32) for byte in range(256)]


def pieces(data):
    start = value = 0
    for at, byte in enumerate(data):
        value = ((value << 1) + GEAR[byte]) & 0xffffffff
        size = at + 1 - start
        if size >= PIECE_MIN and (not value >> 20 or size >= PIECE_MAX):
            yield data[start:at + 1]
            start = at + 1
    if start < len(data):
        yield data[start:]


def digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def contents(directory):
    """{digest: path} of the regular files"""
    found = {}
    for root, dirs, names in os.walk(directory):
        dirs.sort()
        for name in sorted(names):
            path = os.path.join(root, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    found.setdefault(digest(file.read()), path)
    return found


def zstd_size(chunks):
    with subprocess.Popen(["zstd", "-q", "-3", "-c"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        # the changes of two roots fit into memory, the pipe does not hold them
        return len(process.communicate(b"".join(chunks))[0])


def changed(old, new):
    """(files, their bytes, bytes that changed, these compressed)"""
    before, after = contents(old), contents(new)
    known = set()
    for key, path in before.items():
        if key not in after:
            with open(path, "rb") as file:
                known.update(map(digest, pieces(file.read())))
    fresh = []
    files = size = 0
    for key, path in sorted(after.items(), key=lambda item: item[1]):
        if key in before:
            continue
        with open(path, "rb") as file:
            data = file.read()
        files += 1
        size += len(data)
        for piece in pieces(data):
            if digest(piece) not in known:
                known.add(digest(piece))
                fresh.append(piece)
    return {"files": files, "file_bytes": size, "bytes": sum(map(len, fresh)),
            "compressed": zstd_size(fresh)}


class Stack:
    """Roots side by side: each as a tar of its own, and all in one."""

    def __init__(self, work, roots):
        self.layers = []
        self.tar = f"{work}/stack.tar"
        for number, directory in enumerate(roots):
            layer = f"{work}/layer{number}.tar"
            prefix = f"--transform=flags=rh;s,^\\.,root{number},"
            subprocess.run([*TAR, prefix, "-C", directory, "-cf", layer, "."], check=True,
                           stderr=subprocess.DEVNULL)
            self.layers.append(layer)
        shutil.copyfile(self.layers[0], self.tar)
        for layer in self.layers[1:]:
            subprocess.run(["tar", "-Af", self.tar, layer], check=True)

    def size(self, row, programs, work):
        image = f"{work}/stack.img"
        if os.path.exists(image):
            os.unlink(image)
        words = {"%O": [image], "%T": self.layers if row.program == "mica" else [self.tar]}
        command = [programs.find(row.program)]
        for word in row.arguments.split():
            command += words.get(word, [word])
        with open(self.tar if row.stdin else os.devnull, "rb") as stdin:
            measure(work, command, stdin)
        return os.path.getsize(image)

    def remove(self):
        for tar in (*self.layers, self.tar):
            os.unlink(tar)


def with_base(programs, old, new, work):
    """The second root against the first one's finished image."""
    base, image = f"{work}/base.img", f"{work}/stack.img"
    mica = programs.find("mica")
    for path in (base, image):
        if os.path.exists(path):
            os.unlink(path)
    measure(work, [mica, "mkimage", "--quiet", base, old.tar])
    measure(work, [mica, "mkimage", "--quiet", "--base", base, image, new.tar])
    return os.path.getsize(image)


def wanted(programs, quick):
    names = [DEFAULT, "mica zstd:3, 6.15", NEWEST, SQUASHFS, "newer " + SQUASHFS]
    if not quick:
        names += [EROFS_PACKED]
    return [row for row in builds(programs, quick)
            if row.name in names and "root" in row.corpora]


def layers_all(results, programs, old, new, quick, work, log):
    log("layers: what changed between two roots")
    found = {"changed": changed(old.directory, new.directory), "rows": []}
    results["layers"] = found
    sizes = {}
    for name, roots in (("one", [old]), ("same", [old, old]), ("upgrade", [old, new])):
        log(f"layers: {name}")
        stack = Stack(work, [root.directory for root in roots])
        for row in wanted(programs, quick):
            try:
                sizes.setdefault(row.name, {})[name] = stack.size(row, programs, work)
            except Failed as error:
                results.note(f"layers, {row.name}: {error}")
        stack.remove()
    for name, size in sizes.items():
        if len(size) == 3:
            found["rows"].append({"name": name, "one": size["one"],
                                  "same": size["same"] - size["one"],
                                  "upgrade": size["upgrade"] - size["one"]})
    if programs.knows(("--base",)):
        try:
            found["rows"].append({"name": "mica mkimage --base", "one": 0, "same": 0,
                                  "upgrade": with_base(programs, old, new, work)})
        except Failed as error:
            results.note(f"layers, --base: {error}")

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""corpus.py files DIR MEGABYTES: NUL-separated paths of DIR, of whose regular
files it takes as many as hold about that much.
corpus.py modules: on standard output a tar like one of a node_modules tree:
77,000 small files in packages, one directory of 43,000 entries. Always the same
bytes."""
import io
import os
import random
import stat
import sys
import tarfile
import zlib


def files(top, megabytes):
    """Every file has the same chance, so that the mix is that of the whole tree."""
    found = []
    for root, dirs, names in os.walk(top):
        dirs.sort()
        found.append((root, 0))
        links = [d for d in dirs if os.path.islink(os.path.join(root, d))]
        for path in (os.path.join(root, name) for name in sorted(names + links)):
            st = os.lstat(path)
            found.append((path, st.st_size if stat.S_ISREG(st.st_mode) else 0))
    chosen = set()
    left = megabytes * 1000000
    for path, size in sorted(found, key=lambda f: (f[1] > 0, zlib.crc32(os.fsencode(f[0])))):
        if left <= 0:
            break
        chosen.add(path)
        left -= size
    return [path for path, _ in found if path in chosen]


WORDS = """const let var function return export default import from require module exports
this self prototype undefined null true false if else for while switch case break continue new
typeof instanceof throw try catch finally async await yield class extends super static get set
options callback error value index length result context node parent child children props state
""".split()


def source_text(rng, size):
    """Text with the look of minified and plain JavaScript."""
    out = []
    have = 0
    names = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(1, 12)))
             for _ in range(60)]
    while have < size:
        line = "  " * rng.randint(0, 4) + " ".join(
            rng.choice(WORDS) if rng.random() < 0.5 else rng.choice(names)
            for _ in range(rng.randint(1, 9))) + rng.choice([";", " {", "(", ");", "}", " =>"]) + "\n"
        out.append(line)
        have += len(line)
    return "".join(out).encode()[:size]


def modules():
    rng = random.Random(20240101)
    pool = source_text(rng, 4 << 20)
    tar = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.GNU_FORMAT)

    def add(name, size):
        start = rng.randrange(len(pool) - 70000)
        size = min(size, 65536)
        data = (b"// %s\n" % name.encode() + pool[start:start + size])[:size]
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o644, 1700000000
        tar.addfile(info, io.BytesIO(data))

    def directory(name):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 1700000000
        tar.addfile(info)

    for package in range(900):
        base = f"node_modules/package-{package:03}"
        for sub in ("", "/lib", "/dist", "/test"):
            directory(base + sub)
        for i in range(37):
            sub = rng.choice(["", "/lib", "/dist", "/test"])
            extension = rng.choice([".js", ".js", ".d.ts", ".js.map", ".json", ".md"])
            add(f"{base}{sub}/{rng.choice(WORDS)}-{i}{extension}", int(rng.lognormvariate(8.0, 1.3)))
    directory("node_modules/icons")
    for i in range(43000):
        add(f"node_modules/icons/{rng.choice(WORDS)}-{rng.choice(WORDS)}-{i:05}.js",
            int(rng.lognormvariate(8.0, 0.8)))
    tar.close()


if sys.argv[1] == "files":
    sys.stdout.buffer.write(b"\0".join(os.fsencode(p) for p in files(sys.argv[2], int(sys.argv[3]))))
else:
    modules()

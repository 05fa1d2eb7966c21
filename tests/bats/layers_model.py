# SPDX-License-Identifier: MIT
# layers_model.py MICA FIRST LAST: for each seed random layers, as tars, become
# an image, whose files must be those that a model gets. The model goes from the
# bottom up, as unpacking does; mica goes from the top down.
import io
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile

NAMES = ["a", "b", "c", "d"]


class Dir:
    kind = "d"

    def __init__(self, mode=0o755, mtime=0, implicit=True):
        self.mode, self.mtime, self.implicit = mode, mtime, implicit


class File:
    def __init__(self, kind, data, mode, mtime):
        self.kind, self.data, self.mode, self.mtime = kind, data, mode, mtime
        self.replaced = False  # in its own layer: its blocks are dead, but there


def below(tree, path):
    return [p for p in tree if p != path and (not path or p.startswith(path + "/"))]


class Layer:
    """One archive: what it has, and what it hides in layers below."""

    def __init__(self, rand, lower, name):
        self.rand, self.lower = rand, lower
        self.tree = {"": Dir()}
        self.cut = set()  # hidden with all below
        self.opaque = set()  # hidden is what is below
        form = rand.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
        with tarfile.open(name, "w", format=form) as self.tar:
            for _ in range(rand.randint(1, 14)):
                self.entry()

    def write(self, path, type, data=b"", link="", mode=0o644, mtime=0):
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.mtime = type, mode, mtime
        info.size, info.linkname = len(data), link
        self.tar.addfile(info, io.BytesIO(data))

    def parents(self, path):
        parts = path.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            parent = "/".join(parts[:i])
            old = self.tree.get(parent)
            if old is None or old.kind != "d":
                self.drop(old)
                self.tree[parent] = Dir(implicit=parent not in self.cut)

    def drop(self, file):
        if file is not None and file.kind != "d":
            file.replaced = True

    def put(self, path, file):
        self.parents(path)
        for p in below(self.tree, path):
            self.drop(self.tree.pop(p))
        for marks in (self.cut, self.opaque):
            marks -= {p for p in marks if p.startswith(path + "/")}
        self.opaque.discard(path)
        if self.tree.get(path) is not file:
            self.drop(self.tree.get(path))
        self.tree[path] = file
        self.cut.add(path)

    def entry(self):
        rand = self.rand
        path = "/".join(rand.choice(NAMES) for _ in range(rand.randint(1, 3)))
        mode, mtime = rand.choice([0o755, 0o700]), rand.randint(1, 99)
        what = rand.choices(["file", "symlink", "dir", "link", "whiteout", "opaque"],
                            [35, 7, 16, 17, 15, 10])[0]
        if what == "file":
            data = b"<%016x>" % rand.getrandbits(64) * rand.choice([1, 1, 1, 3000])
            self.write(path, tarfile.REGTYPE, data, mode=mode, mtime=mtime)
            self.put(path, File("f", data, mode, mtime))
        elif what == "symlink":
            target = "target%d" % rand.randint(0, 999)
            self.write(path, tarfile.SYMTYPE, link=target, mode=0o777, mtime=mtime)
            self.put(path, File("l", target, 0o777, mtime))
        elif what == "dir":
            self.write(path, tarfile.DIRTYPE, mode=mode, mtime=mtime)
            self.parents(path)
            self.drop(self.tree.get(path))
            self.tree[path] = Dir(mode, mtime, False)
        elif what == "link":
            self.link(path)
        elif what == "whiteout":
            head, slash, name = path.rpartition("/")
            self.write(head + slash + ".wh." + name, tarfile.REGTYPE)
            self.parents(path)
            self.cut.add(path)
            if path in self.tree and self.tree[path].kind == "d":
                self.tree[path].implicit = False
        else:
            self.write(path + "/.wh..wh..opq", tarfile.REGTYPE)
            self.parents(path + "/x")
            self.opaque.add(path)

    def link(self, path):
        own = [p for p in self.tree if self.tree[p].kind != "d"]
        lower = [p for p in self.lower if self.lower[p].kind != "d" and p not in self.tree]
        choices = [p for p in own + lower if p != path]
        if not choices:
            return
        target = self.rand.choice(choices)
        file = self.tree[target] if target in self.tree else self.lower[target]
        self.write(path, tarfile.LNKTYPE, link=target)
        self.put(path, file)

    def over(self):
        tree = dict(self.lower)
        for path in self.cut:
            for p in [path] + below(tree, path):
                tree.pop(p, None)
        for path in self.opaque:
            for p in below(tree, path):
                del tree[p]
        for path, file in self.tree.items():
            old = tree.get(path)
            if file.kind == "d" and file.implicit and old is not None and old.kind == "d":
                continue
            tree[path] = file
        return tree


def listing(root):
    files = {}
    for top, dirs, names in os.walk(root):
        for name in dirs + names:
            path = os.path.join(top, name)
            st = os.lstat(path)
            mode, mtime, link = stat.S_IMODE(st.st_mode), int(st.st_mtime), (st.st_ino, st.st_nlink)
            if stat.S_ISDIR(st.st_mode):
                entry = ("d", None, mode, mtime, None)
            elif stat.S_ISLNK(st.st_mode):
                entry = ("l", os.readlink(path), 0o777, mtime, link)
            else:
                with open(path, "rb") as f:
                    entry = ("f", f.read(), mode, mtime, link)
            files[os.path.relpath(path, root)] = entry
    return files


def compare(tree, files):
    if set(tree) != set(files):
        return "names %s" % sorted(set(tree) ^ set(files))
    inodes = {}
    for path, want in tree.items():
        kind, data, mode, mtime, link = files[path]
        if (kind, mode, mtime) != (want.kind, want.mode, want.mtime):
            return "%s: %s" % (path, files[path])
        if kind == "d":
            continue
        if data != want.data or link[1] != sum(f is want for f in tree.values()):
            return "%s: content or links %s" % (path, link)
        if inodes.setdefault(id(want), link[0]) != link[0]:
            return "%s: no link" % path
    return None


def check(mica, seed):
    rand = random.Random(seed)
    tree, names, all_files = {"": Dir()}, [], []
    for i in range(rand.randint(1, 5)):
        names.append("layer%d.tar" % i)
        layer = Layer(rand, tree, names[-1])
        all_files += layer.tree.values()
        tree = layer.over()
    del tree[""]
    subprocess.run([mica, "mkimage", "--quiet", "-z", "none", "image"] + names, check=True,
                   stderr=subprocess.DEVNULL)
    subprocess.run([mica, "fsck", "image"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree("out", ignore_errors=True)
    subprocess.run([mica, "extract", "image", "-C", "out"], check=True)
    wrong = compare(tree, listing("out"))
    if wrong:
        return wrong
    with open("image", "rb") as f:
        image = f.read()
    for file in all_files:
        if file.kind == "f" and not file.replaced and file not in tree.values():
            if file.data[:18] in image:
                return "hidden data is stored"
    return None


if __name__ == "__main__":
    mica, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for seed in range(first, last + 1):
        wrong = check(mica, seed)
        if wrong:
            sys.exit("seed %d: %s" % (seed, wrong))

# SPDX-License-Identifier: MIT
# per_layer_model.py MICA FIRST LAST: for each seed random layers, as tars, become
# an image each. Stacked by the kernel's overlayfs, and merged by mica, they must
# show what the model of layers_model.py gets. Needs root.
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile

from layers_model import Dir, Layer, below


class StackLayer(Layer):
    def link(self, path):
        before = set(map(id, self.tree.values()))
        Layer.link(self, path)
        file = self.tree.get(path)
        if file is not None and file.kind != "d" and id(file) not in before:
            file.crossed = True  # other names may be in the image of another layer

    def entry(self):
        what = self.rand.random()
        if what < 0.03:
            self.write(".wh..wh..opq", tarfile.REGTYPE)
            self.opaque.add("")
        elif what < 0.1:
            mode, mtime = self.rand.choice([0o755, 0o711]), self.rand.randint(1, 99)
            self.write("./", tarfile.DIRTYPE, mode=mode, mtime=mtime)
            self.tree[""] = Dir(mode, mtime, False)
        else:
            Layer.entry(self)

    def over(self):
        tree = Layer.over(self)
        if "" in self.opaque:
            tree = {p: f for p, f in tree.items() if not p or p in self.tree}
            for p, f in self.tree.items():
                if p and f.kind == "d":
                    tree[p] = f
        return tree


def listing(root):
    files = {}
    for top, dirs, names in os.walk(root):
        for name in [""] * (top == root) + dirs + names:
            path = os.path.join(top, name)
            st = os.lstat(path)
            data = None
            if stat.S_ISLNK(st.st_mode):
                data = os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    data = f.read()
            elif not stat.S_ISDIR(st.st_mode):
                data = "special"
            mode = 0o777 if stat.S_ISLNK(st.st_mode) else stat.S_IMODE(st.st_mode)
            rel = os.path.relpath(path, root)
            files["" if rel == "." else rel] = (data, mode, int(st.st_mtime), (st.st_dev, st.st_ino))
    return files


def compare(tree, files):
    if set(tree) != set(files):
        return "names %s" % sorted(set(tree) ^ set(files))
    inodes = {}
    for path, want in tree.items():
        data, mode, mtime, inode = files[path]
        data_want = None if want.kind == "d" else want.data
        if (data, mode, mtime) != (data_want, want.mode, want.mtime):
            return "%r: %s, not %s" % (path, files[path], vars(want))
        if want.kind != "d" and not hasattr(want, "crossed") and inodes.setdefault(id(want), inode) != inode:
            return "%s: no link" % path
    return None


def mounted(images, options):
    """What overlayfs shows of them; the bottom one comes first"""
    dirs = []
    os.makedirs("m/none", exist_ok=True)
    try:
        for i, image in enumerate(images):
            dirs.append("m/%d" % i)
            os.makedirs(dirs[-1], exist_ok=True)
            subprocess.run(["mount", "-t", "erofs", "-o", "ro,loop", image, dirs[-1]], check=True)
        os.makedirs("m/all", exist_ok=True)
        lower = ":".join(dirs[::-1] + ["m/none"])
        subprocess.run(["mount", "-t", "overlay", "-o", "ro,lowerdir=" + lower + options,
                        "overlay", "m/all"], check=True)
        dirs.append("m/all")
        return listing("m/all")
    finally:
        for d in dirs[::-1]:
            subprocess.run(["umount", d])


def check(mica, seed):
    rand = random.Random(seed)
    tree, names = {"": Dir()}, []
    for i in range(rand.randint(1, 5)):
        names.append("layer%d.tar" % i)
        tree = StackLayer(rand, tree, names[-1]).over()
    user = rand.random() < 0.3
    shutil.rmtree("images", ignore_errors=True)
    subprocess.run([mica, "mkimage", "--quiet", "--per-layer", "-z", "none", "-j", str(rand.randint(1, 5)),
                    "--whiteouts=" + ("user" if user else "trusted"), "images"] + names, check=True,
                   stderr=subprocess.DEVNULL)
    images = ["images/%03d.erofs" % i for i in range(len(names))]
    for image in images:
        subprocess.run([mica, "fsck", image], check=True, stdout=subprocess.DEVNULL)
    wrong = compare(tree, mounted(images, ",userxattr" if user else ""))
    if wrong:
        return "overlayfs: " + wrong
    subprocess.run([mica, "merge", "--quiet", "--flat", "merged"] + images, check=True)
    shutil.rmtree("out", ignore_errors=True)
    subprocess.run([mica, "extract", "merged", "-C", "out"], check=True)
    wrong = compare(tree, listing("out"))
    return wrong and "merged: " + wrong


if __name__ == "__main__":
    mica, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for seed in range(first, last + 1):
        wrong = check(mica, seed)
        if wrong:
            sys.exit("seed %d: %s" % (seed, wrong))

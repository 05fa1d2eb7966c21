#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""overlay_ops.py SEED COUNT DIR: COUNT operations on the tree DIR, drawn by SEED.

The same on every tree that begins alike: what is drawn depends on the seed and on what
the tree shows, names in sorted order. Prints each operation with its outcome, so that two
runs can be compared."""

import errno
import os
import random
import sys

NAMES = ["a", "b", "c", "dir", "e", "f.txt", "g", "hard", "i", "j"]
TIME = 1_600_000_000


def walk(root):
    """All paths below root, directories apart, in an order that any tree gives."""
    dirs, files = ["."], []
    for top, names, others in os.walk(root):
        names.sort()
        where = os.path.relpath(top, root)
        dirs += [os.path.normpath(os.path.join(where, n)) for n in names
                 if not os.path.islink(os.path.join(top, n))]
        files += [os.path.normpath(os.path.join(where, n)) for n in sorted(others)]
        files += [os.path.normpath(os.path.join(where, n)) for n in names
                  if os.path.islink(os.path.join(top, n))]
    return sorted(dirs), sorted(files)


class Player:
    """Draws operations and does them, each with an outcome that can be told."""

    def __init__(self, seed, root):
        self.rng = random.Random(seed)
        self.root = root
        self.step = 0

    def path(self, rel):
        return os.path.join(self.root, rel)

    def draw(self):
        dirs, files = walk(self.root)
        new = os.path.normpath(os.path.join(self.rng.choice(dirs), self.rng.choice(NAMES)))
        some = self.rng.choice(files) if files else "none"
        inner = self.rng.choice(dirs)
        return self.rng.choice(OPERATIONS), new, some, inner

    def play(self):
        operation, new, some, inner = self.draw()
        self.step += 1
        try:
            outcome = operation(self, new, some, inner)
        except OSError as e:
            outcome = errno.errorcode[e.errno]
        print(self.step, operation.__name__, new, some, inner, outcome)

    def regular(self, rel):
        """For what would wait for a FIFO's other end, or follow a symlink out of the tree."""
        if os.path.islink(self.path(rel)) or not os.path.isfile(self.path(rel)):
            raise OSError(errno.EINVAL, "not a regular file")
        return self.path(rel)

    def text(self):
        return f"step {self.step} ".encode() * self.rng.choice([1, 10, 9000])

    # --- operations: a fresh name, a file, a directory ---

    def create(self, new, some, inner):
        with open(self.path(new), "xb") as f:
            f.write(self.text())

    def append(self, new, some, inner):
        with open(self.regular(some), "ab") as f:
            f.write(self.text())

    def overwrite(self, new, some, inner):
        with open(self.regular(some), "r+b") as f:
            f.seek(self.rng.randrange(5000))
            f.write(self.text())

    def truncate(self, new, some, inner):
        os.truncate(self.regular(some), self.rng.randrange(20000))

    def mkdir(self, new, some, inner):
        os.mkdir(self.path(new), self.rng.choice([0o755, 0o700, 0o2775]))

    def symlink(self, new, some, inner):
        os.symlink(some, self.path(new))

    def link(self, new, some, inner):
        os.link(self.path(some), self.path(new), follow_symlinks=False)

    def mkfifo(self, new, some, inner):
        os.mkfifo(self.path(new), 0o640)

    def unlink(self, new, some, inner):
        os.unlink(self.path(some))

    def rmdir(self, new, some, inner):
        os.rmdir(self.path(inner))

    def rename_file(self, new, some, inner):
        os.rename(self.path(some), self.path(new))

    def rename_over(self, new, some, inner):
        files = walk(self.root)[1]
        os.rename(self.path(some), self.path(self.rng.choice(files)))

    def rename_dir(self, new, some, inner):
        os.rename(self.path(inner), self.path(new))

    def chmod(self, new, some, inner):
        os.chmod(self.path(inner) if self.rng.random() < 0.3 else self.regular(some),
                 self.rng.choice([0o600, 0o755, 0o4711, 0o2640]))

    def chown(self, new, some, inner):
        os.lchown(self.path(some), self.rng.choice([0, 1000, 70000]), 5)

    def utimes(self, new, some, inner):
        os.utime(self.path(some), ns=(TIME * 10**9, TIME * 10**9 + self.step),
                 follow_symlinks=False)

    def setxattr(self, new, some, inner):
        os.setxattr(self.path(some), f"trusted.t{self.rng.randrange(3)}", b"v%d" % self.step,
                    follow_symlinks=False)

    def removexattr(self, new, some, inner):
        os.removexattr(self.path(some), f"trusted.t{self.rng.randrange(3)}",
                       follow_symlinks=False)

    def read(self, new, some, inner):
        with open(self.regular(some), "rb") as f:
            data = f.read()
        return len(data), sum(data) % 65536


OPERATIONS = [
    Player.create, Player.create, Player.append, Player.overwrite, Player.truncate,
    Player.mkdir, Player.mkdir, Player.symlink, Player.link, Player.link, Player.mkfifo,
    Player.unlink, Player.unlink, Player.rmdir, Player.rename_file, Player.rename_file,
    Player.rename_over, Player.rename_dir, Player.rename_dir, Player.chmod, Player.chown,
    Player.utimes, Player.setxattr, Player.removexattr, Player.read,
]


def main():
    seed, count, root = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.umask(0o022)
    player = Player(seed, root)
    for _ in range(count):
        player.play()


main()

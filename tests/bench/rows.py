# SPDX-License-Identifier: MIT
"""What is measured: one row for each way to build an image, and for each way to
mount one. A row appears when its program is there and knows the row's options."""
from dataclasses import dataclass

from programs import NEWER

CORPORA = ("root", "linux", "nm")
DEFAULT = "mica zstd:3, 6.12"
NEWEST = "mica zstd:3, 6.17"
SQUASHFS = "mksquashfs zstd:3"
EROFS_PACKED = NEWER + "mkfs.erofs zstd:3 64K, fragments, dedupe"
BEST = ("mica best, 6.12", "mica best, 6.17")


@dataclass
class Build:
    name: str
    program: str
    arguments: str           # %O: the image, %T: the tar, %D: the directory
    stdin: bool = False      # the tar comes on standard input
    corpora: tuple = CORPORA
    needs: tuple = ()        # what `mica mkimage --help` must mention
    slow: bool = False       # takes minutes: left out by --quick, done once
    mount: str = "erofs"     # the file system type for the kernel; dwarfs: not by the kernel

    @property
    def directory(self):
        return "%D" in self.arguments

    def command(self, path, corpus, image):
        words = {"%O": image, "%T": corpus.tar, "%D": corpus.directory}
        return [path, *(words.get(word, word) for word in self.arguments.split())]


def mica(name, options, source="%T", **more):
    return Build("mica " + name, "mica", f"mkimage --quiet {options} %O {source}", **more)


def mksquashfs(program, name, options, source="tar", **more):
    given = "%D %O" if source == "%D" else "- %O -tar"
    return Build(f"{program} {name}", program, f"{given} {options} -noappend -no-progress -quiet",
                 stdin=source != "%D", mount="squashfs", **more)


def mkfs_erofs(name, options, source, **more):
    given = "%O %D" if source == "%D" else "--tar=f %O %T"
    program = "mkfs.erofs" if more.pop("debian", False) else NEWER + "mkfs.erofs"
    return Build(f"{program} {name}", program, f"--quiet {options} {given}", **more)


def mkfs_erofs_each(name, options, **more):
    """From the tar, but from the directory where a tar takes it minutes to read: names
    are searched one by one in a directory of 43,000."""
    yield mkfs_erofs(name, options, "%T", corpora=("root", "linux"), **more)
    yield mkfs_erofs(name, options, "%D", corpora=("nm",), **more)


def mica_rows():
    yield mica("zstd:3, 6.12", "-z zstd:3 --compat 6.12")
    yield mica("zstd:3, 6.15", "-z zstd:3 --compat 6.15")
    yield mica("zstd:3, 6.17", "-z zstd:3 --compat 6.17")
    yield mica("zstd:3, 6.12, directory", "-z zstd:3 --compat 6.12", "%D",
               corpora=("root", "nm"))
    for size in ("64K", "128K", "256K"):
        yield mica(f"zstd:3, 6.12, {size}", f"-z zstd:3 --compat 6.12 -C {size}")
    for size in ("128K", "192K", "256K", "384K", "1M"):
        yield mica(f"zstd:3, 6.17, {size}", f"-z zstd:3 --compat 6.17 -C {size}")
    for kind in ("off", "tails", "small"):
        yield mica(f"zstd:3, 6.12, fragments {kind}",
                   f"-z zstd:3 --compat 6.12 --fragments={kind}", needs=("--fragments",))
    yield mica("zstd:3, 6.12, in 128M", "-z zstd:3 --compat 6.12 --memory=128M",
               needs=("--memory",))
    yield mica("zstd:3, 6.12, libraries lz4", "-z zstd:3 --compat 6.12 --compress-rule *.so*=lz4",
               needs=("--compress-rule",))
    yield mica("zstd:9, 6.12", "-z zstd:9 --compat 6.12")
    yield mica("lz4, 6.12", "-z lz4 --compat 6.12")
    yield mica("lz4hc:9, 6.12", "-z lz4hc:9 --compat 6.12")
    yield mica("lz4hc:12, 6.12", "-z lz4hc:12 --compat 6.12", slow=True)
    yield mica("deflate:6, 6.12", "-z deflate:6 --compat 6.12", needs=("deflate",))
    yield mica("lzma:6, 6.12", "-z lzma:6 --compat 6.12", needs=("lzma",), slow=True)
    yield mica("zstd:22 1M, 6.17", "-z zstd:22 -C 1M --compat 6.17", slow=True)
    yield mica("lzma:9 1M, 6.17", "-z lzma:9 -C 1M --compat 6.17", needs=("lzma",), slow=True)
    yield mica("none, 6.12", "-z none --compat 6.12")
    for name in BEST:
        compat = name.split()[-1]
        yield mica(name[len("mica "):], f"--best --compat {compat}", needs=("--best",), slow=True)


def squashfs_rows(program):
    yield mksquashfs(program, "zstd:3", "-comp zstd -Xcompression-level 3")
    yield mksquashfs(program, "zstd:3, directory", "-comp zstd -Xcompression-level 3", "%D",
                     corpora=("root", "nm"))
    yield mksquashfs(program, "lz4", "-comp lz4")
    yield mksquashfs(program, "zstd:22 1M", "-comp zstd -Xcompression-level 22 -b 1M", slow=True)
    yield mksquashfs(program, "xz 1M", "-comp xz -Xbcj x86 -b 1M", slow=True)


def erofs_rows():
    yield mkfs_erofs("lz4", "-zlz4", "%D", debian=True)
    yield mkfs_erofs("lz4hc:12 64K", "-zlz4hc,12 -C65536 -Eztailpacking", "%D", debian=True,
                     slow=True)
    yield from mkfs_erofs_each("lz4", "-zlz4")
    yield from mkfs_erofs_each("zstd:3 64K", "-zzstd,level=3 -C65536")
    yield from mkfs_erofs_each("zstd:3 64K, fragments, dedupe",
                               "-zzstd,level=3 -C65536 -Eall-fragments,ztailpacking,dedupe")
    yield from mkfs_erofs_each("zstd:3 128K, 48bit, fragments",
                               "-zzstd,level=3 -C131072 -E48bit,all-fragments")
    yield from mkfs_erofs_each("zstd:22 1M, 48bit, fragments, dedupe",
                               "-zzstd,level=22 -C1048576 -E48bit,all-fragments,dedupe", slow=True)
    yield from mkfs_erofs_each("lzma:109 1M, fragments, dedupe",
                               "-zlzma,level=109 -C1048576 -Eall-fragments,ztailpacking,dedupe",
                               slow=True)


def dwarfs_rows():
    for level in (3, 7):
        yield Build(f"{NEWER}mkdwarfs level {level}", NEWER + "mkdwarfs",
                    f"-i %D -o %O -l{level} --no-progress", mount="dwarfs", slow=level > 3)


def builds(programs, quick):
    rows = [*mica_rows(), *squashfs_rows("mksquashfs"), *squashfs_rows(NEWER + "mksquashfs"),
            *erofs_rows(), *dwarfs_rows()]
    rows = [row for row in rows if not (quick and row.slow)]
    return [row for row in rows if programs.find(row.program) and programs.knows(row.needs)]


@dataclass
class Read:
    name: str
    image: str   # the name of the row that built it
    how: str     # see mounts.mounted()


READS = [
    Read("mica zstd:3, mounted by mica", DEFAULT, "mica"),
    Read("mica zstd:3, mounted by the kernel", DEFAULT, "kernel"),
    Read("mica lz4, mounted by mica", "mica lz4, 6.12", "mica"),
    Read("mica lz4, mounted by the kernel", "mica lz4, 6.12", "kernel"),
    Read("mkfs.erofs lz4, erofsfuse", "mkfs.erofs lz4", "erofsfuse"),
    Read("mkfs.erofs lz4, newer erofsfuse", "mkfs.erofs lz4", NEWER + "erofsfuse"),
    Read("mkfs.erofs lz4, mounted by mica", "mkfs.erofs lz4", "mica"),
    Read("mkfs.erofs lz4, mounted by the kernel", "mkfs.erofs lz4", "kernel"),
    Read("newer mkfs.erofs zstd:3 64K, newer erofsfuse", NEWER + "mkfs.erofs zstd:3 64K",
         NEWER + "erofsfuse"),
    Read("newer mkfs.erofs zstd:3 64K, mounted by mica", NEWER + "mkfs.erofs zstd:3 64K", "mica"),
    Read("newer mkfs.erofs zstd:3 64K, mounted by the kernel", NEWER + "mkfs.erofs zstd:3 64K",
         "kernel"),
    Read("mksquashfs zstd:3, squashfuse_ll", SQUASHFS, "squashfuse_ll"),
    Read("mksquashfs zstd:3, newer squashfuse_ll", SQUASHFS, NEWER + "squashfuse_ll"),
    Read("mksquashfs zstd:3, mounted by the kernel", SQUASHFS, "loop:squashfs"),
]
READ_CORPORA = ("root", "linux", "nm")
STACK_CORPORA = ("root", "linux")

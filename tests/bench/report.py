#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py DIR: the medians of what run.sh measured, as Markdown."""
import os
import statistics
import sys

work = sys.argv[1]
facts = [line.rstrip("\n").split("|") for line in open(os.path.join(work, "facts"))]
corpora = {f[1]: [int(n) for n in f[2:]] for f in facts if f[0] == "corpus"}
PEER = "mksquashfs zstd 3"
MIB = 1 << 20


def load():
    """{(kind, corpus, name): [wall, cpu, KiB]} and sizes, in the order of the list in run.sh"""
    medians, sizes = {}, {}
    order = [f[2] for f in facts if f[0] == "order"]
    names = sorted(os.listdir(os.path.join(work, "times")),
                   key=lambda n: order.index(n.split("|")[2]))
    for name in names:
        kind, corpus, what = name.split("|")
        rows = [[float(v) for v in line.split()] for line in open(os.path.join(work, "times", name))]
        if kind == "size":
            sizes[corpus, what] = int(rows[0][0])
        else:
            medians[kind, corpus, what] = [statistics.median(column) for column in zip(*rows)]
    return medians, sizes


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def build_tables(medians, sizes):
    for corpus, (size, entries, _) in corpora.items():
        print(f"## Building: {corpus}, a tar of {size / 1e6:.0f} MB with {entries} entries\n")
        peer = medians["build", corpus, PEER]
        rows = []
        for (kind, where, name), (wall, cpu, kib) in medians.items():
            if (kind, where) != ("build", corpus):
                continue
            image = sizes[corpus, name]
            rows.append([name, f"{wall:.2f}", f"{cpu:.2f}", f"{kib * 1024 / 1e6:.0f}",
                         f"{image / 1e6:.1f}", f"{wall / peer[0]:.2f}", f"{cpu / peer[1]:.2f}",
                         f"{image / sizes[corpus, PEER]:.3f}"])
        table(["", "wall s", "CPU s", "peak MB", "image MB", "wall ratio", "CPU ratio", "size ratio"],
              rows)
    print(f"Ratios are to `{PEER}` from the same tar.\n")


def read_tables(medians):
    for corpus in corpora:
        names = [n for k, c, n in medians if (k, c) == ("cold", corpus)]
        if not names:
            continue
        print(f"## Reading: {corpus}, seconds of one reader\n")
        table(["", "stat walk, cold", "all files, cold", "all files, again"],
              [[n] + [f"{medians[k, corpus, n][0]:.2f}" for k in ("walk", "cold", "warm")]
               for n in names])


def goals(medians, sizes):
    """(what, goal, measured, whether it is met)"""
    def build(corpus, name, column):
        return medians["build", corpus, name][column]

    mica = "mica zstd:3, 6.12"
    for source in ("", ", directory"):
        for column, what in ((1, "CPU"), (0, "wall")):
            ratio = build("root", mica + source, column) / build("root", PEER + source, column)
            yield f"{what} time, {mica}{source or ', tar'} / {PEER}", "<= 1.0", f"{ratio:.2f}", \
                ratio <= 1
    for corpus, (_, entries, names) in corpora.items():
        limit = 256 * MIB + 256 * entries + names
        for compat in ("6.12", "6.15"):
            peak = build(corpus, f"mica zstd:3, {compat}", 2) * 1024
            yield f"peak memory, {corpus}, {compat}", f"<= {limit / MIB:.0f} MiB", \
                f"{peak / MIB:.0f} MiB", peak <= limit
    for compat, limit in (("6.12", 1.12), ("6.15", 1.05)):
        ratio = sizes["root", f"mica zstd:3, {compat}"] / sizes["root", PEER]
        yield f"image size, zstd:3, {compat} / {PEER}", f"<= {limit}", f"{ratio:.3f}", ratio <= limit
    ratio = (build("modules", mica, 0) / corpora["modules"][0]) / \
        (build("root", mica, 0) / corpora["root"][0])
    yield "wall time for each byte of tar, modules / root", "<= 2.0", f"{ratio:.2f}", ratio <= 2
    for corpus in corpora:
        try:
            ours = medians["cold", corpus, "mica lz4, mounted by mica"][0]
            theirs = medians["cold", corpus, "mkfs.erofs lz4, erofsfuse"][0]
        except KeyError:
            continue
        yield f"reading cold by FUSE, {corpus}, mica lz4 / erofsfuse", "<= 1.0", \
            f"{ours / theirs:.2f}", ours <= theirs


def main():
    medians, sizes = load()
    by_kind = {f[0]: f[1] for f in facts if len(f) == 2}
    print("# mica and its peers\n")
    print(f"{by_kind['machine']}. {by_kind['versions']}. Medians of {by_kind['runs']} interleaved runs.\n")
    build_tables(medians, sizes)
    read_tables(medians)
    print("## Goals\n")
    table(["goal", "limit", "measured", "met"],
          [[what, limit, measured, "yes" if met else "**no**"]
           for what, limit, measured, met in goals(medians, sizes)])


main()

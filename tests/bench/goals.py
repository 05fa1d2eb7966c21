# SPDX-License-Identifier: MIT
"""The numbers that mica wants to reach, and whether it does. A goal whose numbers were
not measured says so."""
from overlay import BY_KERNEL, OVER_DIRECTORY, OVER_EROFSFUSE
from rows import BEST, CORPORA, DEFAULT, EROFS_PACKED, NEWER, NEWEST, READ_CORPORA, SQUASHFS

MIB = 1 << 20


class Goals:
    def __init__(self, results):
        self.results = results
        self.corpora = [name for name in CORPORA
                        if name in results["corpora"] or name in results["missing"]]

    def ratio(self, corpus, ours, theirs, what):
        """To the peer from the tar or from the directory, whichever serves it better."""
        one = self.results.build(corpus, ours, what)
        names = (theirs, theirs + ", directory")
        others = [self.results.build(corpus, name, what) for name in names]
        other = min(filter(None, others), default=None)
        return one / other if one and other else None

    @staticmethod
    def at_most(what, limit, measured):
        if measured is None:
            return what, f"<= {limit}", "not measured", None
        return what, f"<= {limit}", f"{measured:.3f}", measured <= limit

    def against_mksquashfs(self):
        for corpus in self.corpora:
            for peer in (SQUASHFS, NEWER + SQUASHFS):
                if peer != SQUASHFS and not self.results.build(corpus, peer, "image"):
                    continue
                for what, ours, limit in (("image", DEFAULT, 0.97), ("image", NEWEST, 0.95),
                                          ("cpu", DEFAULT, 0.8), ("wall", DEFAULT, 0.8)):
                    yield self.at_most(f"{corpus}: {what}, {ours} / {peer}", limit,
                                       self.ratio(corpus, ours, peer, what))

    def comparable(self, corpus, ours):
        """The smallest image of ours on that kernel, at the same level, whose clusters are
        not larger than the peer's."""
        limit = self.results.build(corpus, EROFS_PACKED, "cluster_mean") or 0
        found = [row for row in self.results["builds"]
                 if row["corpus"] == corpus and row["name"].startswith(ours)
                 and "image" in row and row.get("cluster_mean", limit + 1) <= limit]
        return min(found, key=lambda row: row["image"])["name"] if found else ours

    def against_mkfs_erofs(self):
        for corpus in self.corpora:
            for kernel in (DEFAULT, NEWEST):
                ours = self.comparable(corpus, kernel)
                for what, limit in (("image", 0.97), ("wall", 0.12), ("cpu", 0.2)):
                    yield self.at_most(f"{corpus}: {what}, {ours} / {EROFS_PACKED}", limit,
                                       self.ratio(corpus, ours, EROFS_PACKED, what))

    def smallest(self):
        for corpus in self.corpora:
            sizes = {row["name"]: row["image"] for row in self.results["builds"]
                     if row["corpus"] == corpus and "image" in row and row["mount"] != "dwarfs"}
            ours = [(sizes[name], name) for name in BEST if name in sizes]
            peers = [(size, name) for name, size in sizes.items() if not name.startswith("mica")]
            if not ours or not peers:
                yield f"{corpus}: --best / the smallest peer", "<= 0.95", "not measured", None
                continue
            (our, name), (their, peer) = min(ours), min(peers)
            yield self.at_most(f"{corpus}: image, {name} / {peer}", 0.95, our / their)

    def layers(self):
        found = self.results["layers"]
        rows = [row for row in found["rows"] if row["name"].startswith("mica")] if found else []
        if not rows:
            yield "the second of two near roots / what changed", "<= 1.2", "not measured", None
        for row in rows:
            yield self.at_most(f"{row['name']}: the second of two near roots / what changed", 1.2,
                               row["upgrade"] / found["changed"]["compressed"])

    def memory_limit(self, facts):
        budget = 512 if self.results["facts"]["memory_option"] else 256
        return budget * MIB + 256 * facts["entries"] + facts["name_bytes"]

    def memory(self):
        cases = [(f"{corpus}: peak memory, {DEFAULT}", facts,
                  self.results.build(corpus, DEFAULT, "peak"))
                 for corpus, facts in self.results["corpora"].items()]
        large = self.results["large"]
        if large:
            cases.append((f"a stream of {large['bytes'] / 1e9:.0f} GB: peak memory", large,
                          large["peak"]))
        else:
            yield "a stream of 20 GB: peak memory", "--memory", "not measured (--large)", None
        for what, facts, peak in cases:
            if peak:
                limit = self.memory_limit(facts)
                yield what, f"<= {limit / MIB:.0f} MiB", f"{peak / MIB:.0f} MiB", peak <= limit

    def workers(self):
        jobs = self.results["jobs"]
        if not jobs:
            yield "two workers against one", ">= 1.8", "not measured", None
            return
        one, two = (min(wall for wall, _ in jobs["runs"][n]) for n in ("1", "2"))
        gain = one / two
        yield "wall time, -j 1 / -j 2 (fastest of each)", ">= 1.8", f"{gain:.2f}", gain >= 1.8
        share = jobs["alone"] / max(1, jobs["samples"])
        yield "-j 2: share of time in which less than two threads could run", "<= 0.05", \
            f"{share:.3f}", share <= 0.05

    def spine(self):
        """What the first builder had to reach; the later goals ask for more."""
        for source in ("", ", directory"):
            for what in ("cpu", "wall"):
                yield self.at_most(f"root: {what}, {DEFAULT}{source} / {SQUASHFS}{source}", 1.0,
                                   self.ratio("root", DEFAULT + source, SQUASHFS + source, what))
        for compat, limit in (("6.12", 1.12), ("6.15", 1.05)):
            yield self.at_most(f"root: image, mica zstd:3, {compat} / {SQUASHFS}", limit,
                               self.ratio("root", f"mica zstd:3, {compat}", SQUASHFS, "image"))
        times = [self.results.build(corpus, DEFAULT, "wall") for corpus in ("nm", "root")]
        ratio = None
        if all(times):
            sizes = [self.results["corpora"][corpus]["bytes"] for corpus in ("nm", "root")]
            ratio = times[0] / sizes[0] / (times[1] / sizes[1])
        yield self.at_most("wall time for each byte of tar, nm / root", 2.0, ratio)
        for corpus in READ_CORPORA:
            names = ("mica lz4, mounted by mica", "mkfs.erofs lz4, erofsfuse",
                     "mkfs.erofs lz4, newer erofsfuse")
            rows = [self.results.find("reads", corpus=corpus, name=name) for name in names]
            ours, *theirs = (self.results.value(row, "cold") for row in rows)
            fastest = min(filter(None, theirs), default=None)
            yield self.at_most(f"{corpus}: reading cold by FUSE, mica lz4 / erofsfuse", 1.0,
                               ours / fastest if ours and fastest else None)

    def against_the_kernel(self):
        """The same image, mounted by mica and by the kernel."""
        for corpus in READ_CORPORA:
            ours, theirs = (self.results.find("reads", corpus=corpus,
                                              name=f"mica zstd:3, mounted by {who}")
                            for who in ("mica", "the kernel"))
            for what, name, limit in (("walk", "stat walk, cold", 1.0),
                                      ("walk_again", "stat walk, again", 1.11),
                                      ("cold", "reading cold", 1.0),
                                      ("two", "reading cold by two", 1.11),
                                      ("again", "reading again", 1.05)):
                one, other = self.results.value(ours, what), self.results.value(theirs, what)
                yield self.at_most(f"{corpus}: {name}, mica / the kernel", limit,
                                   one / other if one and other else None)

    def stacks(self):
        """The program's own or a newer one, whichever is the faster."""
        names = (("walk", "stat walk, cold", OVER_EROFSFUSE, 0.2),
                 ("walk", "stat walk, cold", OVER_DIRECTORY, 1.0),
                 ("walk_again", "stat walk, again", BY_KERNEL, 1.11),
                 ("cold", "reading cold", OVER_EROFSFUSE, 0.4),
                 ("again", "reading again", BY_KERNEL, 1.11),
                 ("unpack", "unpacking small files", OVER_DIRECTORY, 0.25),
                 ("remove", "removing what lies below", OVER_DIRECTORY, 0.25))
        for facts in self.results["overlay"]:
            for what, name, peer, limit in names:
                one, *others = (self.results.value(
                    self.results.find("stacks", corpus=facts["corpus"], name=stack), what)
                    for stack in ("mica", peer, NEWER + peer))
                other = min(filter(None, others), default=None)
                yield self.at_most(f"{facts['corpus']}, stacked: {name}, mica / {peer}", limit,
                                   one / other if one and other else None)

    def all(self):
        for group in (self.against_mksquashfs, self.against_mkfs_erofs, self.smallest, self.layers,
                      self.memory, self.workers, self.against_the_kernel, self.stacks, self.spine):
            yield from group()

# SPDX-License-Identifier: MIT
"""What was measured, as Markdown; with an output file also as a chart and as JSON."""
import os

import chart
from goals import Goals
from overlay import STACKS
from rows import READS, SQUASHFS
from start import STARTS

NONE = "-"


def number(value, form, scale=1.0):
    return NONE if value is None else format(value / scale, form)


class Report:
    def __init__(self, results):
        self.results = results
        self.lines = []

    def text(self, line):
        self.lines += [line, ""]

    def table(self, head, rows):
        self.lines.append("| " + " | ".join(head) + " |")
        self.lines.append("|---" * len(head) + "|")
        self.lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        self.lines.append("")

    def head(self):
        facts = self.results["facts"]
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        kind = "Medians" if facts["statistic"] == "median" else "The best"
        self.text("# mica and its peers")
        self.text(f"{facts['machine']}. {versions}. {kind} of {facts['runs']} interleaved runs; "
                  "what takes minutes ran once.")
        for corpus, why in self.results["missing"].items():
            self.text(f"Corpus `{corpus}` could not be made: {why}")

    def goals(self):
        words = {True: "yes", False: "**no**", None: NONE}
        self.text("## Goals")
        self.table(["goal", "limit", "measured", "met"],
                   [[what, limit, measured, words[met]]
                    for what, limit, measured, met in Goals(self.results).all()])

    def builds(self):
        for corpus, facts in self.results["corpora"].items():
            names = [row["name"] for row in self.results["builds"] if row["corpus"] == corpus]
            if not names:
                continue
            self.text(f"## Building: {corpus}, a tar of {facts['bytes'] / 1e6:.0f} MB with "
                      f"{facts['entries']} entries")
            self.table(["", "image MB", "ratio", "CPU s", "ratio", "wall s", "ratio", "peak MB",
                        "mean extent KiB", "4 KiB decodes KiB", "IOPS", "cold us", "median us",
                        "CPU us"],
                       [self.build(corpus, name) for name in names])
        if self.results["builds"]:
            self.text(f"Ratios are to `{SQUASHFS}` on the same corpus. Mean extent: what a "
                      "compressed cluster decodes to in the mean; 4 KiB decodes: the same, in the "
                      "mean over all bytes of all files. IOPS and cold: one reader of 4 KiB at "
                      "random places of all files, image mounted by the kernel over a loop device, "
                      "page cache dropped, files open. CPU us: the reader's CPU time for each "
                      "when the image is in the page cache, most of it decoding.")

    def build(self, corpus, name):
        def get(what):
            return self.results.build(corpus, name, what)

        def ratio(what):
            peer = self.results.build(corpus, SQUASHFS, what)
            return get(what) / peer if peer and get(what) else None

        cold = get("random")
        return [name, number(get("image"), ".1f", 1e6), number(ratio("image"), ".3f"),
                number(get("cpu"), ".2f"), number(ratio("cpu"), ".2f"),
                number(get("wall"), ".2f"), number(ratio("wall"), ".2f"),
                number(get("peak"), ".0f", 1e6), number(get("cluster_mean"), ".0f", 1024),
                number(get("read_mean"), ".0f", 1024), number(1e6 / cold if cold else None, ".0f"),
                number(cold, ".0f"), number(get("random_median"), ".0f"),
                number(get("decode"), ".0f")]

    def reads(self):
        for corpus in self.results["corpora"]:
            rows = [self.results.find("reads", corpus=corpus, name=read.name) for read in READS]
            rows = [row for row in rows if row and "cold" in row]
            if rows:
                self.text(f"## Reading: {corpus}, seconds of one reader")
                self.table(["", "stat walk, cold", "again", "all files, cold", "again",
                            "by two readers, cold", "mount to first 4 KiB, ms"],
                           [[row["name"], *(number(self.results.value(row, what), ".2f")
                                            for what in ("walk", "walk_again", "cold", "again",
                                                         "two")),
                             number(self.results.value(row, "first"), ".1f", 1e-3)]
                            for row in rows])

    def starts(self):
        facts = self.results["start"]
        if not facts:
            return
        self.text(f"## A start: {facts['files']} files of {facts['corpus']}, from before the mount")
        rows = [self.results.find("starts", name=start.name) for start in STARTS]
        base = self.results.value(rows[0], "wall")
        self.table(["", "seconds", "ratio"],
                   [[row["name"], number(self.results.value(row, "wall"), ".3f"),
                     number(self.results.value(row, "wall") / base if base else None, ".2f")]
                    for row in rows if row])
        self.text(f"In its order the image has {facts['ordered'] / 1e6:.1f} MB instead of "
                  f"{facts['plain'] / 1e6:.1f}.")

    def stacks(self):
        for facts in self.results["overlay"]:
            rows = [self.results.find("stacks", corpus=facts["corpus"], name=stack.name)
                    for stack in STACKS]
            self.text(f"## Stacks with an upper directory: {facts['corpus']}, seconds")
            self.table(["", "stat walk, cold", "again", "all files, cold", "again",
                        f"unpack {facts['files']} files", f"remove {facts['removed']} below",
                        "server's peak MB"],
                       [[row["name"], *(number(self.results.value(row, what), ".2f")
                                        for what in ("walk", "walk_again", "cold", "again",
                                                     "unpack", "remove")),
                         number(self.results.value(row, "server"), ".0f", 1e6)]
                        for row in rows if row and "walk" in row])

    def layers(self):
        found = self.results["layers"]
        if not found:
            return
        changed = found["changed"]
        self.text("## Layers: a second, nearly identical root")
        self.text(f"{changed['files']} files with {changed['file_bytes'] / 1e6:.1f} MB are new; "
                  f"{changed['bytes'] / 1e6:.1f} MB of them really changed, and these are "
                  f"{changed['compressed'] / 1e6:.2f} MB after `zstd -3`.")
        self.table(["", "one root MB", "the same again adds MB", "the upgrade adds MB", "ratio",
                    "ratio without names and inodes"],
                   [[row["name"], number(row["one"] or None, ".1f", 1e6),
                     number(row["same"], ".2f", 1e6), number(row["upgrade"], ".2f", 1e6),
                     number(row["upgrade"] / changed["compressed"], ".2f"),
                     number((row["upgrade"] - row["same"]) / changed["compressed"], ".2f")]
                    for row in found["rows"]])

    def scaling(self):
        jobs, large = self.results["jobs"], self.results["large"]
        if jobs:
            self.text("## Workers: root, mica zstd:3, 6.12")
            self.table(["", "wall s, fastest", "CPU s, least"],
                       [[f"-j {n}"] + [f"{min(column):.2f}" for column in zip(*jobs["runs"][n])]
                        for n in ("1", "2")])
            first = jobs["main_ns"] / max(1, jobs["all_ns"])
            self.text(f"In {jobs['alone']} of {jobs['samples']} looks at -j 2 less than two "
                      f"threads could run. Its first thread used {first:.3f} of the CPU time.")
        if large:
            self.text(f"## A stream of {large['bytes'] / 1e9:.1f} GB in {large['entries']} entries")
            self.table(["wall s", "CPU s", "peak MB", "image MB"],
                       [[f"{large['wall']:.0f}", f"{large['cpu']:.0f}",
                         f"{large['peak'] / 1e6:.0f}", f"{large['image'] / 1e6:.0f}"]])

    def instructions(self):
        rows = self.results["instructions"]
        if not rows:
            return
        self.text(f"## Instructions ({self.results['facts']['instructions']}), one worker")
        self.table(["", "corpus", "input MB", "for each byte of input"],
                   [[row["name"], row["corpus"], f"{row['bytes'] / 1e6:.1f}",
                     f"{row['count'] / row['bytes']:.2f}"] for row in rows])
        for row in rows:
            if row["functions"] and row["name"].startswith("mica"):
                self.text(f"{row['name']}, {row['corpus']}: " + ", ".join(
                    f"{name} {share:.1f}%" for share, name in row["functions"]) + ".")

    def whole(self):
        self.head()
        self.goals()
        self.builds()
        self.reads()
        self.starts()
        self.stacks()
        self.layers()
        self.scaling()
        self.instructions()
        if self.results["notes"]:
            self.text("## Notes")
            self.lines += [f"* {note}" for note in self.results["notes"]] + [""]
        return "\n".join(self.lines)


def publish(results, output):
    text = Report(results).whole()
    print(text)
    if not output:
        return
    stem = os.path.splitext(output)[0]
    with open(output, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    with open(f"{stem}.svg", "w", encoding="utf-8") as file:
        file.write(chart.draw(results))
    results.save(f"{stem}.json")

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what run.sh says, and reports it. Called by run.sh."""
import argparse
import os
import shutil
import sys
import tempfile

import building
import layers
import overlay
import report
import rows
import scaling
from corpora import Corpora
from programs import Programs
from reading import read_all
from results import Results
from start import start_all

PARTS = ["build", "random", "read", "start", "overlay", "layers", "jobs", "instructions"]


def words(text):
    return text.split(",")


def parse():
    parser = argparse.ArgumentParser(usage="run.sh [OPTIONS], see run.sh --help", add_help=False)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=words)
    parser.add_argument("--corpus", type=words, default=list(rows.CORPORA))
    parser.add_argument("--rows", action="append")
    parser.add_argument("--tar")
    parser.add_argument("--large", type=int, nargs="?", const=20)
    parser.add_argument("--peers")
    parser.add_argument("--cache")
    parser.add_argument("--statistic", choices=["median", "min"], default="median")
    parser.add_argument("--output")
    parser.add_argument("--report")
    options = parser.parse_args()
    unknown = set(options.only or []) - {*PARTS, "large"}
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    if "large" in (options.only or []) and not options.large:
        options.large = 20
    options.only = options.only or PARTS
    return options


def log(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file
                      if line.startswith("model name")), "unknown CPU")
    return f"{len(os.sched_getaffinity(0))} CPUs, {model}, Linux {os.uname().release}"


class Run:
    def __init__(self, options, work):
        self.options, self.work = options, work
        temporary = os.environ.get("TMPDIR", "/var/tmp")
        self.corpora = Corpora(options.cache or f"{temporary}/mica-corpora", log)
        os.makedirs(self.corpora.cache, exist_ok=True)
        if options.tar:
            self.corpora.given["root"] = os.path.abspath(options.tar)
        self.programs = Programs(options.peers)
        self.results = Results()
        self.results["facts"] = {"machine": machine(), "versions": self.programs.versions(),
                                 "runs": options.runs, "statistic": options.statistic,
                                 "memory_option": self.programs.knows(("--memory",))}
        self.results["missing"] = self.corpora.missing

    def corpus(self, name):
        corpus = self.corpora.get(name)
        if corpus:
            self.results["corpora"][name] = corpus.facts()
        return corpus

    def images(self, corpus):
        """Builds, and whatever wants the images; then they are gone."""
        options, parts = self.options, self.options.only
        table = rows.builds(self.programs, options.quick)
        if options.rows:
            table = [row for row in table if any(text in row.name for text in options.rows)]
        reads = "read" in parts and corpus.name in rows.READ_CORPORA
        if "build" not in parts and "random" not in parts:
            used = {read.image for read in rows.READS}
            table = [row for row in table if reads and row.name in used]
        if not table:
            return
        runs = options.runs if "build" in parts else 1
        building.build_all(self.results, self.programs, table, corpus, runs, self.work, log)
        if "random" in parts:
            building.random_all(self.results, self.programs, table, corpus, options.runs, self.work,
                                log)
        if reads:
            read_all(self.results, self.programs, corpus, options.runs, self.work, log)
        for row in table:
            image = building.image_path(self.work, row.name)
            if os.path.exists(image):
                os.unlink(image)

    def all(self):
        options, parts = self.options, self.options.only
        found = [corpus for corpus in map(self.corpus, options.corpus) if corpus]
        for corpus in found:
            self.images(corpus)
        for corpus in found:
            if "overlay" in parts and corpus.name in rows.STACK_CORPORA:
                overlay.overlay_all(self.results, self.programs, corpus, options.runs, self.work,
                                    log)
        root = next((corpus for corpus in found if corpus.name == "root"), None)
        if root and "start" in parts:
            start_all(self.results, self.programs, root, options.runs, self.work, log)
        if root and "jobs" in parts:
            scaling.jobs_all(self.results, self.programs, root, options.runs, self.work, log)
        if root and "layers" in parts and not options.tar:
            upgrade = self.corpora.get("upgrade")
            if upgrade:
                layers.layers_all(self.results, self.programs, root, upgrade, options.quick,
                                  self.work, log)
        if "instructions" in parts:
            scaling.instructions_all(self.results, self.programs, found, self.work, log)
        if root and options.large:
            scaling.large_all(self.results, self.programs, root, options.large, self.work, log)


def main():
    options = parse()
    if options.report:
        report.publish(Results.load(options.report), options.output)
        return
    if os.geteuid():
        sys.exit("run.sh: needs root to mount and to drop caches")
    work = tempfile.mkdtemp(prefix="mica-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        run = Run(options, work)
        try:
            run.all()
        finally:
            report.publish(run.results, options.output)
    finally:
        shutil.rmtree(work, ignore_errors=True)


main()

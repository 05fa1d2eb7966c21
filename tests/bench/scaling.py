# SPDX-License-Identifier: MIT
"""What one number for a build does not show: more workers, instructions, a long stream."""
import json
import os
import re
import subprocess
import sys
import tarfile
import zlib

from corpora import EPOCH
from programs import Failed, ThreadProfile, measure
from rows import NEWER, Build, mica, mkfs_erofs, mksquashfs

MICA_OPTIONS = "-z zstd:3 --compat 6.12"
SAMPLE = 24  # one file in so many, for what runs under callgrind


def jobs_all(results, programs, corpus, runs, work, log):
    """One worker against two, in turns, and how often threads had to wait for one."""
    log("one worker and two")
    image, found = f"{work}/jobs.img", {"1": [], "2": []}
    corpus.warm(False)
    for _ in range(max(runs, 3)):
        for jobs, times in found.items():
            row = mica("", f"{MICA_OPTIONS} -j {jobs}")
            wall, cpu, _ = measure(work, row.command(programs.find("mica"), corpus, image))
            times.append([wall, cpu])
            os.unlink(image)
    profile = ThreadProfile()
    row = mica("", f"{MICA_OPTIONS} -j 2")
    with subprocess.Popen(row.command(programs.find("mica"), corpus, image),
                          stdin=subprocess.DEVNULL) as process:
        profile.watch(process)
    os.unlink(image)
    results["jobs"] = {"runs": found, "samples": profile.samples, "alone": profile.alone,
                       "main_ns": profile.main_ns, "all_ns": profile.all_ns}


def sample(corpus, path):
    """A tar of some of the files of another."""
    with tarfile.open(corpus.tar) as whole, tarfile.open(path, "w") as part:
        for info in whole:
            if info.isreg() and zlib.crc32(info.name.encode(errors="replace")) % SAMPLE == 0:
                info.pax_headers = {}
                info.mtime = EPOCH
                part.addfile(info, whole.extractfile(info))


def perf_counts():
    done = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode == 0 and done.stderr[:1].isdigit()


def by_perf(work, command, stdin):
    measure(work, ["perf", "stat", "-x,", "-o", f"{work}/perf", "-e", "instructions:u", *command],
            stdin)
    with open(f"{work}/perf", encoding="ascii") as file:
        counted = [line for line in file if "instructions" in line]
    return int(counted[0].split(",")[0]), []


def by_callgrind(work, command, stdin):
    """(instructions, [(share, function)] of the dearest ones)"""
    out = f"{work}/callgrind"
    measure(work, ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command], stdin)
    listing = subprocess.run(["callgrind_annotate", "--threshold=90", out], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    total = int(re.search(r"([\d,]+) \(100\.0%\)  PROGRAM TOTALS", listing)[1].replace(",", ""))
    lines = re.findall(r"^ *[\d,]+ \( *([\d.]+)%\)  \S*?:(\S+)(?: .*?\[.*/(.*)\])?", listing, re.M)
    return total, [(float(share), library if name.startswith("0x") else name)
                   for share, name, library in lines[:8]]


def counted_rows():
    yield mica("zstd:3, 6.12", f"{MICA_OPTIONS} -j 1")
    yield mica("zstd:3, 6.15", "-z zstd:3 --compat 6.15 -j 1")
    yield mica("lz4, 6.12", "-z lz4 --compat 6.12 -j 1")
    yield mica("none, 6.12", "-z none --compat 6.12 -j 1")
    for program in ("mksquashfs", NEWER + "mksquashfs"):
        yield mksquashfs(program, "zstd:3", "-comp zstd -Xcompression-level 3 -processors 1")
    yield mkfs_erofs("zstd:3 64K", "-zzstd,level=3 -C65536 --workers=1", "%T")


class Sample:
    def __init__(self, tar):
        self.tar = self.directory = tar


def instructions_all(results, programs, corpora, work, log):
    perf = perf_counts()
    results["facts"]["instructions"] = "perf stat" if perf else "callgrind"
    for corpus in corpora:
        part = corpus
        if not perf:
            part = Sample(f"{work}/sample.tar")
            sample(corpus, part.tar)
        size = os.path.getsize(part.tar)
        for row in counted_rows():
            if not programs.find(row.program):
                continue
            log(f"{corpus.name}: instructions of {row.name}")
            try:
                count, functions = count_one(perf, programs, row, part, work)
            except Failed as error:
                results.note(f"instructions, {corpus.name}, {row.name}: {error}")
                continue
            results["instructions"].append({"corpus": corpus.name, "name": row.name, "bytes": size,
                                            "count": count, "functions": functions})


def count_one(perf, programs, row: Build, part, work):
    image = f"{work}/counted.img"
    if os.path.exists(image):
        os.unlink(image)
    with open(part.tar if row.stdin else os.devnull, "rb") as stdin:
        command = row.command(programs.find(row.program), part, image)
        return (by_perf if perf else by_callgrind)(work, command, stdin)


def large_all(results, programs, corpus, gigabytes, work, log):
    """A stream that is in no file, for the bound on memory."""
    log(f"a stream of {gigabytes} GB")
    facts, image = f"{work}/stream", f"{work}/large.img"
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stream.py")
    row = mica("", MICA_OPTIONS, "-")
    with subprocess.Popen([sys.executable, script, str(gigabytes * 1000), corpus.tar, facts],
                          stdout=subprocess.PIPE) as stream:
        wall, cpu, peak = measure(work, row.command(programs.find("mica"), corpus, image),
                                  stream.stdout)
    with open(facts, encoding="ascii") as file:
        results["large"] = {**json.load(file), "wall": wall, "cpu": cpu, "peak": peak,
                            "image": os.path.getsize(image)}
    os.unlink(image)

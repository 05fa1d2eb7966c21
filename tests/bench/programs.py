# SPDX-License-Identifier: MIT
"""Where the programs are, which versions they have, and how one run is measured."""
import os
import re
import shlex
import shutil
import subprocess
import time

MICA = os.environ.get("MICA", "")
TOOLS = os.environ.get("TOOLS", "")
NEWER = "newer "  # before the name of a program that is taken from --peers


class Programs:
    def __init__(self, peers):
        self.peers = peers
        self.help = subprocess.run([MICA, "mkimage", "--help"], check=True,
                                   stdout=subprocess.PIPE).stdout.decode()

    def find(self, name):
        """The path of mica, mksquashfs, newer mksquashfs, ..., or None."""
        if name == "mica":
            return MICA
        if not name.startswith(NEWER):
            return shutil.which(name)
        return shutil.which(name[len(NEWER):], path=self.peers) if self.peers else None

    def knows(self, needs):
        """Whether this mica's mkimage has every option and word of needs."""
        return all(need in self.help for need in needs)

    def version(self, name):
        path = self.find(name)
        if not path:
            return None
        for flag in ("-version", "--version", "-V", "--help"):
            done = subprocess.run([path, flag], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            found = re.search(rb"\bv?(\d+\.\d+(\.\d+)*)", done.stdout[:400])
            if found:
                return found[1].decode()
        return None

    def versions(self):
        names = ["mica", "mksquashfs", "mkfs.erofs", "squashfuse_ll", "mkdwarfs"]
        found = [(name, self.version(name)) for name in names]
        found += [(NEWER + name, self.version(NEWER + name)) for name in names[1:]]
        return {name: version for name, version in found if version}


class Failed(Exception):
    """What a program said when it failed."""


def measure(work, command, stdin=None):
    """Runs it; (wall seconds, CPU seconds, peak bytes). The helper is small, so that
    the peak is that of the program and not of who started it."""
    times = f"{work}/times"
    if os.path.exists(times):
        os.unlink(times)
    with open(f"{work}/said", "w+b") as said:
        done = subprocess.run([f"{TOOLS}/measure", times, *command],
                              stdin=stdin or subprocess.DEVNULL, stdout=said,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            raise Failed(f"{shlex.join(command[:2])}: {lines[-1] if lines else done.returncode}")
    with open(times, encoding="ascii") as file:
        wall, cpu, kib = file.read().split()
    return float(wall), float(cpu), int(kib) * 1024


class ThreadProfile:
    """How many threads of a running program could run, seen every few milliseconds.
    Whether a thread has a CPU does not matter: others may use the machine, too."""

    def __init__(self):
        self.samples = 0
        self.alone = 0      # samples with one thread that could run, or none
        self.main_ns = 0    # CPU time of the first thread
        self.all_ns = 0

    def watch(self, process):
        """Until it ends; its children are not looked at."""
        last = {}
        while process.poll() is None:
            runnable = self.look(process.pid, last)
            if runnable is not None:
                self.samples += 1
                self.alone += runnable <= 1
            time.sleep(0.002)
        self.main_ns = last.get(process.pid, 0)
        self.all_ns = sum(last.values())

    @staticmethod
    def look(pid, last):
        runnable = 0
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/stat", "rb") as f:
                    runnable += f.read().rpartition(b")")[2].split()[0] == b"R"
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
                    last[int(thread)] = int(f.read().split()[0])
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return None
        return runnable

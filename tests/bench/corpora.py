# SPDX-License-Identifier: MIT
"""The inputs, each as a tar and as the directory that it unpacks to. They are made
with the machine's own package clients, once, and kept."""
import glob
import os
import shutil
import subprocess

ROOT_PACKAGES = "python3,build-essential"
LINUX_PACKAGE = "linux-source-6.1"
NPM_PACKAGES = """webpack webpack-cli typescript@5 eslint react react-dom next @mui/material
@mui/icons-material @emotion/react @emotion/styled jest date-fns lodash vite vue rxjs prettier
@babel/preset-env""".split()
EPOCH = 1700000000  # the time of what is made here
TAR = ["tar", "--sort=name", "--format=posix", "--numeric-owner", "--xattrs", "--acls", "-S",
       "--pax-option=delete=atime,delete=ctime"]


class Missing(Exception):
    """Why a corpus could not be made."""


def run(*command, **more):
    try:
        done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, **more)
    except FileNotFoundError as error:
        raise Missing(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise Missing(f"{command[0]}: {said[-1] if said else error}") from error
    return done.stdout.decode()


def pack(directory, tar):
    run(*TAR, "-C", directory, "-cf", tar, ".")


def unpack(tar, directory):
    os.mkdir(directory)
    run("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-xpf", tar, "-C",
        directory)


def make_debian(tar, suites):
    """Debian 12, minimal, with a compiler and Python, from the suites that apt knows."""
    listing = run("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)",
                  "Created-By: Packages")
    known = {(line.split()[0], line.split()[1]): line.split()[2] for line in listing.splitlines()}
    lines = []
    for suite in suites:
        if (suite, "main") not in known:
            raise Missing(f"apt has no package lists of {suite}")
        lines.append(f"deb {known[suite, 'main']} {suite} main")
    # the package lists stay in, as debootstrap leaves them
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={ROOT_PACKAGES}",
        "--skip=cleanup/apt/lists", "bookworm", tar, *lines,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})


def make_root(tar, _):
    make_debian(tar, ["bookworm"])


def make_upgrade(tar, _):
    """The same root with every security fix since its release."""
    make_debian(tar, ["bookworm", "bookworm-updates", "bookworm-security"])


def make_linux(tar, work):
    run("apt-get", "download", LINUX_PACKAGE, cwd=work)
    run("dpkg-deb", "-x", glob.glob(f"{work}/*.deb")[0], f"{work}/package")
    source = glob.glob(f"{work}/package/usr/src/*.tar.xz")[0]
    os.mkdir(f"{work}/tree")
    run("tar", "--strip-components=1", "-xf", source, "-C", f"{work}/tree")
    pack(f"{work}/tree", tar)


def make_nm(tar, work):
    os.mkdir(f"{work}/tree")
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix",
        f"{work}/tree", *NPM_PACKAGES, cwd=f"{work}/tree")
    run("chown", "-hR", "0:0", f"{work}/tree")
    run("find", f"{work}/tree", "-exec", "touch", "-h", "-d", f"@{EPOCH}", "{}", "+")
    pack(f"{work}/tree", tar)


MAKERS = {"root": make_root, "upgrade": make_upgrade, "linux": make_linux, "nm": make_nm}


class Corpus:
    def __init__(self, name, tar, directory):
        self.name, self.tar, self.directory = name, tar, directory
        self.bytes = os.path.getsize(tar)
        names = subprocess.run(["tar", "-tf", tar], check=True, stdout=subprocess.PIPE).stdout
        parts = [name.rstrip(b"/").rpartition(b"/")[2] for name in names.splitlines()]
        self.entries = len(parts)
        self.name_bytes = sum(len(part) for part in parts)

    def facts(self):
        return {"bytes": self.bytes, "entries": self.entries, "name_bytes": self.name_bytes}

    def warm(self, directory):
        """Read it, so that no build waits for the disk."""
        command = ["tar", "-C", self.directory, "-cf", "-", "."] if directory else ["cat", self.tar]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
            while reader.stdout.read(1 << 20):
                pass


class Corpora:
    def __init__(self, cache, log):
        self.cache, self.log = cache, log
        self.given = {}    # name: a tar of the user's
        self.missing = {}  # name: why

    def get(self, name):
        """The corpus, or None when it cannot be made."""
        if name in self.missing:
            return None
        tar = self.given.get(name, f"{self.cache}/{name}.tar")
        directory = f"{self.cache}/{name}"
        if name in self.given:
            directory = f"{self.cache}/given"
            shutil.rmtree(directory, ignore_errors=True)
        try:
            if not os.path.exists(tar):
                self.log(f"making {tar}")
                self.make(name, tar)
            if not os.path.exists(directory):
                shutil.rmtree(f"{directory}.part", ignore_errors=True)
                unpack(tar, f"{directory}.part")
                os.rename(f"{directory}.part", directory)
        except (Missing, OSError, IndexError) as error:
            self.missing[name] = str(error)
            self.log(f"no corpus {name}: {error}")
            return None
        # mkfs.erofs takes no symlink for a directory
        return Corpus(name, tar, os.path.realpath(directory))

    def make(self, name, tar):
        work = f"{self.cache}/{name}.work"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        try:
            MAKERS[name](f"{work}/whole.tar", work)
            os.rename(f"{work}/whole.tar", tar)
        finally:
            shutil.rmtree(work, ignore_errors=True)

# SPDX-License-Identifier: MIT
# The head of small programs that write a tar which no tar program would write.
import atexit
import io
import sys
import tarfile

t = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT, encoding="utf-8",
                 errors="surrogateescape")
atexit.register(t.close)


def add(name, type=tarfile.REGTYPE, data=b"", mode=None, mtime=1000000000, uid=0, gid=0, link="",
        pax=None, major=0, minor=0):
    info = tarfile.TarInfo(name)
    info.type = type
    info.size = len(data)
    info.mode = mode if mode is not None else 0o755 if type == tarfile.DIRTYPE else 0o644
    info.mtime, info.uid, info.gid, info.linkname = mtime, uid, gid, link
    info.devmajor, info.devminor = major, minor
    info.pax_headers = pax or {}
    t.addfile(info, io.BytesIO(data))



# SPDX-License-Identifier: MIT
# The head of small programs that write OCI image layouts and docker archives,
# right and wrong ones: python_layout in helpers.bash.
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
INDEX = OCI + "index.v1+json"
MANIFEST = OCI + "manifest.v1+json"
CONFIG = OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar"
TAG = "org.opencontainers.image.ref.name"


def sha(data, alg="sha256"):
    return alg + ":" + hashlib.new(alg, data).hexdigest()


def tar(**files):
    """A layer: names with "/" as "__", None: a directory, "-> x": a symlink, a tuple: xattrs"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.mtime = 1000000000
            if data is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                t.addfile(info)
                continue
            data = data.encode() if isinstance(data, str) else data
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def pack(data, how):
    if how == "":
        return data
    if how == "gzip":
        return gzip.compress(data, mtime=0)
    return subprocess.run([how, "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


class Layout:
    """A layout directory; what is made stays open to be broken."""

    def __init__(self, path="lay"):
        self.path, self.entries = path, []
        os.makedirs(path + "/blobs/sha256", exist_ok=True)
        os.makedirs(path + "/blobs/sha512", exist_ok=True)
        self.file("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))

    def file(self, name, data):
        with open(self.path + "/" + name, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)

    def blob_path(self, desc):
        return self.path + "/blobs/" + desc["digest"].replace(":", "/")

    def blob(self, data, type, alg="sha256", **more):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        desc = {"mediaType": type, "digest": sha(data, alg), "size": len(data), **more}
        self.file("blobs/" + desc["digest"].replace(":", "/"), data)
        return desc

    def layer(self, data, how="gzip", type=None, alg="sha256"):
        if type is None:
            type = LAYER + ("+" + how if how else "")
        desc = self.blob(pack(data, how), type, alg)
        desc["_diff_id"] = sha(data)
        return desc

    def manifest(self, layers, arch="amd64", os="linux", config={}, manifest={}, desc={},
                 config_type=CONFIG, variant=None):
        diff_ids = [layer.get("_diff_id", sha(b"")) for layer in layers]
        layers = [{k: v for k, v in layer.items() if k != "_diff_id"} for layer in layers]
        c = {"architecture": arch, "os": os, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        if variant:
            c["variant"] = variant
        c.update(config)
        m = {"schemaVersion": 2, "mediaType": MANIFEST,
             "config": self.blob(c, config_type), "layers": layers}
        m.update(manifest)
        return {**self.blob(m, m.get("mediaType") or MANIFEST), **desc}

    def platform(self, layers, arch, variant=None, os="linux"):
        """A manifest for an index that has several"""
        d = self.manifest(layers, arch, os, variant=variant)
        d["platform"] = {"architecture": arch, "os": os}
        if variant:
            d["platform"]["variant"] = variant
        return d

    def index(self, manifests, **more):
        return self.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX,
                         **more)

    def add(self, desc, tag=None):
        if tag:
            desc = {**desc, "annotations": {**desc.get("annotations", {}), TAG: tag}}
        self.entries.append(desc)
        self.write()
        return desc

    def write(self, **more):
        self.file("index.json", json.dumps({"schemaVersion": 2, "manifests": self.entries, **more}))


class Docker:
    """A docker archive"""

    def __init__(self, path="docker.tar"):
        self.t, self.images = tarfile.open(path, "w"), []

    def member(self, name, data, **more):
        info = tarfile.TarInfo(name)
        data = data.encode() if isinstance(data, str) else data
        info.size = len(data)
        for k, v in more.items():
            setattr(info, k, v)
        self.t.addfile(info, io.BytesIO(data))

    def image(self, layers, tags=None, config=None, names=None, arch="amd64"):
        c = json.dumps({"architecture": arch, "os": "linux",
                        "rootfs": {"type": "layers", "diff_ids": [sha(d) for d in layers]}})
        config = config or sha(c.encode())[7:] + ".json"
        self.member(config, c)
        if names is None:
            names = ["%s/layer.tar" % sha(d)[7:] for d in layers]
            for name, data in zip(names, layers):
                self.member(name, data)
        self.images.append({"Config": config, "RepoTags": tags, "Layers": names})

    def end(self):
        self.member("manifest.json", json.dumps(self.images))
        self.t.close()



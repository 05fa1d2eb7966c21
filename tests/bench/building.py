# SPDX-License-Identifier: MIT
"""Building every row's image in turns, and what a small read of each costs."""
import os

import mounts
from programs import NEWER, Failed, measure


def image_path(work, name):
    return f"{work}/{''.join(c if c.isalnum() else '_' for c in name)}.img"


def build_one(results, programs, row, corpus, work):
    image = image_path(work, row.name)
    if os.path.exists(image):
        os.unlink(image)
    os.sync()
    entry = results.row("builds", corpus=corpus.name, name=row.name)
    entry.update(program=row.program, mount=row.mount)
    command = row.command(programs.find(row.program), corpus, image)
    try:
        with open(corpus.tar if row.stdin else os.devnull, "rb") as stdin:
            wall, cpu, peak = measure(work, command, stdin)
    except Failed as error:
        entry["error"] = str(error)
        results.note(f"{corpus.name}, {row.name}: {error}")
        if os.path.exists(image):
            os.unlink(image)
        return
    for name, value in (("wall", wall), ("cpu", cpu), ("peak", peak)):
        entry.setdefault(name, []).append(value)
    if "image" not in entry:
        entry["image"] = os.path.getsize(image)
        if row.mount == "erofs":
            entry.update(mounts.decoded(image))
    elif entry["image"] != os.path.getsize(image):
        results.note(f"{corpus.name}, {row.name}: the image's size varies from run to run")


def build_all(results, programs, rows, corpus, runs, work, log):
    """In turns: what disturbs the machine for a while disturbs all of them."""
    rows = [row for row in rows if corpus.name in row.corpora]
    for number in range(runs):
        log(f"{corpus.name}: building, round {number + 1} of {runs}")
        corpus.warm(False)
        if any(row.directory for row in rows):
            corpus.warm(True)
        for row in rows:
            if number and (row.slow or "error" in results.row("builds", corpus=corpus.name,
                                                              name=row.name)):
                continue
            if row.slow:
                log(f"{corpus.name}: {row.name}")
            build_one(results, programs, row, corpus, work)


def random_one(programs, row, image, work):
    """Microseconds: mean and median cold, CPU time with the image in the page cache."""
    how = NEWER + "dwarfs" if row.mount == "dwarfs" else f"loop:{row.mount}"
    times = []
    for warm in (None, image):
        mounts.drop_caches()
        with mounts.mounted(programs, how, image, work) as directory:
            times.append(mounts.read_places(mounts.places(directory), warm))
    (mean, median, _), (_, _, cpu) = times
    return {"random": mean, "random_median": median, "decode": cpu}


def random_all(results, programs, rows, corpus, runs, work, log):
    for number in range(runs):
        log(f"{corpus.name}: small reads, round {number + 1} of {runs}")
        for row in rows:
            image = image_path(work, row.name)
            entry = results.find("builds", corpus=corpus.name, name=row.name)
            if corpus.name not in row.corpora or not entry or not os.path.exists(image):
                continue
            try:
                times = random_one(programs, row, image, work)
            except mounts.NotMounted as error:
                results.note(f"{corpus.name}, {row.name}: not mounted here: {error}")
                continue
            for name, value in times.items():
                entry.setdefault(name, []).append(value)

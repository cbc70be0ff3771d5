"""What faults are inflicted on: commands over tiny scenes, and what is known of their files."""
import csv
import json
import os
import re
import struct
import subprocess

JOB = """\
name: made
seed: 11
threads: 1
data:
  train: {images: [a.tif, b.tif], labels: "{stem}_labels.tif"}
  val: {images: v.tif, labels: "{stem}_labels.tif"}
  classes: [{name: x, value: 1}, {name: y, value: 2}, {name: z, value: 3}]
model: {net: unet, width: 4, depth: 2}
train: {tile: 32, batch: 8, steps: 120, rate: 5e-3, validate_every: 30, save_every: %d, loader_threads: 1}
"""
# The same network from a tile store, and what such a store is made of.
STORED = "train job.yaml --auto-resume -o run data.store=tiles.h5 data.train.images=[] data.val.images=[]"
TILES = """\
name: tiles
data:
  scenes:
    - {image: a.tif, label: a_labels.tif}
    - {image: large.tif, label: large_labels.tif}
    - {image: v.tif, label: v_labels.tif, split: val}
  test: {images: map.tif}
  check_overlap: false
  classes: [{name: x, value: 1}, {name: y, value: 2}, {name: z, value: 3}]
"""
STACK = """\
name: stack
data:
  train: {images: large.tif, labels: large.gpkg}
  stack: [{file: "{stem}_coarse.tif", resample: bilinear}]
  attribute: value
  classes: [{name: x, value: 1}, {name: y, value: 2}, {name: z, value: 3}]
"""
SAVE_EVERY = 6
RANKS = 4
# Chunks of one block and one tile of f32: as many moments as a small scene can have.
CHUNKS = "--chunk 64 --tile 64 --batch 1 --precision f32 -co BLOCKSIZE=64"
BLEND = CHUNKS.replace("--tile", "--mode blend --overlap 16 --tile")
EXTENT = "-te 600370 5196200 604300 5199800"
PRODUCTS = "--confidence --sieve 5 --polygons --areas"


class Subject:
    """A command, which is given again after a fault, and what it reads and writes."""
    other_ranks = True  # may go on on
    checked = False  # has what it reads checksums, so that turned bytes in it do not go unseen?

    def __init__(self, name, words, inputs, written):
        self.name, self.words, self.inputs, self.written = name, words.split(), inputs, written

    def progress(self, folder):
        """Steps or chunks done at this moment, by what lies there."""
        return 0

    def kept(self, lab, folder):
        """As many as a run that goes on from here will not do again; None: it tells (taken_up)."""
        return None

    def taken_up(self, words):
        return 0

    def may_lose(self):
        return 0

    def saved(self, folder):
        """Files that hold it."""
        return []

    def halves(self, lab, folder, reference):
        """A file under a final name that is not whole, or None."""
        return None

    def differs(self, folder, reference):
        """A file that is there or not, or has other bytes than in the undisturbed run, or None."""
        names, wanted = listing(folder), listing(reference)
        if names != wanted:
            return f"files: {sorted(names ^ wanted)}"
        return next((name for name in sorted(names) if not self.same(folder, reference, name)), None)

    def same(self, folder, reference, name):
        return self.content(folder, name) == self.content(reference, name)

    def content(self, folder, name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    def complete(self, folder):
        """Has every file its final name?"""
        return False

    def stays_damaged(self, folder, reference, fault):
        """Was it struck when nobody would write that file any more?"""
        return False

    def cure(self, folder, fault):
        """The command was refused after this fault: do what the message says, and return words to add; None: it
        should not have been."""
        return None


class Training(Subject):
    other_ranks = False  # the losses would be others

    def progress(self, folder):
        try:
            with open(os.path.join(folder, "run", "metrics.csv"), encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if row and row[0].isdigit()]
            return int(rows[-1][0]) if rows else 0
        except OSError:
            return 0

    def kept(self, lab, folder):
        path = os.path.join(folder, "run", "last.h5")
        return json.loads(lab.tell(path) or '{"step": 0}')["step"] if os.path.exists(path) else 0

    def may_lose(self):
        return 2 * SAVE_EVERY  # the interval, and while the one before is still being written

    def saved(self, folder):
        names = [os.path.join(folder, "run", name) for name in ("last.h5", "previous.h5")]
        return [name for name in names if os.path.exists(name)]

    def halves(self, lab, folder, reference):
        for name in ("last.h5", "previous.h5", "best.h5"):
            path = os.path.join(folder, "run", name)
            if os.path.exists(path) and not lab.tell(path):
                return path
        return None

    def content(self, folder, name):
        """Without what time tells."""
        if name.endswith("metrics.csv"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                return [row[:5] + row[6:] for row in csv.reader(file)]
        return None if name.endswith("metrics.jsonl") else super().content(folder, name)

    def stays_damaged(self, folder, reference, fault):
        last = os.path.join("run", "last.h5")
        written = os.path.exists(os.path.join(folder, last)) and self.same(folder, reference, last)
        return written and fault.struck == "run/previous.h5"

    def cure(self, folder, fault):
        if fault.struck != "run/last.h5" or os.path.exists(os.path.join(folder, "run", "previous.h5")):
            return None
        os.unlink(os.path.join(folder, "run", "last.h5"))
        return []


class StoredTraining(Training):
    """From a tile store, which is read until the end."""
    checked = True


class Kept(Subject):
    """What is finished of it lies in a folder beside its output."""

    def spools(self, folder):
        for name, _, files in os.walk(folder):
            if name.endswith(".parts"):
                yield from (os.path.join(name, file) for file in files if file.endswith(".spool"))

    def saved(self, folder):
        spools = [path for path in self.spools(folder) if os.path.getsize(path) > 0]
        return spools + [os.path.join(os.path.dirname(spools[0]), "journal")] if spools else []

    def halves(self, lab, folder, reference):
        for name in self.written:
            if os.path.exists(os.path.join(folder, name)) and not self.same(folder, reference, name):
                return name
        return None

    def complete(self, folder):
        return all(os.path.exists(os.path.join(folder, name)) for name in self.written)

    def cure(self, folder, fault):
        """A journal that is damaged, or tells of a scene as it was when it was damaged."""
        journal = (fault.struck or "").endswith("/journal")
        return ["--restart"] if journal or fault.scene else None


class Tiling(Kept):
    def progress(self, folder):
        """Tiles of which a spool has a whole record."""
        return len({number for path in self.spools(folder) for number, _ in records(path)})

    def taken_up(self, words):
        found = re.search(r"an earlier run has made (\d+) of", words)
        return int(found.group(1)) if found else 0


class Prediction(Kept):
    def progress(self, folder):
        """Chunks whose record is in a spool of the mask: the only ones without data."""
        found = set()
        for path in self.spools(folder):
            if os.path.basename(os.path.dirname(path)) == self.written[0] + ".parts":
                found |= {number for number, size in records(path) if size == 0}
        return len(found)

    def taken_up(self, words):
        found = re.search(r"an earlier run has finished (\d+) of", words)
        return int(found.group(1)) if found else 0

    def may_lose(self):
        return 0 if self.written == MASK else RANKS  # in flight between one output and the next


def records(path):
    """Number and bytes of each whole record of a spool, as far as it goes."""
    found, at = [], 0
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return found
    while at + 24 <= len(data):
        record, size = struct.unpack_from("<qq", data, at + 8)
        at += 24 + size
        if at <= len(data):
            found.append((record, size))
    return found


def listing(folder):
    return {os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder) for name in names}


MASK = ["m.tif", "m.qml", "m.tif.aux.xml"]
MADE = ["map_confidence.tif", "map_polygons.gpkg", "map_polygons.qml", "map_areas.csv"]
TRAINED_ON = ["a.tif", "b.tif", "v.tif", "a_labels.tif", "v_labels.tif"]
MAPPED = ["map.tif", "model.h5"]
TILED = ["a.tif", "large.tif", "v.tif", "map.tif", "a_labels.tif", "large_labels.tif", "v_labels.tif"]
STACKED = ["large.tif", "large_coarse.tif", "large.gpkg"]

SUBJECTS = [
    Training("train", "train job.yaml --auto-resume -o run", TRAINED_ON, ["run"]),
    StoredTraining("train, store", STORED, ["tiles.h5"], ["run"]),
    Tiling("tile", "tile tiles.yaml -o t.h5 --tile 32 --level 9 --threads 1", TILED, ["t.h5"]),
    Tiling("tile, stack", "tile stack.yaml -o t.h5 --tile 32 --level 9 --threads 2", STACKED, ["t.h5"]),
    Prediction("predict", f"predict map.tif -m model.h5 -o m.tif {CHUNKS}", MAPPED, MASK),
    Prediction("predict, products", f"predict map.tif -m model.h5 -o m.tif {CHUNKS} {PRODUCTS}", MAPPED, MASK + MADE),
    Prediction("blend", f"predict map.tif -m model.h5 -o m.tif {BLEND}", MAPPED, MASK),
    Prediction("part, cutline", f"predict map.tif -m model.h5 -o m.tif {CHUNKS} --cutline line.geojson {EXTENT}",
               MAPPED, MASK),
    Prediction("mosaic", f"predict --mosaic m.tif west.tif east.tif -m model.h5 {BLEND}",
               ["west.tif", "east.tif", "model.h5"], MASK),
    Prediction("blend, products", f"predict map.tif -m model.h5 -o m.tif {BLEND} {PRODUCTS}", MAPPED, MASK + MADE),
]


CUTLINE = [[600400, 5199700], [604500, 5199500], [604100, 5196300], [600700, 5196500], [600400, 5199700]]


def write_cutline(path):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    polygon = {"type": "Polygon", "coordinates": [CUTLINE]}
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"type": "FeatureCollection", "crs": crs, "features": [feature]}, file)


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def make_inputs(lab, folder):
    """Scenes, jobs, a tile store, and a model that has learnt them a little: a map has several classes."""
    def run(*words):
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def scene(*words):
        run(lab.beside("make_scene"), *words, "-k", "3", "-t", "Byte")
    for i, name in enumerate("abv"):
        scene("-o", f"{name}.tif", "-l", f"{name}_labels.tif", "-s", "160x160", "-b", "3", "--block", "32",
              "--offset", f"{300 * i},0")
    scene("-o", "map.tif", "-s", "480x416", "-b", "3", "--block", "64", "--nodata-share", "0.1", "--seed", "4")
    scene("-o", "west.tif", "-s", "288x416", "-b", "3", "--block", "64", "--seed", "4")
    scene("-o", "east.tif", "-s", "256x416", "-b", "3", "--block", "64", "--seed", "4", "--offset", "224,0")
    scene("-o", "large.tif", "-l", "large_labels.tif", "--vector", "large.gpkg", "-s", "800x704", "-b", "3",
          "--block", "64", "--offset", "1500,0")
    scene("-o", "large_coarse.tif", "-s", "400x352", "-b", "2", "--gsd", "20", "--block", "32", "--offset", "750,0")
    write_cutline(os.path.join(folder, "line.geojson"))
    write_text(os.path.join(folder, "job.yaml"), JOB % SAVE_EVERY)
    write_text(os.path.join(folder, "tiles.yaml"), TILES)
    write_text(os.path.join(folder, "stack.yaml"), STACK)
    run(lab.program, "tile", "job.yaml", "-o", "tiles.h5", "--tile", "32", "-q")
    run(lab.program, "train", "job.yaml", "-o", "made", "-q")
    os.rename(os.path.join(folder, "made", "best.h5"), os.path.join(folder, "model.h5"))

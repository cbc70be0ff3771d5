"""tensorboard_pictures.py RUN: RUN/pictures hold all validation tiles of the made scene: image, truth and prediction side by
side, with as many pixels right as metrics.csv says."""
import csv
import glob
import os
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()
run, GAP, BLOCK = sys.argv[1], 4, 128
scene = gdal.Open("scene.tif").ReadAsArray().astype(float)
labels = gdal.Open("labels.tif").ReadAsArray()


def look(path):
    canvas = gdal.Open(path).ReadAsArray().transpose(1, 2, 0)
    height, width, bands = canvas.shape
    assert f"_{width}x{height}." in path and bands == 4
    side = (width - 2 * GAP) // 3
    assert side == height == BLOCK, (side, height)
    image, truth, prediction = (canvas[:, k * (side + GAP):k * (side + GAP) + side, :3] for k in range(3))
    assert (canvas[:, side:side + GAP] == 255).all()
    found = []
    for y in range(0, labels.shape[0], side):
        for x in range(0, labels.shape[1], side):
            there = labels[y:y + side, x:x + side]
            colours = [truth[there == v] for v in (1, 2, 3)]
            if all((c == c[:1]).all() for c in colours):
                found.append((x, y))
    assert len(found) == 1, (path, found)
    x, y = found[0]
    there = labels[y:y + side, x:x + side]
    values = scene[:, y:y + side, x:x + side]
    for b in range(3):  # one straight line from values to levels, but for what lies beyond
        level = image[:, :, b]
        inside = (level > 0) & (level < 255)
        line = np.polyfit(values[b][inside], level[inside], 1)
        assert line[0] > 0 and np.abs(np.polyval(line, values[b][inside]) - level[inside]).max() < 1.01, (path, b, line)
    return (x, y), there, truth, prediction


with open(os.path.join(run, "metrics.csv"), encoding="utf-8") as file:
    accuracy = {row["step"]: float(row["val_accuracy"]) for row in csv.DictReader(file) if row["val_miou"]}
for step, wanted in accuracy.items():
    tiles = [look(path) for path in sorted(glob.glob(os.path.join(run, "pictures", step + "_*.png")))]
    assert len({place for place, *_ in tiles}) == len(tiles) > 1, tiles
    there, truth, prediction = (np.concatenate([t[k] for t in tiles]) for k in (1, 2, 3))
    colours = np.array([truth[there == value][0] for value in (1, 2, 3)])
    assert len(np.unique(colours, axis=0)) == 3
    same = (prediction[None] == colours[:, None, None, :]).all(3)
    assert same.any(0).all(), "a colour that no class has"
    share = (same.argmax(0) + 1 == there).mean()
    assert abs(share - wanted) < 1e-6, (step, share, wanted)
print(len(accuracy), "validations of", len(tiles), "tiles")

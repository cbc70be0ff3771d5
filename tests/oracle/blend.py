"""blend.py cut|compare SCENE STRIDE TILE OVERLAP: the tiles of a blended map as scenes of their own in tiles/; and
mask.tif and p.tif against the weighted mean of what was made of them."""
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()


def origins(length, stride, tile, overlap):
    padded = -(-length // stride) * stride
    tile = min(tile, padded)
    starts = list(range(0, padded - tile + 1, tile - overlap)) if padded > tile else [0]
    if starts[-1] + tile < padded:
        starts.append(padded - tile)
    return tile, starts


def window(tile, overlap):
    edge = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 0.5
    return np.sin(np.pi / 2 * np.minimum(edge / overlap, 1)) ** 2 if overlap else np.ones(tile)


def main():
    what, scene = sys.argv[1:3]
    stride, tile, overlap = map(int, sys.argv[3:])
    source = gdal.Open(scene)
    w, h = source.RasterXSize, source.RasterYSize
    tile_w, xs = origins(w, stride, tile, overlap)
    tile_h, ys = origins(h, stride, tile, overlap)
    places = [(x, y, min(tile_w, w - x), min(tile_h, h - y)) for y in ys for x in xs]
    if what == "cut":
        for x, y, across, down in places:
            gdal.Translate(f"tiles/{x}_{y}.tif", source, srcWin=[x, y, across, down])
        return
    probabilities = gdal.Open("p.tif").ReadAsArray().astype(float)
    sums, weights = np.zeros_like(probabilities), np.zeros((h, w))
    for x, y, across, down in places:
        weight = window(tile_h, overlap)[:down, None] * window(tile_w, overlap)[None, :across]
        sums[:, y:y + down, x:x + across] += weight * gdal.Open(f"tiles/{x}_{y}_probabilities.tif").ReadAsArray()
        weights[y:y + down, x:x + across] += weight
    assert (weights > 0).all()
    wanted = sums / weights
    known = probabilities[0] >= 0
    assert (known == (wanted[0] > -0.5)).all() and (probabilities[:, ~known] == -1).all()
    worst = np.abs(probabilities - wanted)[:, known].max()
    assert worst < 2e-6, worst  # a few roundings of f32
    dataset = gdal.Open("mask.tif")
    mask = dataset.ReadAsArray()
    assert (mask[~known] == dataset.GetRasterBand(1).GetNoDataValue()).all()
    assert (mask[known] == probabilities[:, known].argmax(0) + 1).all()
    values = np.unique(mask[known])
    assert len(values) > 1, "one class only: it would be the same by chance"
    print(f"{len(places)} tiles, {len(values)} classes, largest difference {worst:.1e}")


main()

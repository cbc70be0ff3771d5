"""cog_overviews.py FILE...: are the overviews majorities (bytes) and means (reals) of the raster?"""
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()


def cells(pixels, side, nodata):
    """(h, w) into (h / side, w / side, side * side), padded with nodata."""
    h, w = pixels.shape
    padded = np.pad(pixels, ((0, -h % side), (0, -w % side)), constant_values=nodata)
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    return padded.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows, columns, -1)


def majority(pixels, side, nodata):
    """The most frequent value of each cell, the smallest of several."""
    values = [v for v in np.unique(pixels) if v != nodata]
    counts = np.stack([(cells(pixels, side, nodata) == v).sum(-1) for v in values])
    winner = np.array(values, pixels.dtype)[counts.argmax(0)]
    return np.where(counts.max(0) == 0, np.array(nodata, pixels.dtype), winner)


def mean(pixels, side, nodata):
    all_cells = cells(pixels, side, nodata).astype(np.float64)
    valid = all_cells != nodata
    count = valid.sum(-1)
    sums = np.where(valid, all_cells, 0).sum(-1)
    return np.where(count == 0, nodata, sums / np.maximum(count, 1))


def check(path):
    dataset = gdal.Open(path)
    for number in range(1, dataset.RasterCount + 1):
        band = dataset.GetRasterBand(number)
        pixels, nodata = band.ReadAsArray(), band.GetNoDataValue()
        assert len(np.unique(pixels)) > 1, "a raster that shows nothing"
        levels = max(pixels.shape).bit_length() - 8 if max(pixels.shape) > 256 else 0
        assert band.GetOverviewCount() == levels, band.GetOverviewCount()
        before = None
        for k in range(band.GetOverviewCount()):
            overview = band.GetOverview(k).ReadAsArray()
            assert band.GetOverview(k).GetNoDataValue() == nodata
            if 2 << k > 256:  # cells larger than a block: of the level before
                assert (overview == majority(before, 2, nodata)).all(), f"{path}: overview {k}"
            elif pixels.dtype == np.uint8:
                assert (overview == majority(pixels, 2 << k, nodata)).all(), f"{path}: overview {k}"
            else:  # sums in another order, rounded once
                apart = np.abs(overview - mean(pixels, 2 << k, nodata)).max()
                assert apart <= 2.0**-24, f"{path}: overview {k} is {apart} apart"
            before = overview


for name in sys.argv[1:]:
    check(name)
    print(name, "has the overviews it should have")

#!/usr/bin/python3
"""make_odd.py BASE FOLDER: write the zoo of odd rasters, made from the upper left of BASE (a scene of
bytes, better with CRS and geotransform), into FOLDER, and FOLDER/list.txt: one line "NAME KIND WHAT"
each.

KIND says what a program that maps BASE's bands has to do with the file:
  map      the mask has the scene's size and place
  empty    the same, and every pixel of the mask is nodata
  force    refused for its ground sampling distance unless that is overridden
  refuse   refused with one clear line that names the file
"""
import os
import sys

import numpy as np
from osgeo import gdal, gdal_array, osr

gdal.UseExceptions()
SIZE = 150  # pixels: not a multiple of any block or stride


class Zoo:
    def __init__(self, base, folder):
        dataset = gdal.Open(base)
        self.pixels = np.atleast_3d(dataset.ReadAsArray(0, 0, SIZE, SIZE))
        if dataset.RasterCount == 1:
            self.pixels = self.pixels.transpose(2, 0, 1)
        self.geotransform = dataset.GetGeoTransform(can_return_null=True)
        self.crs = dataset.GetProjection()
        self.folder = folder
        self.lines = []

    def note(self, name, kind, what):
        self.lines.append(f"{name} {kind} {what}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, kind, what, pixels=None, options=(), nodata=None, geotransform=0, crs=0,
              gdal_type=None, alpha=False):
        """pixels: (bands, rows, columns). geotransform, crs: 0 for BASE's, None for none."""
        pixels = self.pixels if pixels is None else pixels
        bands, rows, columns = pixels.shape
        if gdal_type is None:
            gdal_type = gdal_array.NumericTypeCodeToGDALTypeCode(pixels.dtype)
        options = list(options)
        if not any(o.startswith("PHOTOMETRIC") for o in options):
            options.append("PHOTOMETRIC=MINISBLACK")
        dataset = gdal.GetDriverByName("GTiff").Create(
            self.path(name), columns, rows, bands, gdal_type, options)
        place = self.geotransform if geotransform == 0 else geotransform
        if place:
            dataset.SetGeoTransform(place)
        crs = self.crs if crs == 0 else crs
        if crs:
            dataset.SetProjection(crs)
        if nodata is not None:
            for band in range(bands):
                dataset.GetRasterBand(band + 1).SetNoDataValue(nodata)
        if alpha:
            dataset.GetRasterBand(bands).SetColorInterpretation(gdal.GCI_AlphaBand)
        dataset.WriteArray(pixels)
        self.note(name, kind, what)
        return dataset

    def finish(self):
        with open(self.path("list.txt"), "w") as out:
            out.write("\n".join(self.lines) + "\n")


def shapes(zoo):
    zoo.write("one_pixel.tif", "map", "1 x 1", zoo.pixels[:, :1, :1])
    zoo.write("one_row.tif", "map", "one row", zoo.pixels[:, :1, :])
    zoo.write("one_column.tif", "map", "one column", zoo.pixels[:, :, :1])
    zoo.write("small.tif", "map", "smaller than a tile", zoo.pixels[:, :37, :23])
    zoo.write("strips.tif", "map", "one strip", options=[f"BLOCKYSIZE={SIZE}", "COMPRESS=LZW"])
    zoo.write("band_interleaved.tif", "map", "INTERLEAVE=BAND, tiled",
              options=["INTERLEAVE=BAND", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=32"])


def missing_data(zoo):
    holes = zoo.pixels.copy()
    holes[holes == 0] = 1
    holes[:, 40:60, 30:90] = 0
    holes[0, 100:110, 5:9] = 0  # in one band only
    zoo.write("nodata_holes.tif", "map", "nodata 0 in a part", holes, nodata=0)
    zoo.write("all_nodata.tif", "empty", "nodata everywhere", np.zeros_like(holes), nodata=0)
    floats = zoo.pixels.astype(np.float32)
    floats[:, 40:60, 30:90] = np.nan
    floats[0, 100:110, 5:9] = np.inf
    zoo.write("nan.tif", "map", "NaN and infinity, undeclared", floats)
    zoo.write("all_nan.tif", "empty", "NaN everywhere", np.full_like(floats, np.nan))
    declared = zoo.pixels.astype(np.float32)
    declared[:, 40:60, 30:90] = -3.4028234663852886e38
    zoo.write("float_nodata.tif", "map", "the lowest float is nodata", declared,
              nodata=-3.4028234663852886e38)


def places(zoo):
    x, dx, _, y, _, dy = zoo.geotransform or (0, 1, 0, 0, 0, -1)
    rotated = (x, dx * 0.8, -dx * 0.6, y, dy * 0.6, dy * 0.8)
    zoo.write("rotated.tif", "map", "rotated geotransform", geotransform=rotated)
    zoo.write("south_up.tif", "map", "rows go north", geotransform=(x, dx, 0, y + SIZE * dy, 0, -dy))
    zoo.write("no_crs.tif", "map", "no CRS, no geotransform", geotransform=None, crs=None)
    zoo.write("no_crs_placed.tif", "map", "a geotransform without CRS", crs=None)
    if zoo.crs:
        zoo.write("other_gsd.tif", "force", "pixels three times as large",
                  geotransform=(x, 3 * dx, 0, y, 0, 3 * dy))
        gcps = zoo.write("gcps.tif", "map", "ground control points", geotransform=None, crs=None)
        corners = [(0, 0), (SIZE, 0), (SIZE, SIZE), (0, SIZE)]
        gcps.SetGCPs([gdal.GCP(x + c * dx, y + r * dy, 0, c, r) for c, r in corners], zoo.crs)


def masks(zoo):
    opaque = np.full((SIZE, SIZE), 255, np.uint8)
    opaque[20:50, 60:140] = 0
    with_alpha = np.concatenate([zoo.pixels, opaque[None].astype(zoo.pixels.dtype)])
    zoo.write("alpha.tif", "map", "an alpha band after the data", with_alpha, alpha=True)
    clear = with_alpha.copy()
    clear[-1] = 0
    zoo.write("all_transparent.tif", "empty", "alpha 0 everywhere", clear, alpha=True)
    for name, internal in (("mask_file.tif", "NO"), ("internal_mask.tif", "YES")):
        gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", internal)
        dataset = zoo.write(name, "map", f"a mask band, internal: {internal}")
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        dataset.GetRasterBand(1).GetMaskBand().WriteArray(opaque)
        dataset = None
    gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", None)


def palettes(zoo):
    kind = "map" if len(zoo.pixels) == 1 else "refuse"
    dataset = zoo.write("palette.tif", kind, "a palette", zoo.pixels[:1],
                        options=["PHOTOMETRIC=PALETTE"])
    colours = gdal.ColorTable()
    for i in range(256):
        colours.SetColorEntry(i, (255 - i, i, i // 2, 255))
    dataset.GetRasterBand(1).SetRasterColorTable(colours)


def types(zoo):
    bit = (zoo.pixels > zoo.pixels.mean()).astype(np.uint8)
    zoo.write("bit1.tif", "map", "1 bit", bit, options=["NBITS=1"])
    zoo.write("int8.tif", "map", "signed bytes", zoo.pixels // 2,
              options=["PIXELTYPE=SIGNEDBYTE"])
    for kind in (np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64):
        name = np.dtype(kind).name
        zoo.write(f"{name}.tif", "map", name, zoo.pixels.astype(kind))
    zoo.write("complex.tif", "refuse", "complex numbers", zoo.pixels.astype(np.complex64))
    zoo.write("complex_int16.tif", "refuse", "complex integers", zoo.pixels,
              gdal_type=gdal.GDT_CInt16)


def bands(zoo):
    if len(zoo.pixels) > 1:
        zoo.write("fewer_bands.tif", "refuse", "a band is missing", zoo.pixels[:-1])
    more = np.concatenate([zoo.pixels, zoo.pixels[:1]])
    zoo.write("more_bands.tif", "map", "a band more than needed", more)


def damage(zoo):
    zoo.write("whole.tif", "map", "the scene itself", options=["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"])
    with open(zoo.path("whole.tif"), "rb") as source:
        content = source.read()
    with open(zoo.path("truncated.tif"), "wb") as out:
        out.write(content[: len(content) * 2 // 3])
    zoo.note("truncated.tif", "refuse", "cut off after two thirds")
    with open(zoo.path("header_only.tif"), "wb") as out:
        out.write(content[:6])
    zoo.note("header_only.tif", "refuse", "cut off after six bytes")
    with open(zoo.path("empty_file.tif"), "wb"):
        pass
    zoo.note("empty_file.tif", "refuse", "no bytes")
    with open(zoo.path("text.tif"), "w") as out:
        out.write("This is no raster.\n")
    zoo.note("text.tif", "refuse", "a text")
    gdal.Translate(zoo.path("virtual.vrt"), zoo.path("whole.tif"), format="VRT")
    zoo.note("virtual.vrt", "map", "a VRT over another file")
    with open(zoo.path("virtual.vrt")) as source:
        broken = source.read().replace("whole.tif", "absent.tif")
    with open(zoo.path("broken.vrt"), "w") as out:
        out.write(broken)
    zoo.note("broken.vrt", "refuse", "a VRT whose source is missing")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    zoo = Zoo(sys.argv[1], sys.argv[2])
    for part in (shapes, missing_data, places, masks, palettes, types, bands, damage):
        part(zoo)
    zoo.finish()


main()

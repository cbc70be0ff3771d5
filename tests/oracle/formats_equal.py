"""formats_equal.py REFERENCE FOLDER OPTIONS: do the rasters of a folder hold what those of another
hold, and are they stored as the options of the command line say?"""
import contextlib
import io
import sys

import numpy as np
from osgeo import gdal
from osgeo_utils.samples import validate_cloud_optimized_geotiff as cog

gdal.UseExceptions()


def wishes(text):
    """Driver and creation options, keys in capitals."""
    words = text.split()
    options = {"COMPRESS": "DEFLATE"}
    driver = "COG"
    for flag, value in zip(words[::2], words[1::2]):
        if flag == "-of":
            driver = value
        else:
            key, _, value = value.partition("=")
            options[key.upper()] = value.upper()
    options.setdefault("OVERVIEWS", "AUTO" if driver == "COG" else "NONE")
    return driver, options


def check_validity(path, driver, options):
    with contextlib.redirect_stdout(io.StringIO()):
        warnings, errors, _ = cog.validate(path, full_check=True)
    bare = options["OVERVIEWS"] == "NONE"  # which is against the recommendation
    assert driver != "COG" or not errors, errors
    assert driver != "COG" or bare or not warnings, warnings
    structure = gdal.Open(path).GetMetadata("IMAGE_STRUCTURE")
    assert (structure.get("LAYOUT") == "COG") == (driver == "COG"), structure
    compression = structure.get("COMPRESSION", "NONE")
    assert compression == options["COMPRESS"], structure


def check_header(path, options):
    with open(path, "rb") as file:
        version = file.read(3)[2]
    assert version == (43 if options.get("BIGTIFF") == "YES" else 42), version


def predictor_of(options, is_float):
    word = options.get("PREDICTOR", "1")
    if word == "YES":
        return "3" if is_float else "2"
    if word in ("FLOATING_POINT", "3"):
        return "3" if is_float else None
    return {"STANDARD": "2", "2": "2"}.get(word)


def sparse_blocks(band):
    """Blocks not stored, and how many of all hold nothing but nodata."""
    side = band.GetBlockSize()[0]
    pixels, nodata = band.ReadAsArray(), band.GetNoDataValue()
    missing = empty = 0
    for y in range(0, pixels.shape[0], side):
        for x in range(0, pixels.shape[1], side):
            key = f"BLOCK_OFFSET_{x // side}_{y // side}"
            gone = band.GetMetadataItem(key, "TIFF") is None
            blank = bool((pixels[y:y + side, x:x + side] == nodata).all())
            assert blank or not gone
            missing += gone
            empty += blank
    return missing, empty


def check_raster(name, reference, folder, driver, options):
    path = f"{folder}/{name}.tif"
    check_validity(path, driver, options)
    check_header(path, options)
    want, got = gdal.Open(f"{reference}/{name}.tif"), gdal.Open(path)
    assert got.RasterCount == want.RasterCount and got.GetProjection() == want.GetProjection()
    assert got.GetGeoTransform() == want.GetGeoTransform()
    side = int(options.get("BLOCKSIZE", options.get("BLOCKXSIZE", 256)))
    is_float = want.GetRasterBand(1).DataType == gdal.GDT_Float32
    for number in range(1, got.RasterCount + 1):
        a, b = want.GetRasterBand(number), got.GetRasterBand(number)
        assert b.GetBlockSize() == [side, side], b.GetBlockSize()
        assert (a.ReadAsArray() == b.ReadAsArray()).all(), f"{path}: other pixels"
        assert a.GetNoDataValue() == b.GetNoDataValue()
        levels = b.GetOverviewCount()
        assert (levels > 0) == (options["OVERVIEWS"] == "AUTO"), levels
        for k in range(min(levels, a.GetOverviewCount())):
            one, other = a.GetOverview(k).ReadAsArray(), b.GetOverview(k).ReadAsArray()
            assert (one == other).all(), f"{path}: another overview {k}"
    predictor = got.GetMetadataItem("PREDICTOR", "IMAGE_STRUCTURE")
    assert predictor == predictor_of(options, is_float), predictor
    missing, empty = sparse_blocks(got.GetRasterBand(1))
    if options.get("SPARSE_OK") in ("TRUE", "YES"):
        assert missing == empty and (empty > 0 or side > 128), (missing, empty)
    else:
        assert missing == 0, missing


wanted_driver, wanted = wishes(sys.argv[3])
for each in ("mask", "confidence", "probabilities"):
    check_raster(each, sys.argv[1], sys.argv[2], wanted_driver, wanted)

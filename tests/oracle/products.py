"""products.py WHOLE FOLDER LEAST CONNECTED: mask.tif, p.gpkg, u.fgb, areas.csv and confidence.tif of FOLDER against GDAL, numpy
and PROJ on the mask WHOLE, which was not sieved."""
import csv
import sys

import numpy as np
from osgeo import gdal, ogr

gdal.UseExceptions()
ogr.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")  # a warning for every layer without a CRS


def sieved(path, least, connected):
    source = gdal.Open(path)
    band = source.GetRasterBand(1)
    made = gdal.GetDriverByName("MEM").Create("", band.XSize, band.YSize, 1, gdal.GDT_Byte)
    gdal.SieveFilter(band, band.GetMaskBand(), made.GetRasterBand(1), least, connected)
    return made.ReadAsArray()


def polygonized(path, connected):
    """[(value, WKB)] of GDAL's polygons of the whole mask, sorted."""
    band_of = gdal.Open(path)
    band = band_of.GetRasterBand(1)
    layer_of = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = layer_of.CreateLayer("", None, ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn("value", ogr.OFTInteger))
    gdal.Polygonize(band, band.GetMaskBand(), layer, 0, ["8CONNECTED=8"] if connected == 8 else [])
    return sorted((f.GetField(0), bytes(f.GetGeometryRef().ExportToWkb())) for f in layer)


def overviews(path):
    """Majorities of 2 x 2 pixels, the smallest of several, nodata left out."""
    dataset = gdal.Open(path)
    band = dataset.GetRasterBand(1)
    if band.GetOverviewCount() == 0:
        return
    a, nodata = band.ReadAsArray(), int(band.GetNoDataValue())
    h, w = -(-a.shape[0] // 2), -(-a.shape[1] // 2)
    full = np.full((2 * h, 2 * w), nodata, np.uint8)
    full[:a.shape[0], :a.shape[1]] = a
    cells = full.reshape(h, 2, w, 2).transpose(0, 2, 1, 3).reshape(h, w, 4)
    values = [v for v in np.unique(a) if v != nodata]
    counts = np.stack([(cells == v).sum(2) for v in values])
    wanted = np.where(counts.max(0) > 0, np.array(values)[counts.argmax(0)], nodata)
    assert (band.GetOverview(0).ReadAsArray() == wanted).all(), "overviews are not of the sieved mask"


def pixel_areas(dataset):
    """m2 of the pixels of each row: (rows, 1), or None; geographic ones integrated in latitude."""
    crs, gt = dataset.GetSpatialRef(), dataset.GetGeoTransform(can_return_null=True)
    if crs is None or gt is None:
        return None
    rows = np.arange(dataset.RasterYSize)
    if not crs.IsGeographic():
        return np.full(len(rows), abs(gt[1] * gt[5] - gt[2] * gt[4]) * crs.GetLinearUnits() ** 2)
    a, f = crs.GetSemiMajor(), 1 / crs.GetInvFlattening()
    e2 = f * (2 - f)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    p = np.radians(gt[3] + (rows[:, None] + (1 + nodes) / 2) * gt[5])
    element = a * a * (1 - e2) * np.cos(p) / (1 - e2 * np.sin(p) ** 2) ** 2
    return np.abs((element * weights).sum(1)) / 2 * np.radians(abs(gt[5])) * np.radians(gt[1])


def burn(geometry, dataset):
    """The pixels whose centres lie in a polygon: its window's first row and column, and a mask."""
    inverse = gdal.InvGeoTransform(dataset.GetGeoTransform())
    points = [inverse_point for ring in range(geometry.GetGeometryCount())
              for inverse_point in [gdal.ApplyGeoTransform(inverse, *p[:2])
                                    for p in geometry.GetGeometryRef(ring).GetPoints()]]
    columns, rows = zip(*points)
    x, y = round(min(columns)), round(min(rows))
    w, h = round(max(columns)) - x, round(max(rows)) - y
    raster = gdal.GetDriverByName("MEM").Create("", w, h, 1, gdal.GDT_Byte)
    moved = ogr.Geometry(ogr.wkbPolygon)
    for i in range(geometry.GetGeometryCount()):
        ring = ogr.Geometry(ogr.wkbLinearRing)
        for p in geometry.GetGeometryRef(i).GetPoints():
            column, row = gdal.ApplyGeoTransform(inverse, *p[:2])
            ring.AddPoint_2D(round(column) - x, round(row) - y)
        moved.AddGeometry(ring)
    layer_of = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = layer_of.CreateLayer("", None, ogr.wkbPolygon)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(moved)
    layer.CreateFeature(feature)
    raster.SetGeoTransform((0, 1, 0, 0, 0, 1))
    gdal.RasterizeLayer(raster, [1], layer, burn_values=[1])
    return y, x, raster.ReadAsArray() == 1


def check_polygons(mask, polygons, confidence, names, connected):
    dataset, vector = gdal.Open(mask), ogr.Open(polygons)
    layer = vector.GetLayer(0)
    wanted, areas = polygonized(mask, connected), pixel_areas(dataset)
    features = list(layer)
    order = [f.GetGeometryRef().ExportToWkb() for f in features]
    assert sorted((f.GetField("value"), bytes(f.GetGeometryRef().ExportToWkb())) for f in features) == wanted
    assert len(set(map(bytes, order))) == len(order) > 10, "a mask without patches tests nothing"
    values = dataset.ReadAsArray()
    crs = dataset.GetSpatialRef()
    kept = layer.GetSpatialRef()
    if crs is None:
        assert kept is None or kept.GetName().startswith("Undefined"), kept  # a GeoPackage's word for none
    else:
        assert crs.IsSame(kept, ["IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES"])
    assert layer.GetFeatureCount() == len(wanted)
    assert (layer.FindFieldIndex("area_m2", True) >= 0) == (areas is not None)
    total = 0
    for f in features:
        y, x, inside = burn(f.GetGeometryRef(), dataset)
        h, w = inside.shape
        assert (values[y:y + h, x:x + w][inside] == f.GetField("value")).all()
        assert f.GetField("pixels") == inside.sum()
        assert f.GetField("name") == names[f.GetField("value")]
        if confidence is not None:
            mean = confidence[y:y + h, x:x + w][inside].astype(float).mean()
            assert abs(f.GetField("confidence") - mean) < 1e-12
        if areas is not None:
            area = (inside.sum(1) * areas[y:y + h]).sum()
            assert abs(f.GetField("area_m2") / area - 1) < 1e-11, (f.GetField("area_m2"), area)
        total += f.GetField("pixels")
    assert total == (values != dataset.GetRasterBand(1).GetNoDataValue()).sum()
    return len(features)


def check_areas(mask, table, names):
    dataset = gdal.Open(mask)
    values, areas = dataset.ReadAsArray(), pixel_areas(dataset)
    valid = (values != dataset.GetRasterBand(1).GetNoDataValue()).sum()
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(r["value"]): r["name"] for r in rows} == names
    for r in rows:
        mine = values == int(r["value"])
        assert int(r["pixels"]) == mine.sum()
        assert abs(float(r["share"]) - mine.sum() / valid) < 1e-9
        if areas is None:
            assert r["area_m2"] == r["area_ha"] == ""
            continue
        area = (mine.sum(1) * areas).sum()
        assert abs(float(r["area_m2"]) - area) <= 1e-3 + 1e-11 * area, (r, area)
        assert abs(float(r["area_ha"]) * 1e4 - area) <= 1e-2 + 1e-11 * area


def geodesic_agrees(mask, polygons):
    """The largest polygon against PROJ's geodesic area, whose edges are no parallels: nearly the same."""
    crs = gdal.Open(mask).GetSpatialRef()
    if crs is None or not crs.IsGeographic() or not hasattr(ogr.Geometry, "GeodesicArea"):
        return
    vector = ogr.Open(polygons)
    largest = max(vector.GetLayer(0), key=lambda f: f.GetField("pixels"))
    geometry = largest.GetGeometryRef().Clone()
    geometry.AssignSpatialReference(crs)
    assert abs(largest.GetField("area_m2") / geometry.GeodesicArea() - 1) < 1e-5


def main():
    whole, folder, least = sys.argv[1], sys.argv[2], int(sys.argv[3])
    connected = int(sys.argv[4])
    mask = f"{folder}/mask.tif"
    wanted = sieved(whole, least, connected)
    before, after = gdal.Open(whole).ReadAsArray(), gdal.Open(mask).ReadAsArray()
    assert (after == wanted).all(), "not GDAL's sieve"
    assert (before != after).any(), "a sieve that does nothing"
    overviews(mask)
    names = {int(k[6:]): v for k, v in gdal.Open(mask).GetMetadata().items() if k.startswith("CLASS_")}
    confidence = gdal.Open(f"{folder}/confidence.tif").ReadAsArray()
    few = check_polygons(mask, f"{folder}/p.gpkg", confidence, names, connected)
    many = check_polygons(whole, f"{folder}/u.fgb", confidence, names, connected)
    check_areas(mask, f"{folder}/areas.csv", names)
    geodesic_agrees(mask, f"{folder}/p.gpkg")
    print(f"{folder}: {few} polygons of the sieved mask, {many} of the whole one; {connected}-connected")


main()

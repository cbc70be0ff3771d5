"""qgis_shows.py SCENE MASK CLASSES POLYGONS PROBABILITIES CONFIDENCE: how QGIS shows a mask and what belongs to it by itself,
against the mask's GeoTIFF."""
import os
import sys

import numpy as np
from osgeo import gdal
from qgis.core import (QgsApplication, QgsCategorizedSymbolRenderer, QgsMapRendererParallelJob, QgsMapSettings,
                       QgsPalettedRasterRenderer, QgsRasterLayer, QgsVectorLayer)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage

gdal.UseExceptions()
BACKGROUND = (1, 2, 3)  # no class has this colour


def colours(path):
    """{value: (name, (r, g, b))}: the mask's colour table and its metadata CLASS_value."""
    dataset = gdal.Open(path)
    table = dataset.GetRasterBand(1).GetColorTable()
    names = {int(key[6:]): name for key, name in dataset.GetMetadata().items() if key.startswith("CLASS_")}
    return {value: (name, table.GetColorEntry(value)[:3]) for value, name in names.items()}


def render(layer, extent, width, height):
    """The map at one screen pixel a mask pixel: (h, w, 3)."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setBackgroundColor(QColor(*BACKGROUND))
    settings.setOutputSize(QSize(width, height))
    settings.setExtent(extent)
    settings.setDestinationCrs(layer.crs())
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage().convertToFormat(QImage.Format_RGB888)
    data = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return data.reshape(height, image.bytesPerLine())[:, :3 * width].reshape(height, width, 3)


def check_polygons(path, mask):
    """Each polygon of a class, by value and name, lies on pixels of that class; together they are all."""
    layer, raster = QgsVectorLayer(path, "polygons", "ogr"), QgsRasterLayer(mask, "mask")
    assert layer.isValid() and layer.crs() == raster.crs()
    names, pixels = colours(mask), 0
    for feature in layer.getFeatures():
        assert feature["name"] == names[feature["value"]][0]
        assert abs(feature["area_m2"] - feature.geometry().area()) < 1e-6 * feature["area_m2"]
        assert 0 < feature["confidence"] <= 1
        inside = feature.geometry().pointOnSurface().asPoint()
        assert raster.dataProvider().sample(inside, 1) == (feature["value"], True)
        pixels += feature["pixels"]
    dataset = gdal.Open(mask)
    assert pixels == (dataset.ReadAsArray() != dataset.GetRasterBand(1).GetNoDataValue()).sum()
    assert raster.extent().contains(layer.extent())


def check_probabilities(path):
    """QGIS scales the bytes: what it shows of one place adds up to 1."""
    layer = QgsRasterLayer(path, "probabilities")
    bands = range(1, layer.bandCount() + 1)
    values = [layer.dataProvider().sample(layer.extent().center(), band) for band in bands]
    assert all(valid for _, valid in values)
    assert abs(sum(value for value, _ in values) - 1) < len(values) * 0.5 / 254 + 1e-9, values


def check_confidence(path, mask):
    """It lies where the mask does; QGIS has its values, between 0 and 1, where the mask has a class, and draws
    nothing elsewhere."""
    layer, classes = QgsRasterLayer(path, "confidence"), QgsRasterLayer(mask, "mask")
    assert layer.isValid() and layer.crs() == classes.crs() and layer.extent() == classes.extent()
    width, height = layer.width(), layer.height()
    block = layer.dataProvider().block(1, layer.extent(), width, height)
    values = gdal.Open(path).ReadAsArray()
    dataset = gdal.Open(mask)
    known = dataset.ReadAsArray() != dataset.GetRasterBand(1).GetNoDataValue()
    shares = np.frombuffer(block.data(), values.dtype).reshape(height, width)
    void = np.array([[block.isNoData(y, x) for x in range(width)] for y in range(height)])
    assert (void == ~known).all()
    assert (shares[known] == values[known]).all() and (shares[known] > 0).all() and (shares[known] <= 1).all()
    assert (render(layer, layer.extent(), width, height) == BACKGROUND).all(2)[~known].all()


def main():
    scene, mask, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    wanted = colours(mask)
    assert len(wanted) == count, wanted
    layer = QgsRasterLayer(mask, "mask")
    assert layer.isValid()
    renderer = layer.renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer), type(renderer)
    shown = {int(c.value): (c.label, (c.color.red(), c.color.green(), c.color.blue())) for c in renderer.classes()}
    assert shown == wanted, (shown, wanted)
    check_polygons(sys.argv[4], mask)
    check_probabilities(sys.argv[5])
    check_confidence(sys.argv[6], mask)
    assert layer.crs() == QgsRasterLayer(scene, "scene").crs()
    assert layer.extent() == QgsRasterLayer(scene, "scene").extent()
    values = gdal.Open(mask).ReadAsArray()
    height, width = values.shape
    expected = np.empty((height, width, 3), np.uint8)
    expected[:] = BACKGROUND
    for value, (_, colour) in wanted.items():
        expected[values == value] = colour
    assert (expected == BACKGROUND).all(2).any() and len(np.unique(values)) > 2, "a mask that shows nothing"
    assert (render(layer, layer.extent(), width, height) == expected).all(), "the map is not the mask"
    polygons = QgsVectorLayer(sys.argv[4], "polygons", "ogr")
    assert isinstance(polygons.renderer(), QgsCategorizedSymbolRenderer), type(polygons.renderer())
    assert {int(c.value()): c.label() for c in polygons.renderer().categories()} == {v: n for v, (n, _) in wanted.items()}
    assert (render(polygons, layer.extent(), width, height) == expected).all(), "the polygons are not the mask"
    print(f"QGIS shows {count} named classes, to the pixel")


if __name__ == "__main__":
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    try:
        main()
    except BaseException as error:  # QGIS hangs or crashes when Python ends with its objects alive
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)

#!/usr/bin/env bash
# check_huge.sh BUILD [FOLDER]: a made scene of 100 000 x 100 000 pixels on 4 ranks with --max-mem 1G, and the same
# command on 40 000 x 40 000: peak resident memory of each rank, overviews, and how long the mask takes to open, in QGIS too.
# The scene is a VRT that repeats one made file of 10 000 x 10 000 pixels (about 300 MB); the masks take less than a
# hundredth of the scene. FILLED (100): per cent of the repeats that hold data; the others are empty, and cost nothing.
# SIDES ("40000 100000"), MEMORY (1G), RANKS (4) are as wanted. FOLDER (a new one under /tmp) stays.
set -euo pipefail
build=$(realpath "${1:?check_huge.sh BUILD [FOLDER]}")
mpirun=$(realpath "$(dirname "$0")/../tests/support/mpirun.sh")
folder=${2:-$(mktemp -d /tmp/segtiles_huge_XXXXXX)}
export FILLED=${FILLED:-100}
memory=${MEMORY:-1G} ranks=${RANKS:-4}
mkdir -p "$folder"
cd "$folder"

[ -e piece.tif ] || "$build/make_scene" -o piece.tif -s 10000x10000 -b 3 -t Byte
"$build/tests/make_model" model.h5 --bands 3 --classes 4 --depth 1 --width 4 --normalize none --seed 4

cat >repeat.py <<'PYTHON' # OUT SIDE: a VRT of SIDE x SIDE pixels in which piece.tif stands again and again
import os, sys
from osgeo import gdal
gdal.UseExceptions()
out, side, piece = sys.argv[1], int(sys.argv[2]), gdal.Open("piece.tif")
step, filled = piece.RasterXSize, int(os.environ["FILLED"])
block = piece.GetRasterBand(1).GetBlockSize()
places = [(x, y) for y in range(0, side, step) for x in range(0, side, step)]
kept = [p for i, p in enumerate(places) if i * 37 % 100 < filled]  # spread all over
geo = ", ".join(repr(v) for v in piece.GetGeoTransform())
with open(out, "w") as vrt:
    vrt.write(f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>{piece.GetSpatialRef().ExportToWkt()}</SRS>'
              f"<GeoTransform>{geo}</GeoTransform>")
    for band in range(1, piece.RasterCount + 1):
        vrt.write(f'<VRTRasterBand dataType="Byte" band="{band}" blockXSize="{block[0]}" blockYSize="{block[1]}">'
                  "<NoDataValue>0</NoDataValue>")
        for x, y in kept:
            w, h = min(step, side - x), min(step, side - y)
            vrt.write(f'<SimpleSource><SourceFilename relativeToVRT="1">piece.tif</SourceFilename>'
                      f'<SourceBand>{band}</SourceBand>'
                      f'<SourceProperties RasterXSize="{step}" RasterYSize="{step}" DataType="Byte" '
                      f'BlockXSize="{block[0]}" BlockYSize="{block[1]}"/>'
                      f'<SrcRect xOff="0" yOff="0" xSize="{w}" ySize="{h}"/>'
                      f'<DstRect xOff="{x}" yOff="{y}" xSize="{w}" ySize="{h}"/></SimpleSource>')
        vrt.write("</VRTRasterBand>")
    vrt.write("</VRTDataset>")
print(f"{side} x {side} pixels, {len(kept)} of {len(places)} repeats hold data")
PYTHON
cat >peak.py <<'PYTHON' # the highest resident memory of a rank, KiB, into SIDE.peak.RANK
import os, resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
with open(f"{sys.argv[1]}.peak.{os.environ['OMPI_COMM_WORLD_RANK']}", "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=file)
sys.exit(status)
PYTHON
cat >opens.py <<'PYTHON' # MASK: its overviews, and seconds until the whole of it is seen at 1000 x 1000 pixels
import sys, time
from osgeo import gdal
gdal.UseExceptions()
start = time.process_time() # other work on the machine does not count
mask = gdal.Open(sys.argv[1])
band = mask.GetRasterBand(1)
seen = band.ReadAsArray(buf_xsize=1000, buf_ysize=1000)
spent = time.process_time() - start
sizes = [band.GetOverview(i).XSize for i in range(band.GetOverviewCount())]
print(f"{mask.RasterXSize} x {mask.RasterYSize}, overviews {sizes}; the whole is seen after {spent:.3f} s of CPU time, "
      f"values {sorted(set(seen.ravel().tolist()))}")
assert sizes and sizes[-1] <= 512 and spent < 1
PYTHON
cat >shown.py <<'PYTHON' # MASK: seconds until QGIS, once it runs, has opened it and drawn the whole of it
import os, sys, time
from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer
from qgis.PyQt.QtCore import QSize
application = QgsApplication([], False)
application.initQgis()
wall, cpu = time.monotonic(), time.process_time()
layer = QgsRasterLayer(sys.argv[1], "mask")
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setOutputSize(QSize(1000, 1000))
settings.setExtent(layer.extent())
settings.setDestinationCrs(layer.crs())
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
wall, cpu = time.monotonic() - wall, time.process_time() - cpu
image = job.renderedImage()
colours = {image.pixel(x, y) for x in range(5, 1000, 10) for y in range(5, 1000, 10)}
print(f"QGIS: valid {layer.isValid()}, {len(colours)} colours, drawn after {wall:.3f} s ({cpu:.3f} s of CPU time)", flush=True)
os._exit(0 if layer.isValid() and len(colours) > 1 and cpu < 2 else 1)  # QGIS crashes when Python ends with its objects alive
PYTHON

for side in ${SIDES:-40000 100000}; do
  /usr/bin/python3 repeat.py "scene_$side.vrt" "$side"
  rm -f "$side".peak.*
  "$mpirun" "$ranks" /usr/bin/python3 peak.py "$side" "$build/segtiles" predict "scene_$side.vrt" -m model.h5 \
    --max-mem "$memory" -o "mask_$side.tif"
  /usr/bin/python3 opens.py "mask_$side.tif"
  if /usr/bin/python3 -c 'import qgis.core' 2>/dev/null; then
    QT_QPA_PLATFORM=offscreen XDG_RUNTIME_DIR=$folder /usr/bin/python3 shown.py "mask_$side.tif"
  else
    echo "QGIS for Python (python3-qgis) is not installed: not asked"
  fi
  echo "$side x $side: peak resident memory of the ranks, MiB: $(awk '{printf "%d ", $1 / 1024}' "$side".peak.*)"
done

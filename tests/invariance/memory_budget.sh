#!/usr/bin/env bash
# --max-mem is kept: the peak of every rank, its tables of blocks and the assembly included, stays below
# it; what is refused names an amount, and with that amount it works.
. "$(dirname "$0")/../support/program.bash" "$1"

cat >peak.py <<'PYTHON' # the highest resident memory of a rank, KiB, into peak_RANK
import os, resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
with open("peak_" + os.environ["OMPI_COMM_WORLD_RANK"], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=file)
sys.exit(status)
PYTHON

# within MIB RANKS ARGUMENTS...: predict stays within so much on every rank
within() {
  local mib=$1 ranks=$2 peak
  shift 2
  rm -f peak_*
  "$mpirun" "$ranks" /usr/bin/python3 peak.py "$segtiles" predict --max-mem "${mib}M" -o mask.tif "$@" >log 2>&1 ||
    { cat log >&2; fail "$mib MiB: $*"; }
  [ "$(ls peak_* | wc -l)" = "$ranks" ] || fail "not all ranks were measured"
  peak=$(sort -n peak_* | tail -1)
  echo "$*: at most $((peak / 1024)) of $mib MiB"
  [ "$peak" -le $((mib * 1024)) ] || fail "$((peak / 1024)) MiB instead of $mib: $*"
}

"$make_scene" -o scene.tif -s 1500x1100 -b 3 -t Byte
"$make_model" small.h5 --bands 3 --classes 3 --depth 1 --width 2
"$make_model" large.h5 --bands 3 --classes 6 --depth 4 --width 16

# As many blocks as 100 000 x 100 000 pixels have with blocks of 256; almost nothing of it is stored.
gdal_create -q -if scene.tif -outsize 7200 7200 -a_nodata 0 -co SPARSE_OK=TRUE -co TILED=YES -bands 3 empty.tif
within 140 4 empty.tif -m small.h5 -co BLOCKSIZE=16
within 400 4 scene.tif -m large.h5 --probabilities --confidence
within 1000 2 scene.tif -m large.h5 --batch 8 # of 608 x 608 pixels

gdal_translate -q -srcwin 0 0 400 300 scene.tif part.tif

for model in small large; do
  refused 2 "--max-mem 20M: mapping this scene with this network takes at least [0-9]*M a rank" 2 \
    part.tif -m $model.h5 --max-mem 20M --probabilities
  least=$(sed -n 's/.*takes at least \([0-9]*\)M.*/\1/p' log)
  within $((least + 4)) 2 part.tif -m $model.h5 --probabilities # runs differ a little before they begin
done

# With a CRF: every pixel far from every other is the most that its lattices can take.
/usr/bin/python3 - <<'PYTHON'
import numpy as np
from osgeo import gdal
out = gdal.GetDriverByName("GTiff").CreateCopy("noise.tif", gdal.Open("part.tif"))
out.WriteArray(np.random.default_rng(1).integers(1, 255, (3, out.RasterYSize, out.RasterXSize)).astype("u1"))
PYTHON
noise="noise.tif -m small.h5 --crf=beta=1e-6,gamma=0.25,alpha=32 --probabilities"
refused 2 "--max-mem 60M: mapping this scene with this network takes at least [0-9]*M a rank" 2 $noise --max-mem 60M
least=$(sed -n 's/.*takes at least \([0-9]*\)M.*/\1/p' log)
within $((least + 4)) 2 $noise

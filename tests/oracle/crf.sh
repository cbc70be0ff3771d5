#!/usr/bin/env bash
# The permutohedral lattice and the conditional random field are numpy's: to rounding those of another
# computation of the same lattice, and near the sums over all pairs; so is a scene mapped with --crf.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
judge=$(cd "$(dirname "$0")" && pwd)/crf.py
export OPENBLAS_NUM_THREADS=2

/usr/bin/python3 "$judge" numbers "$(dirname "$segtiles")/tests/dump_crf"

# Bands as they are, in the network's units: it was made without normalising.
"$make_scene" -o scene.tif -s 300x277 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 4 --width 4 --normalize none --seed 4
for options in "" "--mode blend --tile 128 --overlap 48"; do
  predict 2 scene.tif -m model.h5 -o before.tif --probabilities=before_p.tif --precision f32 $options
  predict 2 scene.tif -m model.h5 -o after.tif --probabilities=after_p.tif --precision f32 $options \
    --crf=w1=1,alpha=12,beta=20,iterations=3
  /usr/bin/python3 "$judge" scene scene.tif 256 32
done

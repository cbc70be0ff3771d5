#!/usr/bin/env bash
# The outputs are valid Cloud Optimized GeoTIFFs in GDAL's eyes, and their overviews are the
# majorities and means that numpy finds, whoever made them.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo_utils.samples.validate_cloud_optimized_geotiff' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
. "$support/training.bash"
make_job
train 2 run -o run train.steps=60 # enough for a map of several classes
"$make_scene" -o map.tif -s 1500x1100 -b 3 --nodata-share 0.2 >log 2>&1
outputs="-o mask.tif --confidence=confidence.tif --probabilities=probabilities.tif"
for ranks in 1 3; do # chunks, and so the way that overviews are made, differ
  for chunk in 0 256 768; do
    predict $ranks map.tif -m run/last.h5 $outputs --chunk $chunk
    for file in mask confidence probabilities; do
      [ -e first_$file.tif ] || mv $file.tif first_$file.tif
      [ ! -e $file.tif ] || cmp $file.tif first_$file.tif || fail "other bytes of $file, chunks of $chunk"
    done
  done
done
for file in mask confidence probabilities; do
  /usr/bin/python3 -m osgeo_utils.samples.validate_cloud_optimized_geotiff first_$file.tif >log 2>&1 ||
    { cat log >&2; fail "$file.tif is not a valid COG"; }
  if grep -qi -e warning -e "not a valid" log; then cat log >&2; fail "$file.tif"; fi
done

# So wide that the last overview is made of the one before.
"$make_scene" -o wide.tif -s 66000x40 -b 3 >log 2>&1
predict 2 wide.tif -m run/last.h5 -o wide_mask.tif
/usr/bin/python3 "$(dirname "$0")/cog_overviews.py" wide_mask.tif first_mask.tif first_confidence.tif first_probabilities.tif

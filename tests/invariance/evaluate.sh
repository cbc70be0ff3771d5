#!/usr/bin/env bash
# Every labelled pixel counts once: evaluating a network on a job gives the very numbers of mapping its
# scenes and comparing the masks, on any number of ranks; and those of counting by hand.
. "$(dirname "$0")/../support/program.bash"

"$make_scene" -s 500x300 -b 3 -o one.tif -l one_labels.tif --nodata-share 0.1
"$make_scene" -s 260x410 -b 3 --offset 700,0 -o two.tif -l two_labels.tif --vector two.gpkg
"$make_model" model.h5 --bands 3 --depth 2 --width 4 --normalize scene >/dev/null
"$segtiles" info --json model.h5 >model.json
classes=$(python3 -c 'import json
print(", ".join("{name: %s, value: %d}" % (json.dumps(c["name"]), c["value"])
                for c in json.load(open("model.json"))["classes"]))')
cat >job.yaml <<YAML
name: count
data:
  test: {images: ['one.tif', 'two.tif'], labels: '{stem}_labels.tif'}
  normalize: scene
  classes: [$classes]
YAML

scores() { python3 -c 'import json, sys
print(json.dumps(json.load(open(sys.argv[1]))["scores"]["confusion"]))' "$1"; }

for ranks in 1 2 3; do
  "$mpirun" "$ranks" "$segtiles" evaluate -m model.h5 job.yaml --json >"job_$ranks.json" 2>log ||
    { cat log >&2; fail "evaluate on $ranks ranks"; }
  cmp job_1.json "job_$ranks.json" || fail "$ranks ranks count otherwise"
done

for scene in one two; do
  predict 2 "$scene.tif" -m model.h5
  for ranks in 1 3; do
    "$mpirun" "$ranks" "$segtiles" evaluate "${scene}_mask.tif" "${scene}_labels.tif" --json \
      >"${scene}_$ranks.json" 2>log || { cat log >&2; fail "evaluate a mask on $ranks ranks"; }
  done
  [ "$(scores "${scene}_1.json")" = "$(scores "${scene}_3.json")" ] || fail "3 ranks count otherwise"
done
"$segtiles" evaluate two_mask.tif two.gpkg --attribute value --json >vector.json
[ "$(scores vector.json)" = "$(scores two_1.json)" ] || fail "polygons count otherwise"

python3 - <<'PY' || fail "the counts are not those of counting by hand"
import json, os, subprocess

def pixels(path):
    subprocess.run(["gdal_translate", "-q", "-of", "ENVI", path, "raw"], check=True)
    data = open("raw", "rb").read()
    os.remove("raw")
    return data

classes = [c["value"] for c in json.load(open("model.json"))["classes"]]
total = [[0] * len(classes) for _ in classes]
for scene in "one", "two":
    by_hand = [[0] * len(classes) for _ in classes]
    for truth, found in zip(pixels(scene + "_labels.tif"), pixels(scene + "_mask.tif")):
        if truth in classes and found in classes:
            by_hand[classes.index(truth)][classes.index(found)] += 1
    counted = json.load(open(scene + "_1.json"))["scores"]["confusion"]
    assert by_hand == counted, (scene, by_hand, counted)
    total = [[a + b for a, b in zip(x, y)] for x, y in zip(total, by_hand)]
assert total == json.load(open("job_1.json"))["scores"]["confusion"]
assert sum(map(sum, total)) > 100000
PY
echo passed

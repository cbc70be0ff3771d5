"""tensorboard_reads.py RUN FILES: RUN has so many event files, and TensorBoard reads from them what metrics.csv holds,
and a picture of each tile for each validation, which it lays into RUN/pictures."""
import csv
import glob
import os
import sys

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

run, files = sys.argv[1], int(sys.argv[2])
found = sorted(glob.glob(os.path.join(run, "events.out.tfevents.*")))
assert len(found) == files, found
for path in found:  # whole records only, with checksums that hold
    assert len(list(RawEventFileLoader(path).Load())) > 3, path

board = EventAccumulator(run, size_guidance={"scalars": 0, "images": 0})
board.Reload()
tags = {"train/" + key: key for key in ("loss", "lr", "grad_norm", "mpx_per_s")}
tags.update({"val/" + key: "val_" + key for key in ("miou", "mean_f1", "accuracy", "kappa")})
with open(os.path.join(run, "metrics.csv"), encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
tags.update({"val_iou/" + key[8:]: key for key in rows[0] if key.startswith("val_iou_")})
assert set(board.Tags()["scalars"]) == set(tags), board.Tags()["scalars"]
for tag, key in tags.items():
    scalars = board.Scalars(tag)
    expected = [(int(row["step"]), float(row[key])) for row in rows if row[key]]
    assert [s.step for s in scalars] == [step for step, _ in expected], (tag, [s.step for s in scalars])
    value = np.array([s.value for s in scalars])
    wanted = np.array([v for _, v in expected])
    if key == "loss":  # 17 digits: the very f32
        assert (value.astype(np.float32) == wanted.astype(np.float32)).all(), tag
    digits = 4 if key == "mpx_per_s" else 6 if key.startswith("val") else 9
    assert (abs(value - wanted) <= abs(wanted) * (0.6 * 10.0 ** (1 - digits) + 2**-24)).all(), (tag, value, wanted)
    assert all(a.wall_time <= b.wall_time for a, b in zip(scalars, scalars[1:])), tag
validated = [int(row["step"]) for row in rows if row["val_miou"]]
assert len(validated) >= 3

os.makedirs(os.path.join(run, "pictures"))
tags = sorted(board.Tags()["images"])
assert tags and all(tag.startswith("val_tiles/") for tag in tags), tags
for k, tag in enumerate(tags):
    images = board.Images(tag)
    assert [i.step for i in images] == validated, (tag, [i.step for i in images])
    for i in images:
        assert i.width > i.height > 0
        with open(os.path.join(run, "pictures", f"{i.step}_{k}_{i.width}x{i.height}.png"), "wb") as file:
            file.write(i.encoded_image_string)

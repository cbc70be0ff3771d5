#!/usr/bin/python3
"""The same map the way the field makes it, as the yardstick for `segtiles predict`.

    tools/peer_predict.py SCENE -o MASK.tif [--width 64 --depth 4 --classes 6 --tile 512 --overlap 128]

Windows of the scene are read with rasterio, normalised, and mapped by the U-Net of peer_torch.py in
batches; probabilities of overlapping windows are averaged with a window that falls off towards its
edge, in an array of the scene times its classes; then the mask is written as a Cloud Optimized GeoTIFF
with overviews by the most frequent value. Weights are random: it is the time that counts. One process
with every thread given by --threads, channels_last, and bf16 autocast where the CPU computes in it. Wants
Debian's python3-torch and python3-rasterio.
"""
import argparse
import json
import os
import time

import numpy as np
import rasterio
import rasterio.shutil
import torch
from rasterio.windows import Window

from peer_torch import UNet, cast

NODATA = 255


def origins(length, tile, step):
    """Where windows begin along one axis: the last one ends at the scene's edge."""
    last = max(0, length - tile)
    return sorted({*range(0, last, step), last})


def weights(tile, overlap):
    """(tile, tile), falling off linearly over the overlap, nowhere 0."""
    ramp = np.minimum(np.arange(1, tile + 1), np.arange(tile, 0, -1)) / max(1, overlap)
    ramp = np.minimum(ramp, 1).astype(np.float32)
    return ramp[:, None] * ramp[None, :]


def moments(scene):
    """Mean and deviation of each band, from a reduced view of the scene."""
    shape = (scene.count, max(1, scene.height // 8), max(1, scene.width // 8))
    pixels = scene.read(out_shape=shape, masked=True).reshape(scene.count, -1).astype(np.float64)
    return (np.asarray(pixels.mean(1), np.float32)[:, None, None],
            np.asarray(np.maximum(pixels.std(1), 1e-6), np.float32)[:, None, None])


def read(scene, window, tile, mean, std):
    pixels = scene.read(window=window, boundless=True, fill_value=0).astype(np.float32)
    return (pixels[:, :tile, :tile] - mean) / std


def predict(scene, net, autocast, options):
    """Summed probabilities (classes, height, width)."""
    tile, step = options.tile, options.tile - options.overlap
    sums = np.zeros((options.classes, scene.height, scene.width), np.float32)
    total = np.zeros((scene.height, scene.width), np.float32)
    share = weights(tile, options.overlap)
    mean, std = moments(scene)
    places = [(y, x) for y in origins(scene.height, tile, step) for x in origins(scene.width, tile, step)]
    for first in range(0, len(places), options.batch):
        batch = places[first:first + options.batch]
        pixels = np.stack([read(scene, Window(x, y, tile, tile), tile, mean, std) for y, x in batch])
        with torch.no_grad(), autocast():
            logits = net(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last))
        probabilities = logits.float().softmax(1).numpy()
        for (y, x), p in zip(batch, probabilities):
            h, w = min(tile, scene.height - y), min(tile, scene.width - x)
            sums[:, y:y + h, x:x + w] += p[:, :h, :w] * share[:h, :w]
            total[y:y + h, x:x + w] += share[:h, :w]
    return sums, total


def write(path, scene, mask):
    profile = {"driver": "GTiff", "height": scene.height, "width": scene.width, "count": 1, "dtype": "uint8",
               "crs": scene.crs, "transform": scene.transform, "nodata": NODATA}
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(mask, 1)
            rasterio.shutil.copy(plain, path, driver="COG", compress="DEFLATE", blocksize=256,
                                 overview_resampling="mode", num_threads=torch.get_num_threads())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene")
    parser.add_argument("-o", "--out", required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    for name, default in (("width", 64), ("depth", 4), ("classes", 6), ("tile", 512), ("overlap", 128), ("batch", 4)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    bf16, autocast = cast(options.precision)
    start = time.perf_counter()
    with rasterio.open(options.scene) as scene:
        net = UNet(scene.count, options.classes, options.width, options.depth).eval()
        sums, total = predict(scene, net.to(memory_format=torch.channels_last), autocast, options)
        mask = (sums / total).argmax(0).astype(np.uint8) + 1
        mask[scene.dataset_mask() == 0] = NODATA
        write(options.out, scene, mask)
        megapixels = scene.height * scene.width / 1e6
    seconds = time.perf_counter() - start
    print(json.dumps({"scene": options.scene, "seconds": round(seconds, 2), "mpx_s": round(megapixels / seconds, 4),
                      "precision": "bf16" if bf16 else "f32", "threads": options.threads}))


if __name__ == "__main__":
    main()

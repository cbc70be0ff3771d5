"""valid.py NETWORK WEIGHTS SCENE PROBABILITIES: the probabilities of a scene against those of PyTorch, of the
whole scene with zeros around it. f32 on one side, f64 on the other: 6 * sqrt(K * layers) * 2^-24 of the
logits' range, and the slope of a softmax is below 1."""
import json
import sys

import numpy
import torch
from osgeo import gdal

import networks

gdal.UseExceptions()


def load(path):
    """A safetensors file: its length, a header in JSON, values."""
    raw = open(path, "rb").read()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    return {name: torch.from_numpy(numpy.frombuffer(
        raw[8 + length + t["data_offsets"][0]:8 + length + t["data_offsets"][1]], "<f4").reshape(t["shape"]).copy())
        for name, t in header.items() if name != "__metadata__"}


def main():
    text, weights, scene, probabilities = sys.argv[1:]
    network = networks.build(text.replace(",aux=1", "")).double().eval()
    state = load(weights)
    left = set(network.load_state_dict(state, strict=False).missing_keys)
    assert all(name.endswith("num_batches_tracked") for name in left), left
    assert set(state) <= set(network.state_dict()), "an auxiliary head was exported"
    # make_model's mean is 100 + 7 b, its deviation 40 + b for band b
    pixels = gdal.Open(scene).ReadAsArray().astype("f8")
    band = numpy.arange(len(pixels)).reshape(-1, 1, 1)
    known = gdal.Open(probabilities).ReadAsArray()[0] >= 0
    x = numpy.where(known, (pixels - (100 + 7 * band)) / (40 + band), 0)
    side, step = 6 * 2 ** network.depth, 2 ** network.depth
    side += 4 * step  # more than is needed: up to where bilinear upsampling meets its end
    around = [(0, 0)] + [(side, side + -length % step) for length in x.shape[1:]]
    x = torch.from_numpy(numpy.pad(x, around))[None]
    with torch.no_grad():
        logits = network(x)[0, :, side:side + known.shape[0], side:side + known.shape[1]]
    wanted = torch.softmax(logits, 0).numpy()
    got = gdal.Open(probabilities).ReadAsArray()
    kernels = [p for p in network.parameters() if p.ndim == 4]
    bound = 6 * (max(k[0].numel() for k in kernels) * len(kernels)) ** .5 * 2.0 ** -24
    bound *= float(logits.max() - logits.min())
    worst = numpy.abs(got - wanted)[:, known].max()
    print(f"{scene}: largest difference {worst:.1e}, allowed {bound:.1e}; probabilities over {numpy.ptp(wanted):.2g}")
    assert numpy.ptp(wanted) > .1, "all the same: nothing could differ"
    sys.exit(0 if worst <= bound else 1)


main()

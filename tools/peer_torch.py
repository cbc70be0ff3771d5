#!/usr/bin/python3
"""The same training in PyTorch, as the yardstick for `segtiles train` and `segtiles bench`.

    tools/peer_torch.py train amazon|india --data FOLDER [--width 16 --steps 600 --seed 1 ...]
    tools/peer_torch.py speed [--width 64 --batch 2 --size 512 --bands 4 --classes 6]
    tools/peer_torch.py speed --device cuda [--net unet | --net deeplabv3+,encoder=resnet50] [...]

`train` trains the U-Net of src/model/unet.c, or another network of src/model, on random crops with the eight flips and rotations, AdamW
and a cosine schedule with linear warm-up, then maps every test scene whole and prints the scores of the
summed confusion matrix. `speed` times a training step and a prediction; on a GPU in bf16 autocast, the best
of both memory layouts, as they are and compiled, with cuDNN's own search for the fastest convolution. Both use every thread given
by --threads, channels_last where it is faster (tried), and bf16 autocast where the CPU computes in it.
"""
import argparse
import csv
import glob
import json
import math
import os
import sys
import time

import numpy as np
import torch
from torch import nn


def block(channels_in, channels_out):
    layers = []
    for i in range(2):
        layers += [nn.Conv2d(channels_out if i else channels_in, channels_out, 3, padding=1, bias=False),
                   nn.BatchNorm2d(channels_out), nn.ReLU(True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Two 3x3 convolutions a level, 2x2 max pooling, 2x2 transposed convolution, 1x1 head."""

    def __init__(self, bands, classes, width, depth=4):
        super().__init__()
        widths = [width << i for i in range(depth + 1)]
        self.encoder = nn.ModuleList([block(bands, widths[0])] +
                                     [block(widths[i], widths[i + 1]) for i in range(depth)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2)
                                 for i in range(depth)])
        self.decoder = nn.ModuleList([block(2 * widths[i], widths[i]) for i in range(depth)])
        self.head = nn.Conv2d(widths[0], classes, 1)
        self.pool = nn.MaxPool2d(2)
        self.depth = depth

    def forward(self, x):
        skips = []
        for i in range(self.depth):
            x = self.encoder[i](x)
            skips.append(x)
            x = self.pool(x)
        x = self.encoder[self.depth](x)
        for i in reversed(range(self.depth)):
            x = self.decoder[i](torch.cat([self.up[i](x), skips[i]], 1))
        return self.head(x)


def cpu_has_bf16():
    with open("/proc/cpuinfo") as text:
        flags = next((line for line in text if line.startswith("flags")), "")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cast(precision):
    bf16 = precision == "bf16" or (precision == "auto" and cpu_has_bf16())
    return bf16, lambda: torch.autocast("cpu", torch.bfloat16, enabled=bf16)


def seconds_per_call(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def network(options, bands, classes):
    if options.net == "unet":
        return UNet(bands, classes, options.width)
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/oracle"))
    import networks
    return networks.build(f"{options.net},bands={bands},classes={classes}")


def gpu_seconds(call, repeats):
    for _ in range(3):  # compile, search, warm up
        call()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    marks[0].record()
    for mark in marks[1:]:
        call()
        mark.record()
    torch.cuda.synchronize()
    return sorted(a.elapsed_time(b) for a, b in zip(marks, marks[1:]))[repeats // 2] / 1e3


def gpu_variant(options, layout, compiled):
    shape = (options.batch, options.bands, options.size, options.size)
    net = network(options, options.bands, options.classes).cuda().to(memory_format=layout)
    forward = torch.compile(net) if compiled else net
    x = torch.randn(shape, device="cuda").contiguous(memory_format=layout)
    y = torch.randint(0, options.classes, (shape[0], *shape[2:]), device="cuda")
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    loss_of = nn.CrossEntropyLoss()

    def train_step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = loss_of(forward(x), y)
        loss.backward()
        optimizer.step()

    def predict():
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
            forward(x).argmax(1)

    rates = {}
    for name, call, prepare in (("predict", predict, net.eval), ("train", train_step, net.train)):
        prepare()
        rates[name] = options.batch * options.size**2 / 1e6 / gpu_seconds(call, options.repeats)
    return rates


def matrix_rate(repeats):
    """What the GPU's matrix units do, in GFLOP/s: a product of two bf16 matrices of 8192 x 8192."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / 1e9 / gpu_seconds(lambda: torch.matmul(a, b), repeats)


def gpu_speed(options):
    torch.backends.cudnn.benchmark = True
    best, start = {}, time.perf_counter()
    for layout in (torch.channels_last, torch.contiguous_format):
        for compiled in (False, True):
            kind = f"{'channels_last' if layout == torch.channels_last else 'contiguous'}{', compiled' * compiled}"
            if time.perf_counter() - start > options.seconds:
                print(f"no time for {kind}", flush=True)
                continue
            try:
                rates = gpu_variant(options, layout, compiled)
            except Exception as error:  # a compiler that does not work here must not hide the other kinds
                print(f"{kind}: {type(error).__name__}: {str(error)[:200]}", flush=True)
                continue
            print(kind, rates, flush=True)
            for name, rate in rates.items():
                if rate > best.get(name, (0, ""))[0]:
                    best[name] = (rate, kind)
    result = {"net": options.net, "precision": "bf16", "device": torch.cuda.get_device_name(),
              "torch": torch.__version__, "cudnn": torch.backends.cudnn.version(),
              "matrix_gflop_s": round(matrix_rate(options.repeats))}
    for name, (rate, kind) in best.items():
        result[name + "_mpx_s"] = round(rate, 3)
        result[name + "_kind"] = kind
    print(json.dumps(result))
    if len(best) < 2:
        sys.exit(1)


def speed(options):
    if options.device == "cuda":
        return gpu_speed(options)
    bf16, autocast = cast(options.precision)
    result = {"precision": "bf16" if bf16 else "f32", "threads": torch.get_num_threads()}
    shape = (options.batch, options.bands, options.size, options.size)
    megapixels = options.batch * options.size**2 / 1e6
    loss_of = nn.CrossEntropyLoss()
    for layout in (torch.contiguous_format, torch.channels_last):
        net = UNet(options.bands, options.classes, options.width).to(memory_format=layout)
        x = torch.randn(shape).contiguous(memory_format=layout)
        y = torch.randint(0, options.classes, (shape[0], *shape[2:]))
        optimizer = torch.optim.AdamW(net.parameters(), 1e-3)

        def train_step():
            optimizer.zero_grad()
            with autocast():
                loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()

        def predict():
            with torch.no_grad(), autocast():
                net(x).argmax(1)

        for name, call, prepare in (("train", train_step, net.train), ("predict", predict, net.eval)):
            prepare()
            rate = megapixels / seconds_per_call(call, options.repeats)
            result[name + "_mpx_s"] = round(max(rate, result.get(name + "_mpx_s", 0)), 4)
    print(json.dumps(result))


def read(path):
    from osgeo import gdal
    gdal.UseExceptions()
    return gdal.Open(path).ReadAsArray()


def amazon(folder, part):
    """Labels 1 forest, 2 non-forest; statistics of all training scenes."""
    prefix = "train" if part == "train" else "val"
    for path in sorted(glob.glob(f"{folder}/amazon/images/{prefix}_*.tif")):
        labels = read(path.replace("/images/", "/labels/")).astype(np.int64)
        yield read(path).astype(np.float32), np.where(labels == 0, 255, labels - 1)


def india(folder, part):
    """Labels 0 ignored, 1 .. 3; each scene has its own statistics."""
    with open(f"{folder}/india/splits.csv") as table:
        names = [row["scene"] for row in csv.DictReader(table) if row["split"] == part]
    for name in names:
        labels = read(f"{folder}/india/labels/{name}.tif").astype(np.int64)
        yield (read(f"{folder}/india/images/{name}.tif").astype(np.float32),
               np.where(labels == 0, 255, labels - 1))


def moments(images):
    pixels = np.concatenate([image.reshape(image.shape[0], -1) for image in images], 1)
    return (pixels.mean(1, dtype=np.float64)[:, None, None].astype(np.float32),
            pixels.std(1, dtype=np.float64)[:, None, None].astype(np.float32))


def normalised(scenes, per_scene, statistics):
    for image, labels in scenes:
        mean, std = moments([image]) if per_scene else statistics
        yield (image - mean) / std, labels


def crop(rng, image, labels, tile):
    image = np.pad(image, ((0, 0), (0, max(0, tile - image.shape[1])), (0, max(0, tile - image.shape[2]))))
    labels = np.pad(labels, [(0, max(0, tile - n)) for n in labels.shape], constant_values=255)
    y = rng.integers(labels.shape[0] - tile + 1)
    x = rng.integers(labels.shape[1] - tile + 1)
    turn = rng.integers(8)
    image, labels = image[:, y:y + tile, x:x + tile], labels[y:y + tile, x:x + tile]
    image, labels = np.rot90(image, turn % 4, (1, 2)), np.rot90(labels, turn % 4)
    if turn > 3:
        image, labels = image[:, :, ::-1], labels[:, ::-1]
    return image.copy(), labels.copy()


def rate_at(step, options):
    if step < options.warmup:
        return options.rate * (0.1 + 0.9 * step / options.warmup)
    t = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.rate * (1 + math.cos(math.pi * t)) / 2


def evaluate(net, scenes, classes, autocast):
    confusion = np.zeros((classes, classes), np.int64)
    net.eval()
    for image, labels in scenes:
        h, w = labels.shape
        padded = np.pad(image, ((0, 0), (0, -h % 32), (0, -w % 32)))
        with torch.no_grad(), autocast():
            logits = net(torch.from_numpy(padded[None]).contiguous(memory_format=torch.channels_last))
        predicted = logits.float().argmax(1).numpy()[0, :h, :w]
        valid = labels != 255
        confusion += np.bincount(labels[valid] * classes + predicted[valid],
                                 minlength=classes**2).reshape(classes, classes)
    diagonal = np.diag(confusion)
    iou = diagonal / (confusion.sum(0) + confusion.sum(1) - diagonal)
    return iou, diagonal.sum() / confusion.sum()


def train(options):
    maker, classes, per_scene = {"amazon": (amazon, 2, False), "india": (india, 3, True)}[options.set]
    bf16, autocast = cast(options.precision)
    scenes = list(maker(options.data, "train"))
    statistics = moments([image for image, _ in scenes])
    scenes = list(normalised(scenes, per_scene, statistics))
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    net = network(options, scenes[0][0].shape[0], classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), options.rate, weight_decay=1e-2)
    loss_of = nn.CrossEntropyLoss(ignore_index=255)
    area = np.array([labels.size for _, labels in scenes], np.float64)
    start = time.perf_counter()
    for step in range(options.steps):
        chosen = rng.choice(len(scenes), options.batch, p=area / area.sum())
        crops = [crop(rng, *scenes[i], options.tile) for i in chosen]
        x = torch.from_numpy(np.stack([c[0] for c in crops])).contiguous(memory_format=torch.channels_last)
        y = torch.from_numpy(np.stack([c[1] for c in crops]))
        optimizer.param_groups[0]["lr"] = rate_at(step, options)
        optimizer.zero_grad()
        with autocast():
            loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            print(f"step {step + 1}  loss {loss.item():.4f}  {time.perf_counter() - start:.0f} s", flush=True)
    seconds = time.perf_counter() - start
    iou, accuracy = evaluate(net, normalised(maker(options.data, "test"), per_scene, statistics), classes, autocast)
    print(json.dumps({"set": options.set, "net": options.net, "torch": torch.__version__, "seed": options.seed,
                      "steps": options.steps, "seconds": round(seconds, 1),
                      "mpx_s": round(options.steps * options.batch * options.tile**2 / seconds / 1e6, 4),
                      "precision": "bf16" if bf16 else "f32", "iou": [round(float(v), 4) for v in iou],
                      "miou": round(float(iou.mean()), 4), "accuracy": round(float(accuracy), 4)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    jobs = parser.add_subparsers(required=True)
    job = jobs.add_parser("train")
    job.add_argument("set", choices=("amazon", "india"))
    job.add_argument("--data", required=True)
    for name, kind, default in (("width", int, 16), ("steps", int, 600), ("batch", int, 8), ("tile", int, 256),
                                ("rate", float, 2e-3), ("warmup", int, 60), ("seed", int, 1)):
        job.add_argument("--" + name, type=kind, default=default)
    job.add_argument("--net", default="unet", help="or one that tests/oracle/networks.py makes, as deeplabv3+,encoder=resnet50")
    job.set_defaults(run=train)
    job = jobs.add_parser("speed")
    for name, default in (("width", 64), ("batch", 2), ("size", 512), ("bands", 4), ("classes", 6), ("repeats", 3)):
        job.add_argument("--" + name, type=int, default=default)
    job.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    job.add_argument("--net", default="unet", help="on a GPU; as tests/oracle/networks.py reads it")
    job.add_argument("--seconds", type=float, default=1e9, help="on a GPU: begin no other kind after so long")
    job.set_defaults(run=speed)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.run(options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""unet_torch.py FILE: the U-Net that dump_network ran, in PyTorch: outputs and every gradient.

PyTorch computes in f64, so the difference is our rounding alone. A gradient of the first layer has
gone through some 4 * depth + 2 convolutions with batch norm, forth and back. Each sums up to K = 9 *
width * 2^depth products of either sign, so that partial sums are of the result's own size, and their
K roundings are random: 6 * sqrt(K) * 2^-24 of it. Layers' errors are independent: they add up as the
root of their number. A ReLU or pooling choice that is a tie within rounding may go the other way;
then one of N * H * W pixels moves, which the bound, relative to the array's largest element, covers.
"""
import sys

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

import records

IGNORED = 255


class Stage(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)))


class UNet(nn.Module):
    def __init__(self, bands, classes, depth, width):
        super().__init__()
        self.depth = depth
        channels = [width * 2 ** level for level in range(depth + 1)]
        for level in range(depth + 1):
            inputs = channels[level - 1] if level else bands
            setattr(self, f"encoder{level}", Stage(inputs, channels[level]))
        for level in range(depth):
            setattr(self, f"up{level}",
                    nn.ConvTranspose2d(channels[level + 1], channels[level], 2, stride=2))
            setattr(self, f"decoder{level}", Stage(2 * channels[level], channels[level]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for level in range(self.depth):
            x = getattr(self, f"encoder{level}")(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = getattr(self, f"encoder{self.depth}")(x)
        for level in reversed(range(self.depth)):
            x = torch.cat([getattr(self, f"up{level}")(x), skips[level]], 1)
            x = getattr(self, f"decoder{level}")(x)
        return self.head(x)


# our name of a batch norm's parameters: PyTorch's
NORM = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


def torch_name(name):
    node, part = name.rsplit(".", 1)
    return f"{node}.{NORM.get(part, part)}"


def torch_values(name, values):
    """Ours are (out, height, width, in); PyTorch's (out, in, ...), transposed ones (in, out, ...)."""
    if values.ndim == 4:
        values = values.transpose((3, 0, 1, 2) if name.startswith("up") else (0, 3, 1, 2))
    return torch.from_numpy(values.astype("f8").copy())


def load(path):
    facts, arrays = {}, {}
    for item in records.read(path):
        if "array" in item:
            arrays[item["array"]] = item["values"]
        else:
            facts.update(item)
    return facts, arrays


def group(arrays, what):
    found = {}
    for name, values in arrays.items():
        if name.startswith(what + ":"):
            name = name.split(":")[1]
            found[torch_name(name)] = torch_values(name, values)
    return found


def build(facts, arrays):
    network = UNet(facts["bands"], facts["classes"], facts["depth"], facts["width"]).double()
    state = group(arrays, "before")
    wanted = {name for name in network.state_dict() if not name.endswith("num_batches_tracked")}
    if set(state) != wanted:
        sys.exit(f"parameters differ: {sorted(set(state) ^ wanted)}")
    network.load_state_dict(state, strict=False)
    return network.train()


def main():
    torch.set_num_threads(2)
    facts, arrays = load(sys.argv[1])
    network = build(facts, arrays)
    x = torch.from_numpy(arrays["input"].transpose(0, 3, 1, 2).astype("f8").copy())
    labels = torch.from_numpy(arrays["labels"].astype("i8"))
    weight = torch.from_numpy(arrays["class_weight"].astype("f8"))
    logits = network(x)
    loss = F.cross_entropy(logits, labels, weight, ignore_index=IGNORED, reduction="sum")
    (loss * facts["loss_scale"]).backward()

    terms = 9 * facts["width"] * 2 ** facts["depth"]
    layers = 2 * (4 * facts["depth"] + 2)
    relative = 6 * terms ** .5 * 2.0 ** -24 * layers ** .5
    gradients = group(arrays, "gradient")
    pairs = [("logits", arrays["logits"], logits.detach().numpy().transpose(0, 2, 3, 1)),
             ("loss", facts["loss_sum"], loss.item()),
             ("weight sum", facts["weight_sum"], weight[labels[labels != IGNORED]].sum().item())]
    after = group(arrays, "after")
    for name, parameter in network.named_parameters():
        pairs.append(("gradient of " + name, gradients.pop(name).numpy(), parameter.grad.numpy()))
    for name, buffer in network.named_buffers():
        if "running" in name:
            pairs.append(("running statistic " + name, after[name].numpy(), buffer.numpy()))
    lines, worst = [], 0
    for what, got, wanted in pairs:
        size = numpy.abs(wanted).max()
        worst = max(worst, numpy.abs(got - wanted).max() / size)
        lines.append(records.difference(what, got, wanted, relative * size))
    lines = [line for line in lines if line]
    lines += [f"a gradient of {name} that PyTorch does not have" for name in gradients]
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{len(pairs)} arrays compared with PyTorch; largest difference {worst:.2g} of the array, "
          f"allowed {relative:.2g}")
    sys.exit(1 if lines else 0)


main()

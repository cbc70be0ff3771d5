#!/usr/bin/env python3
"""networks_torch.py DUMP_NETWORK BACKEND FILE: networks that dump_network runs, in PyTorch: outputs and every gradient.
Standard input names them, one a line: NETWORK N HEIGHT WIDTH [smooth]. All in one process: PyTorch is slow to load.

PyTorch computes in f64, so the difference is our rounding alone. A gradient of the first layer has
gone through every convolution with its batch norm, forth and back. Each sums up to K products of
either sign, so that partial sums are of the result's own size, and their K roundings are random: 6 *
sqrt(K) * 2^-24 of it. Layers' errors are independent: they add up as the root of their number. A
ReLU or pooling choice that is a tie within rounding may go the other way; then one of N * H * W
pixels moves, which the bound, relative to the array's largest element, covers where pixels are many.
Deep networks have few pixels at their bottom and many activations, some of which are such ties: they
are compared with x * sigmoid(x) in place of ReLU, on both sides.
"""
import subprocess
import sys

import numpy
import torch
import torch.nn.functional as F

import networks
import records

IGNORED = 255
AUX_WEIGHT = .4  # torchvision's and PSPNet's


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


def build(text, arrays):
    network = networks.build(text).double()
    state = group(arrays, "before")
    wanted = {name for name in network.state_dict() if not name.endswith("num_batches_tracked")}
    if set(state) != wanted:
        sys.exit(f"parameters differ: {sorted(set(state) ^ wanted)}")
    network.load_state_dict(state, strict=False)
    return network.train()


def compare(network, path):
    """Are they the same? Prints how far they differ."""
    facts, arrays = load(path)
    network = build(network, arrays)
    x = torch.from_numpy(arrays["input"].transpose(0, 3, 1, 2).astype("f8").copy())
    labels = torch.from_numpy(arrays["labels"].astype("i8"))
    weight = torch.from_numpy(arrays["class_weight"].astype("f8"))
    logits = network(x)
    terms = [F.cross_entropy(x, labels, weight, ignore_index=IGNORED, reduction="sum")
             for x in [logits] + getattr(network, "aux_logits", [])]
    loss = terms[0] + AUX_WEIGHT * sum(terms[1:])
    (loss * facts["loss_scale"]).backward()

    kernels = [p for p in network.parameters() if p.ndim == 4]
    products = max(k[0].numel() for k in kernels)
    layers = 2 * len(kernels)
    relative = 6 * products ** .5 * 2.0 ** -24 * layers ** .5
    gradients = group(arrays, "gradient")
    pairs = [("logits", arrays["logits"], logits.detach().numpy().transpose(0, 2, 3, 1)),
             ("loss", facts["loss_sum"], loss.item()),
             ("loss of auxiliary heads", facts["aux_sum"], float(sum(terms[1:]))),
             ("weight sum", facts["weight_sum"], weight[labels[labels != IGNORED]].sum().item())]
    after = group(arrays, "after")
    for name, parameter in network.named_parameters():
        pairs.append(("gradient of " + name, gradients.pop(name).numpy(), parameter.grad.numpy()))
    for name, buffer in network.named_buffers():
        if "running" in name:
            pairs.append(("running statistic " + name, after[name].numpy(), buffer.numpy()))
    lines, worst = [], 0
    sizes = {what: numpy.abs(wanted).max() for what, _, wanted in pairs}
    for what, got, wanted in pairs:
        size = sizes[what] or 1
        # A bias in front of batch norm has no effect: its gradient is what rounding leaves of 0.
        if what.endswith(".bias") and size < 1e-12 * sizes.get(what[:-4] + "weight", 0):
            size = sizes[what[:-4] + "weight"]
        worst = max(worst, numpy.abs(got - wanted).max() / size)
        lines.append(records.difference(what, got, wanted, relative * size))
    lines = [line for line in lines if line]
    lines += [f"a gradient of {name} that PyTorch does not have" for name in gradients]
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{len(pairs)} arrays compared with PyTorch; largest difference {worst:.2g} of the array, "
          f"allowed {relative:.2g}", flush=True)
    return not lines


class Dumps:
    """dump_network of one line after another, each run while the one before is compared."""

    def __init__(self, tool, backend, path, lines):
        self.tool, self.backend, self.path, self.lines = tool, backend, path, lines
        self.running = self.begin(0)

    def begin(self, i):
        if i == len(self.lines):
            return None
        network, n, height, width, *smooth = self.lines[i].split()
        return subprocess.Popen([self.tool, self.backend, network, n, height, width, f"{self.path}.{i % 2}", *smooth],
                                stdin=subprocess.DEVNULL)

    def each(self):
        for i, line in enumerate(self.lines):
            status = self.running.wait()
            if status != 0:
                sys.exit(status)  # 77: the device is not here
            self.running = self.begin(i + 1)
            yield line, f"{self.path}.{i % 2}"

    def close(self):
        if self.running:
            self.running.kill()
            self.running.wait()


def main():
    torch.set_num_threads(2)
    dumps = Dumps(*sys.argv[1:], sys.stdin.read().splitlines())
    exact = networks.activate
    try:
        for line, path in dumps.each():
            network, n, height, width, *smooth = line.split()
            print(f"{network}, {n} x {height} x {width}{', smooth' if smooth else ''}:", flush=True)
            networks.activate = torch.nn.functional.silu if smooth else exact
            if not compare(network, path):
                sys.exit(1)
    finally:
        dumps.close()


main()

#!/usr/bin/env python3
"""weights_torch.py write KIND FILE | check NETWORK KIND FILE EXPORTED RUN

write: random weights of an encoder under torchvision's names, as PyTorch and the package safetensors write
them. check: EXPORTED, what segtiles wrote of a network that began with FILE, fits PyTorch's network strictly,
holds FILE's numbers to the bit, and the network computes from them the logits in RUN.
"""
import sys

import torch
from torch import nn

sys.path.append(sys.argv.pop(1))  # behind PyTorch's own numpy
import safetensors.torch  # noqa: E402

import networks  # noqa: E402
import records  # noqa: E402

FORMATS = {"resnet18": torch.float32, "resnet50": torch.bfloat16,
           "vgg16_bn": torch.float64, "vgg16": torch.float16}


def plain_vgg(state):
    """torchvision's numbers of VGG-16 without batch norms."""
    plain, at, bands = nn.Sequential(), 0, 3
    for count, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            plain.add_module(str(at), nn.Conv2d(bands, channels, 3, padding=1))
            bands, at = channels, at + 2
        at += 1
    state.update({"features." + name: value for name, value in plain.state_dict().items()})


def make(kind):
    torch.manual_seed(7)
    if kind == "vgg16":
        state = {}
        plain_vgg(state)
    else:
        encoder = networks.VGG(3) if kind == "vgg16_bn" else networks.ResNet(3, int(kind[6:]), 32)
        state = encoder.state_dict()
    for name, value in state.items():
        if name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            value.uniform_(.5, 1.5)
        elif value.is_floating_point() and value.ndim == 1:
            value.uniform_(-.2, .2)
    if kind.startswith("vgg"):
        state["classifier.0.weight"] = torch.randn(16, 512 * 7 * 7) / 160
        state["classifier.0.bias"] = torch.randn(16)
        state["classifier.3.weight"], state["classifier.3.bias"] = torch.randn(16, 16) / 4, torch.randn(16)
        state["classifier.6.weight"], state["classifier.6.bias"] = torch.randn(1000, 16), torch.randn(1000)
    else:
        state["fc.weight"], state["fc.bias"] = torch.randn(1000, 512), torch.randn(1000)
    return {name: value.to(FORMATS[kind]).contiguous() if value.is_floating_point() else value
            for name, value in state.items()}


def bare(name):
    return name[len("encoder."):] if name.startswith("encoder.") else name


def place(kind):
    """Where a network keeps what a file calls by another name."""
    names = {f"classifier.{i}.{part}": f"{fc}.{part}" for i, fc in ((0, "fc6"), (3, "fc7"))
             for part in ("weight", "bias")}
    if kind == "vgg16":
        plain = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
        normed = [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]
        names.update({f"features.{a}.{part}": f"features.{b}.{part}" for a, b in zip(plain, normed)
                      for part in ("weight", "bias")})
    return names


def check(text, kind, file, exported, run):
    wanted, got = safetensors.torch.load_file(file), safetensors.torch.load_file(exported)
    taken = 0
    for name, value in wanted.items():
        name = place(kind).get(name, name)
        if name in got:
            same = got[name].flatten() == value.float().flatten()
            assert same.all() and got[name].numel() == value.numel(), name
            taken += 1
    network = networks.build(text)
    state = {name: got.pop(bare(name)) for name in network.state_dict()
             if not name.endswith("num_batches_tracked")}
    assert not got, f"PyTorch has no {list(got)}"
    network.load_state_dict(state, strict=True)
    arrays = {item["array"]: item["values"] for item in records.read(run)}
    network.double().eval()
    with torch.no_grad():
        logits = network(torch.from_numpy(arrays["input"].astype("f8")).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    kernels = [p for p in network.parameters() if p.ndim == 4]
    terms = max(k[0].numel() for k in kernels)
    size = float((logits.amax((0, 1, 2)) - logits.amin((0, 1, 2))).max())
    bound = 6 * (terms * len(kernels)) ** .5 * 2.0 ** -24 * size  # as in onnx_runtime.py
    line = records.difference("logits", arrays["logits"], logits.numpy(), bound)
    worst = abs(arrays["logits"] - logits.numpy()).max() / size
    print(line or f"{taken} tensors of {kind} to the bit; logits differ by {worst:.2g} of their range")
    return taken if not line else 0


if sys.argv[1] == "write":
    safetensors.torch.save_file(make(sys.argv[2]), sys.argv[3])
else:
    # convolutions and norms of the encoder, as many as the published networks have
    expected = {"resnet18": 20 * 5, "resnet50": 53 * 5, "vgg16_bn": 13 * 6 + 4,
                "vgg16": 13 * 2 + 4}[sys.argv[3]]
    sys.exit(check(*sys.argv[2:]) != expected)

#!/usr/bin/env python3
"""ops_torch.py FILE: compare every operator case that dump_ops wrote with torch.nn.functional.

PyTorch computes in f64 here, so the difference is our rounding alone: sums in f32 or wider over at
most some 2000 terms of magnitude about 1. Bound: 6 * sqrt(K) * 2^-24 * magnitude (see
tests/op/tolerance.h), with K and magnitude taken as 2048 and the array's largest value plus the
largest term, 1; that is 1.6e-5 of it. Batch norm of a large mean and softmax of large logits lose
the digits that the mean has before the point: their inputs' size multiplies the bound.
"""
import sys

import numpy
import torch
import torch.nn.functional as F

import losses_torch
import records

IGNORED = 255


def nchw(values):
    return torch.from_numpy(numpy.ascontiguousarray(values.transpose(0, 3, 1, 2)).astype("f8"))


def nhwc(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


ACTS = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky": lambda x: F.leaky_relu(x, .01),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
}


def conv(c, x, p):
    top, bottom, left, right = c["pad"]
    padded = F.pad(x[0], (left, right, top, bottom))
    weight = p[0].permute(0, 3, 1, 2)
    y = F.conv2d(padded, weight, p[1] if c["bias"] else None, c["stride"], 0, c["dilation"],
                 c["groups"])
    return y + x[1] if len(x) > 1 else y


def conv_transpose(c, x, p):
    top, bottom, left, right = c["pad"]
    weight = p[0].permute(3, 0, 1, 2)
    # without padding, then cropped: PyTorch's padding is the same on both sides
    y = F.conv_transpose2d(x[0], weight, p[1] if c["bias"] else None, c["stride"], 0, c["out_pad"])
    return y[:, :, top:y.shape[2] - bottom, left:y.shape[3] - right]


def batch_norm(c, x, p):
    if x[0].numel() == x[0].shape[1]:  # PyTorch refuses a single value a channel
        mean = x[0].mean((0, 2, 3), keepdim=True)
        y = (x[0] - mean) / (c["epsilon"] ** .5)
        p[2].data = p[2] * (1 - c["momentum"]) + c["momentum"] * mean.flatten().detach()
        p[3].data = p[3] * (1 - c["momentum"])
        return y * p[0].view(1, -1, 1, 1) + p[1].view(1, -1, 1, 1)
    return F.batch_norm(x[0], p[2], p[3], p[0], p[1], True, c["momentum"], c["epsilon"])


def group_norm(c, x, p):
    if x[0][0].numel() == c["groups"]:  # PyTorch refuses a single value a group
        return x[0] * 0 * p[0].view(1, -1, 1, 1) + p[1].view(1, -1, 1, 1)
    return F.group_norm(x[0], c["groups"], p[0], p[1], c["epsilon"])


def crop(c, x, p):
    sides = [pad - cut for pad, cut in zip(c["pad"], c["cut"])]
    (h, w), (top, bottom, left, right) = x[0].shape[2:], c["cut"]
    top_pad, bottom_pad, left_pad, right_pad = c["pad"]
    y = F.pad(x[0][:, :, top:h - bottom, left:w - right], (left_pad, right_pad, top_pad, bottom_pad))
    assert list(y.shape[2:]) == [h + sum(sides[:2]), w + sum(sides[2:])]
    return y


def max_pool(c, x, p):
    top, bottom, left, right = c["pad"]
    padded = F.pad(x[0], (left, right, top, bottom), value=-numpy.inf)
    return F.max_pool2d(padded, c["kernel"], c["stride"], 0, c["dilation"])


def avg_pool(c, x, p):
    top, bottom, left, right = c["pad"]
    sums = F.avg_pool2d(F.pad(x[0], (left, right, top, bottom)), c["kernel"], c["stride"],
                        divisor_override=1)
    ones = torch.ones_like(x[0])
    if not c["exclude_pad"]:
        return sums / (c["kernel"][0] * c["kernel"][1])
    return sums / F.avg_pool2d(F.pad(ones, (left, right, top, bottom)), c["kernel"], c["stride"],
                               divisor_override=1)


def global_pool(c, x, p):
    return F.adaptive_max_pool2d(x[0], 1) if c["kind"] == 0 else F.adaptive_avg_pool2d(x[0], 1)


def resize(c, x, p):
    align = bool(c["align_corners"])
    if len(x) == 2:
        return F.interpolate(x[0], size=x[1].shape[2:], mode="bilinear", align_corners=align)
    return F.interpolate(x[0], scale_factor=[float(s) for s in c["scale"]], mode="bilinear",
                         align_corners=align)


OPERATORS = {
    "input": lambda c, x, p: x[0],
    "conv": conv,
    "conv_transpose": conv_transpose,
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "crop": crop,
    "activation": lambda c, x, p: x[0],
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "global_pool": global_pool,
    "resize": resize,
    "concat": lambda c, x, p: torch.cat(x, 1),
    "add": lambda c, x, p: sum(x[1:], x[0]),
    "softmax": lambda c, x, p: F.softmax(x[0], 1),
}


def numbered(arrays, what):
    found = []
    while f"{what}{len(found)}" in arrays:
        found.append(arrays[f"{what}{len(found)}"])
    return found


def bound(array, case, arrays):
    scale = 1 + numpy.abs(array).max()
    if case["op"] in ("batch_norm", "group_norm", *losses_torch.LOSSES):
        scale *= max(1, numpy.abs(arrays["in0"]).max() / 10)
    if case["case"] in ("batch_norm: one value", "group_norm: one value"):
        scale *= case["epsilon"] ** -.5  # of the variance 0
    return 6 * 2048 ** .5 * 2.0 ** -24 * scale


def sigmoid_pairs(case, arrays, labels, weight):
    """Cross-entropy of two classes is binary cross-entropy of their difference, gradients included."""
    if case["op"] != "softmax_loss" or arrays["in0"].shape[3] != 2 or case["smoothing"] or case["gamma"]:
        return {}
    x = nchw(arrays["in0"]).requires_grad_()
    loss = losses_torch.sigmoid_loss(x, labels, weight) * case["weight"]
    (loss * case["loss_scale"]).backward()
    return {"loss_sum as of a sigmoid": (numpy.float64(case["loss_sum"]), loss.item()),
            "grad_in0 as of a sigmoid": (arrays["grad_in0"], nhwc(x.grad))}


def loss_case(case, arrays):
    x = nchw(arrays["in0"]).requires_grad_()
    labels = torch.from_numpy(arrays["labels"].astype("i8"))
    weight = arrays.get("class_weight")
    weight = torch.ones(x.shape[1], dtype=torch.float64) if weight is None else torch.from_numpy(
        weight.astype("f8"))
    border = arrays.get("border", numpy.zeros(arrays["labels"].shape))
    valid = labels != IGNORED
    total = weight[labels[valid]].sum().item()
    loss = losses_torch.LOSSES[case["op"]](case, x, labels, weight,
                                           torch.from_numpy(border.astype("f8")))
    loss = loss * case["weight"]
    (loss * case["loss_scale"]).backward()
    pairs = sigmoid_pairs(case, arrays, labels, weight)
    return pairs | {
        "loss_sum": (numpy.float64(case["loss_sum"]), loss.item()),
        "out": (arrays["out"].reshape(()), loss.item()),
        "weight_sum": (numpy.float64(case["weight_sum"]), total),
        "grad_in0": (arrays["grad_in0"], nhwc(x.grad)),
    }


def dropout_case(case, arrays):
    """PyTorch has other masks: only that mask, scale and gradient fit together."""
    ratio = arrays["out"] / arrays["in0"]
    return {"grad_in0": (arrays["grad_in0"], ratio * arrays["grad_out"])}


def plain_case(case, arrays):
    x = [nchw(v).requires_grad_() for v in numbered(arrays, "in")]
    p = [torch.from_numpy(v.astype("f8")) for v in numbered(arrays, "param")]
    for k, value in enumerate(p):
        value.requires_grad_(f"grad_param{k}" in arrays)
    y = ACTS[case["act"]](OPERATORS[case["op"]](case, x, p))
    y.backward(nchw(arrays["grad_out"]))
    pairs = {"out": (arrays["out"], nhwc(y))}
    for k, value in enumerate(x):
        zero = torch.zeros_like(value)
        pairs[f"grad_in{k}"] = (arrays[f"grad_in{k}"],
                                nhwc(zero if value.grad is None else value.grad))
    for k, value in enumerate(p):
        if value.requires_grad:
            pairs[f"grad_param{k}"] = (arrays[f"grad_param{k}"], value.grad.numpy())
        else:
            pairs[f"state{k}"] = (arrays[f"state{k}"], value.detach().numpy())
    return pairs


def check(case, arrays):
    if case["op"] == "input":
        return []  # nothing is computed
    special = {"dropout": dropout_case, **{op: loss_case for op in losses_torch.LOSSES}}
    pairs = special.get(case["op"], plain_case)(case, arrays)
    lines = [records.difference(what, got, wanted, bound(numpy.asarray(wanted), case, arrays))
             for what, (got, wanted) in pairs.items()]
    return [line for line in lines if line]


def cases(path):
    case, arrays = None, {}
    for item in records.read(path):
        if "case" in item:
            if case:
                yield case, arrays
            case, arrays = item, {}
        else:
            arrays[item["array"]] = item["values"]
    yield case, arrays


def main():
    torch.set_num_threads(1)
    failures, seen = 0, set()
    for case, arrays in cases(sys.argv[1]):
        seen.add(case["op"])
        for line in check(case, arrays):
            failures += 1
            print(f"{case['case']}: {line}")
    missing = (set(OPERATORS) | set(losses_torch.LOSSES)) - seen
    if missing:
        print("no case of", *sorted(missing))
    print(f"{len(seen)} operators compared with PyTorch, {failures} differences")
    sys.exit(1 if failures or missing else 0)


main()

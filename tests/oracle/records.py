"""Reads what records.c writes: JSON lines, each array's f32 values right behind its line."""
import json

import numpy


def read(path):
    """Yield each line's object; an array's has its numbers under "values"."""
    with open(path, "rb") as file:
        for line in file:
            item = json.loads(line)
            if "shape" in item:
                count = int(numpy.prod(item["shape"]))
                item["values"] = numpy.frombuffer(file.read(4 * count), "<f4").reshape(item["shape"])
            yield item


def difference(what, got, wanted, bound):
    """"" when |got - wanted| <= bound everywhere, else a line that says where it is worst."""
    got, wanted = numpy.asarray(got, "f8"), numpy.asarray(wanted, "f8")
    if got.shape != wanted.shape:
        return f"{what}: shape {got.shape}, PyTorch has {wanted.shape}"
    excess = numpy.abs(got - wanted) - bound
    if got.size == 0 or (numpy.isfinite(got).all() and excess.max() <= 0):
        return ""
    at = numpy.unravel_index(numpy.argmax(numpy.nan_to_num(excess, nan=numpy.inf)), got.shape)
    limit = numpy.broadcast_to(bound, got.shape)[at]
    return f"{what} at {tuple(map(int, at))}: {got[at]:.9g}, PyTorch has {wanted[at]:.9g}, bound {limit:.3g}"

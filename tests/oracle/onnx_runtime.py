#!/usr/bin/env python3
"""onnx_runtime.py FOLDER...: model.onnx, and raw.onnx and tile.onnx where they are, against what the network
computed (run).

Both sides compute in f32. A result is a sum of up to K products of either sign a layer, so K roundings of
random sign, and layers' errors are independent: 6 * sqrt(K * layers) * 2^-24 of the logits' range.
"""
import json
import os
import sys

import numpy
import onnx
import onnxruntime

import records


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def bound(model):
    kernels = [onnx.numpy_helper.to_array(i) for i in model.graph.initializer if len(i.dims) == 4]
    terms = max(k[0].size for k in kernels)
    return 6 * (terms * len(kernels)) ** .5 * 2.0 ** -24


def evaluate(path, x):
    s = session(path)
    return s.run(None, {s.get_inputs()[0].name: x})[0]


def softmax(x):
    e = numpy.exp(x.astype("f8") - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def check(what, got, wanted, bound):
    line = records.difference(what, got, wanted, bound)
    if line:
        sys.exit(line.replace("PyTorch has", "segtiles has"))


def compare(folder):
    """The logits."""
    arrays = {item["array"]: item["values"] for item in records.read(folder + "/run")}
    x = numpy.ascontiguousarray(arrays["input"].transpose(0, 3, 1, 2))
    logits = arrays["logits"].transpose(0, 3, 1, 2)
    model = onnx.load(folder + "/model.onnx")
    onnx.checker.check_model(model, full_check=True)
    size = numpy.ptp(logits, (0, 2, 3)).max()  # how they vary: what is constant is the last bias
    allowed = bound(model) * size
    got = evaluate(folder + "/model.onnx", x)
    check("logits", got, logits, allowed)
    check("one sample of the batch", evaluate(folder + "/model.onnx", x[:1]), logits[:1], allowed)
    print(f"{folder}: logits over {size:.2g}, largest difference {numpy.abs(got - logits).max() / size:.2g} "
          f"of it, allowed {allowed / size:.2g}")
    return x, logits, allowed  # a softmax's slope is below 1


def check_metadata(path, classes, x, pixels, wanted):
    """Deepness divides pixels by 255 and standardizes them: then they must be what the network takes."""
    meta = {k: json.loads(v) for k, v in session(path).get_modelmeta().custom_metadata_map.items()}
    mean, std = (numpy.array(meta[f"standardization_{key}"]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    assert numpy.abs((pixels / 255 - mean) / std - wanted).max() < 1e-3
    assert meta["model_type"] == "Segmentor" and meta["resolution"] == 250, meta
    assert meta["class_names"] == {str(i): f"class {i + 1}" for i in range(classes)}
    assert meta["segtiles_bands"] == list(range(1, x.shape[1] + 1))
    assert meta["tile_size"] == meta["tiles_size"] and 0 < meta["tiles_overlap"] <= 50
    assert meta["seg_thresh"] == 0
    return meta


def compare_forms(folder, x, logits, error):
    """Probabilities from tiles of one size, and from pixels as a scene holds them: make_model's mean
    is 100 + 7 b, its deviation 40 + b for band b."""
    size, classes = x.shape[2], logits.shape[1]
    mean = (100 + 7 * numpy.arange(x.shape[1], dtype="f4")).reshape(1, -1, 1, 1)
    std = (40 + numpy.arange(x.shape[1], dtype="f4")).reshape(1, -1, 1, 1)
    pixels = x * std + mean
    tile = session(folder + "/tile.onnx")
    assert tile.get_inputs()[0].shape == ["batch", x.shape[1], size, size]
    assert tile.get_outputs()[0].shape == ["batch", classes, size, size]
    check("probabilities", evaluate(folder + "/tile.onnx", x), softmax(logits), error)
    # (pixel - mean) / std: rounding of pixels of size 200 with deviations of 40 is 4 times that of x.
    check("from raw pixels", evaluate(folder + "/raw.onnx", pixels), softmax(logits), error + 2e-5)
    assert check_metadata(folder + "/tile.onnx", classes, x, pixels, x)["tile_size"] == size
    check_metadata(folder + "/raw.onnx", classes, x, pixels, pixels)


for place in sys.argv[1:]:
    computed = compare(place)
    if os.path.exists(place + "/raw.onnx"):
        compare_forms(place, *computed)

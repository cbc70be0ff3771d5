"""crf.py numbers TOOL | crf.py scene SCENE WINDOW MARGIN: the lattice and the conditional random field against numpy.

numbers: TOOL is dump_crf. scene: after_p.tif and after.tif are what the field makes of before_p.tif, window by window."""
import subprocess
import sys

import numpy as np

FLOOR = 1e-5


class Lattice:
    """From the definitions, in f64, and not as the program does it: the corners of a simplex are the nearest points of
    each remainder (Conway and Sloane's search), the weights solve the linear system, points meet by sorting."""

    def __init__(self, features):
        features = np.asarray(features, "f4").astype("f8")
        count, self.dims = features.shape
        features = features + np.arange(1, self.dims + 1) * (1 + 5 ** .5) / 2 % 1  # off the faces of simplices
        n = self.n = self.dims + 1
        basis = np.zeros((n, self.dims))  # orthonormal, of the plane of vectors that add up to 0
        for i in range(self.dims):
            basis[:i + 1, i] = 1
            basis[i + 1, i] = -(i + 1)
            basis[:, i] /= np.sqrt((i + 1) * (i + 2))
        place = features @ basis.T * n * np.sqrt(2 / 3)
        corners = np.stack([self.nearest(place, r) for r in range(n)], 1)  # (count, n, n)
        system = np.concatenate([corners.transpose(0, 2, 1)[:, :self.dims], np.ones((count, 1, n))], 1)
        wanted = np.concatenate([place[:, :self.dims], np.ones((count, 1))], 1)
        self.share = np.linalg.solve(system, wanted[:, :, None])[:, :, 0]
        assert self.share.min() > -1e-9, "not inside its simplex"
        flat = corners.reshape(-1, n).astype("i8")
        self.low = flat.min(0) - n
        self.span = flat.max(0) - self.low + n + 1
        assert np.log2(self.span[:self.dims].astype(float)).sum() < 62
        codes, at = np.unique(self.code(flat), return_inverse=True)
        self.at = at.reshape(count, n)
        points = np.zeros((len(codes), n), "i8")
        points[self.at.ravel()] = flat
        self.points = len(codes)
        self.beside = []
        for j in range(n):
            step = np.ones(n, "i8")
            step[j] = -self.dims
            for side in (step, -step):
                code = self.code(points + side)
                where = np.searchsorted(codes, code).clip(0, len(codes) - 1)
                self.beside.append(np.where(codes[where] == code, where, len(codes)))

    def nearest(self, place, remainder):
        whole = np.rint((place - remainder) / self.n)
        for _ in range(self.n):
            excess = whole.sum(1) + remainder
            if not excess.any():
                break
            rest = (place - remainder) / self.n - whole
            worst = np.where(excess > 0, rest.argmin(1), rest.argmax(1))
            whole[np.arange(len(whole)), worst] -= np.sign(excess)
        return whole * self.n + remainder

    def code(self, points):
        code = np.zeros(len(points), "i8")
        for j in range(self.dims):
            code = code * self.span[j] + points[:, j] - self.low[j]
        return code

    def filter(self, values):
        result = np.empty((len(values), values.shape[1]))
        for c in range(values.shape[1]):
            v = np.bincount(self.at.ravel(), (self.share * values[:, c:c + 1]).ravel(), self.points)
            for j in range(self.n):
                v = np.append(v, 0)
                v = v[:-1] + (v[self.beside[2 * j]] + v[self.beside[2 * j + 1]]) / 2
            result[:, c] = (self.share * v[self.at]).sum(1)
        return result


class Brute:
    """All pairs."""

    def __init__(self, features):
        features = np.asarray(features, "f8")
        self.kernel = np.exp(-((features[:, None] - features[None]) ** 2).sum(2) / 2)

    def filter(self, values):
        return self.kernel @ values


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def features_of(bands, known, options):
    y, x = np.nonzero(known)
    place = np.stack([x, y], 1).astype(float)
    return [(options["w1"], np.concatenate([bands[known] / options["beta"], place / options["alpha"]], 1)),
            (options["w2"], place / options["gamma"])]


def mean_field(bands, known, given, options, kind):
    """bands (h, w, b), known (h, w), given (h, w, classes): (h, w, classes) by the formulas of Kraehenbuehl and Koltun."""
    found = np.full(given.shape, -1.0)
    if not known.any():
        return found
    cost = -np.log(np.maximum(given[known].astype(float), FLOOR))
    kernels = []
    for weight, features in features_of(bands.astype(float), known, options):
        if weight > 0:
            kernel = kind(features)
            scale = 1 / np.sqrt(kernel.filter(np.ones((len(features), 1))))
            kernels.append((weight, kernel, scale))
    belief = softmax(-cost)
    for _ in range(options["iterations"]):
        # Potts: what others believe of other classes costs; all of one pixel's sums shift alike
        belief = softmax(-cost + sum(w * s * k.filter(s * belief) for w, k, s in kernels))
    found[known] = belief
    return found


def run(tool, words, *arrays):
    data = b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays)
    done = subprocess.run([tool, *map(str, words)], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, "<f4"), done.stderr.decode()


def check_lattice(tool, features, what):
    """Equal to numpy's lattice but for rounding; and no farther from the Gaussian than half the difference of the two
    kernels' rows, each divided by its sum, which bounds the error of a mean of values from 0 to 1."""
    count, dims = features.shape
    rng = np.random.default_rng(count + dims)
    values = np.concatenate([rng.random((count, 3)), np.ones((count, 1))], 1)
    got, told = run(tool, ["lattice", dims, count], features, values)
    got = got.reshape(count, 4).astype(float)
    lattice, brute = Lattice(features), Brute(features)
    assert told == f"{lattice.points} points\n", (what, told, lattice.points)
    wanted = lattice.filter(values)
    # f32: a sum of n terms of one sign, n below a few hundred here, and dims + 1 blurs
    worst = np.abs(got / wanted - 1).max()
    assert worst < 1e-5, f"{what}: {worst} from numpy's lattice"
    approximate = lattice.filter(np.eye(count))
    approximate /= approximate.sum(1, keepdims=True)
    exact = brute.kernel / brute.kernel.sum(1, keepdims=True)
    bound = np.abs(approximate - exact).sum(1) / 2
    error = np.abs(got[:, :3] / got[:, 3:] - brute.filter(values)[:, :3] / brute.filter(values)[:, 3:])
    assert (error <= bound[:, None] + 1e-5).all(), what
    print(f"{what}: {lattice.points} points for {count} pixels; from the Gaussian's mean at most {error.max():.3f}, "
          f"on average {error.mean():.4f}; kernels differ by {bound.mean():.3f}")
    return bound.mean(), error.mean()


def check_variance(tool):
    """Splat, blur and slice together have the Gaussian's variance in every dimension, on average over where a pixel lies
    in its simplex: 2 (dims + 1)^2 / 3 in the lattice's units. Values x and x^2 as functions of x tell mean and variance;
    pixels inside do not lie quite evenly in their simplices, which is the hundredth that is let pass."""
    for dims in (1, 2, 3):
        line = np.linspace(-8, 8, {1: 4000, 2: 110, 3: 36}[dims])
        grid = np.stack(np.meshgrid(*[line] * dims, indexing="ij"), -1).reshape(-1, dims)
        values = np.stack([grid[:, 0] + 12, (grid[:, 0] + 12) ** 2, np.ones(len(grid)), np.ones(len(grid))], 1)
        got = run(tool, ["lattice", dims, len(grid)], grid, values)[0].reshape(-1, 4).astype(float)
        inside = np.abs(grid).max(1) < 2
        shift = (got[inside, 0] / got[inside, 2] - values[inside, 0]).mean()
        spread = (got[inside, 1] / got[inside, 2] - 2 * values[inside, 0] * got[inside, 0] / got[inside, 2]
                  + values[inside, 0] ** 2).mean()
        print(f"variance in {dims} dimension(s): {spread:.4f}, shift {shift:.1e}")
        assert abs(spread - 1) < .02 and abs(shift) < .01, (dims, spread, shift)


def made_field(rng, h, w, bands, classes):
    """Patches with edges, noise, a wrong prediction here and there, and pixels without data."""
    y, x = np.mgrid[:h, :w]
    truth = ((x // 9 + y // 7) * 5 // 3) % classes
    level = rng.normal(0, 1.5, (classes, bands))
    image = (level[truth] + rng.normal(0, .3, (h, w, bands))).astype("f4")
    logits = 1.5 * np.eye(classes)[truth] + rng.normal(0, 1, (h, w, classes))
    given = softmax(logits.reshape(-1, classes)).reshape(h, w, classes).astype("f4")
    given[0, 0] = np.eye(classes)[0]  # sure, as networks in bf16 are
    known = rng.random((h, w)) > .15
    known[h // 3:h // 2, w // 2:] = False
    return truth, image, known, given


def check_field(tool, rng, h, w, bands, classes, **options):
    truth, image, known, given = made_field(rng, h, w, bands, classes)
    words = ["field", w, h, bands, classes, options["iterations"], options["w1"], options["alpha"], options["beta"],
             options["w2"], options["gamma"]]
    got, _ = run(tool, words, known, image, given)
    label, found = got[:h * w].reshape(h, w), got[h * w:].reshape(h, w, classes)
    assert (label[~known] == -1).all() and (found[~known] == -1).all()
    assert (label[known] == found[known].argmax(1)).all()
    wanted = mean_field(image, known, given, options, Lattice)
    worst = np.abs(found - wanted).max()
    # rounding of sums and exponents, which each iteration may raise by the weights of what draws
    assert worst < 1e-6 * (1 + options["w1"] + options["w2"]), f"{worst} from the lattice's field"
    exact = mean_field(image, known, given, options, Brute)
    error = np.abs(found - exact)[known]
    same = (found.argmax(2) == exact.argmax(2))[known].mean()
    before = (given.argmax(2) == truth)[known].mean()
    print(f"{h} x {w}, {bands} bands, {classes} classes, {options}: {worst:.1e} from the lattice's field; from the exact "
          f"one {error.mean():.4f} on average, {same:.4f} of the classes; right {before:.3f} before, "
          f"{(label == truth)[known].mean():.3f} after, {(exact.argmax(2) == truth)[known].mean():.3f} by the exact one")
    return error.mean(), same


def numbers(tool):
    rng = np.random.default_rng(1)
    for dims in range(1, 10):
        bound, error = check_lattice(tool, rng.normal(0, 1, (600, dims)), f"{dims} dimensions")
        # The lattice's kernel is piecewise polynomial and depends on where a pixel lies in its simplex. Where pixels are
        # dense its rows are from 2 % (1 dimension) to 8 % (4) apart from the Gaussian's, and means of many values err
        # much less; 600 pixels in more dimensions are too far apart to pass on to each other what the Gaussian does.
        assert dims > 4 or (bound < .1 and error < .01), (dims, bound, error)
    y, x = np.mgrid[:24, :24].reshape(2, -1) / 4.
    colours = rng.integers(0, 3, (576, 1)) * 3.
    check_lattice(tool, np.concatenate([colours, np.stack([x, y], 1)], 1), "an image of three tones")
    check_lattice(tool, np.zeros((50, 3)), "all alike")
    check_lattice(tool, np.arange(40.)[:, None] * 50, "all far apart")
    check_variance(tool)
    far = np.array([[np.inf, 0, 0], [-np.inf, 0, 0], [np.nan, 1, 1], [1e30, 0, 0], [0, 0, 0]])
    got, _ = run(tool, ["lattice", 3, 5], far, np.ones((5, 4)))
    assert np.isfinite(got).all() and (got > 0).all(), got
    usual = dict(iterations=5, w1=3, alpha=6, beta=.5, w2=1, gamma=2)
    for h, w, bands, classes, change in ((40, 36, 3, 2, {}), (33, 41, 1, 5, {}), (30, 30, 8, 3, dict(beta=.8)),
                                         (36, 40, 3, 4, dict(w2=0)), (36, 40, 3, 9, dict(w1=0, iterations=1)),
                                         (36, 40, 2, 2, dict(iterations=10, w1=10)), (1, 1, 3, 2, {}), (1, 60, 3, 2, {})):
        error, same = check_field(tool, rng, h, w, bands, classes, **{**usual, **change})
        assert error < .015 and same > .98, (error, same)


def scene(name, window, margin):
    from osgeo import gdal
    gdal.UseExceptions()
    words = gdal.Open("after.tif").GetMetadataItem("SEGTILES_CRF").split(" in ")[0]
    options = {k: float(v) for k, v in (w.split("=") for w in words.split(","))}
    options["iterations"] = int(options["iterations"])
    bands = gdal.Open(name).ReadAsArray().transpose(1, 2, 0).astype(float)
    before = gdal.Open("before_p.tif").ReadAsArray().transpose(1, 2, 0)
    after = gdal.Open("after_p.tif").ReadAsArray().transpose(1, 2, 0)
    mask = gdal.Open("after.tif").ReadAsArray()
    known = before[:, :, 0] >= 0
    h, w = known.shape
    wanted = np.full(before.shape, -1.0)
    for y in range(0, h, window):
        for x in range(0, w, window):
            top, left = max(y - margin, 0), max(x - margin, 0)
            seen = slice(top, min(y + window + margin, h)), slice(left, min(x + window + margin, w))
            found = mean_field(bands[seen], known[seen], before[seen], options, Lattice)
            wanted[y:y + window, x:x + window] = found[y - top:y - top + window, x - left:x - left + window]
    worst = np.abs(after - wanted).max()
    assert worst < 1e-6 * (1 + options["w1"] + options["w2"]), worst
    assert ((mask == after.argmax(2) + 1) | ~known).all()
    changed = (after.argmax(2) != before.argmax(2))[known].mean()
    print(f"{w} x {h} in windows of {window} + 2 x {margin}: {worst:.1e} from numpy's, {changed:.3f} of the classes changed")
    assert .001 < changed < .6 and (~known).any() and len(np.unique(mask[known])) > 1


if sys.argv[1] == "numbers":
    numbers(sys.argv[2])
else:
    scene(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

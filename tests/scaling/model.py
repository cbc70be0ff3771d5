#!/usr/bin/env python3
"""The simulation of many nodes (tools/scaling) gives what formulas give where there are any."""
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "scaling"))
sys.dont_write_bytecode = True
import run  # noqa: E402

LINK, LATENCY = 25e9, 0.5e-6
MIB = 1048576
# Nothing but one bucket of 64 MiB, looked after without pause and added up in no time.
ONE_BUCKET = {"gpus": 1, "steps": 1, "forward": 0, "backward": 0, "update": 0, "bucket": 64,
              "parameters": 16 * MIB, "pause": 1e-9, "waiting": 1e-9, "add": 1e30}
STEP = {"forward": 0.02, "backward": 0.04, "update": 0.001, "steps": 2, "algorithm": 3}
failed = 0


def check(what, found, low, high):
    global failed
    right = low <= found <= high
    failed += not right
    print(f"{'ok' if right else 'FAILED'}: {what}: {found:.6g} in [{low:.6g}, {high:.6g}]")


def near(what, found, expected, share):
    check(what, found, expected * (1 - share), expected * (1 + share))


def seconds(program, nodes, values, platform=None):
    numbers, _ = run.simulate(program, nodes, values, platform or {}, folder=folder)
    return float(numbers["step"])


def sums():
    """Thakur, Rabenseifner and Gropp, 2005; a message within a leaf switch passes two links."""
    n, latency = 64 * MIB, 2 * LATENCY
    for ranks, levels in (2, 1), (8, 3):
        halving = 2 * levels * latency + 2 * n / LINK * (ranks - 1) / ranks
        near(f"halving, {ranks} nodes", seconds("train", ranks, {**ONE_BUCKET, "algorithm": 1}),
             halving, 0.01)
        ring = 2 * (ranks - 1) * (latency + n / ranks / LINK)
        near(f"ring, {ranks} nodes", seconds("train", ranks, {**ONE_BUCKET, "algorithm": 2}), ring, 0.01)
        near(f"binomial, {ranks} nodes", seconds("train", ranks, {**ONE_BUCKET, "algorithm": 0}),
             2 * levels * (latency + n / LINK), 0.01)


def training():
    alone = seconds("train", 1, {**STEP, "gpus": 1})
    near("one rank: the time of its computing", alone, 0.061, 1e-5)
    four = seconds("train", 4, STEP)
    check("four nodes are slower than one rank", four / alone, 1.0001, 1.5)
    check("and slower on a tenth of the link", seconds("train", 4, STEP, {"link": LINK / 10}) / four,
          1.05, 10)
    near("a node folded into one rank", seconds("train", 4, {**STEP, "fold": 1}), four, 0.01)
    near("and with the gradients of a U-Net", seconds("train", 4, {**STEP, "unet": 64, "fold": 1}),
         seconds("train", 4, {**STEP, "unet": 64}), 0.01)
    check("smaller and smaller buckets hide more of gradients that come evenly",
          seconds("train", 4, {**STEP, "bucket": 24, "taper": 1}) /
          seconds("train", 4, {**STEP, "bucket": 24}), 0.8, 0.99)
    check("a slow node holds up all", seconds("train", 4, {**STEP, "slow": 1.5}) / four, 1.35, 1.5)
    check("statistics of all ranks cost time", seconds("train", 4, {**STEP, "norms": 18}) / four,
          1.001, 1.5)


def prediction():
    network = {"chunks": 8, "chunk": 0.2, "assemble": 0, "open_one": 0, "own": 1}
    check("ranks are busy with the network", seconds("predict", 2, network), 1.6, 1.6 * 1.05)
    # 8 ranks, 8 chunks of 40 MB each, from one server
    near("the file system limits", seconds("predict", 2, {**network, "chunk": 0, "servers": 1, "pack": 0,
                                                           "stream": 1e12, "alone": 1}),
         64 * 40e6 / LINK, 0.1)
    # all but the first chunk of each rank are asked for, and a last time by each
    near("the counter limits", seconds("predict", 2, {**network, "chunk": 0, "answer": 0.02}),
         (64 - 8 + 8) * 0.02, 0.1)
    alone = seconds("predict", 2, network)
    near("assembly by rank 0 comes on top",
         seconds("predict", 2, {**network, "assemble": 0.01, "alone": 1}), alone + 0.64, 0.01)
    near("scenes side by side assemble beside one another",
         seconds("predict", 2, {**network, "assemble": 0.01, "alone": 1, "scenes": 2}), alone + 0.32, 0.01)
    near("as ranks of a scene do",
         seconds("predict", 2, {**network, "assemble": 0.01}), alone + 0.08, 0.01)
    # 8 ranks open the spools of all 8
    near("spools are opened one after another", seconds("predict", 2, {**network, "own": 0, "open": 100}),
         seconds("predict", 2, {**network, "open": 100}) + 0.64, 0.02)
    # 4 rows of blocks of 8 chunks each, 16 neighbours in a spool
    near("neighbours in a spool are opened at once",
         seconds("predict", 2, {**network, "own": 0, "open": 100, "take": 16}),
         seconds("predict", 2, {**network, "open": 100}) + 0.16, 0.02)
    slow = seconds("predict", 4, {**network, "slow": 2})
    check("a slow node does fewer chunks", slow / seconds("predict", 4, network), 1.1, 1.45)


if not shutil.which("smpicc") or not shutil.which("smpirun"):
    print("skipped: no smpicc here (Debian: libsimgrid-dev)")
    sys.exit(77)
folder = tempfile.mkdtemp(prefix="segtiles_scaling_")
try:
    sums()
    training()
    prediction()
finally:
    shutil.rmtree(folder)
sys.exit(failed > 0)

#!/usr/bin/env python3
"""run.py [--nodes N,N..] [--under COMMAND] [--only WORDS] [--build FOLDER] TABLE.csv: run the
simulations of docs/scaling.md and keep each result as a row. Rows that are there are not run again.

Needs SimGrid (Debian: libsimgrid-dev). COMMAND, such as nice, is put before each simulation; WORDS
choose scenarios by the beginning of their names.
"""
import argparse
import csv
import math
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = ["rounds.c", "inputs.c", "profile.c", "world.c"]
SIMGRID = [
    "--cfg=network/model:CM02", "--cfg=network/TCP-gamma:0", "--cfg=network/crosstraffic:0",
    "--cfg=smpi/coll-selector:ompi",
    "--cfg=smpi/simulate-computation:no", "--cfg=smpi/privatization:no",
    "--cfg=contexts/factory:raw", "--cfg=contexts/stack-size:64", "--cfg=smpi/test:0", "--cfg=smpi/iprobe:0",
    "--cfg=smpi/wtime:0", "--cfg=smpi/init:0", "--log=root.thres:warning",
]

# docs/scaling.md says whence. A step of a U-Net of width 64 on four crops of 512 x 512, summed as the
# program does; a GPU leaves processors time to look after sums.
STEP = {"algorithm": 3, "at_once": 4, "fold": 1, "unet": 64}
GPU = {**STEP, "forward": 0.017, "backward": 0.034, "update": 0.001, "pause": 50e-6}
CPU = {**STEP, "forward": 0.100, "backward": 0.200, "update": 0.005}
IN_PLACE = {"algorithm": 0, "at_once": 1024, "fold": 0, "bucket": 4}
# Of a chunk of 4096 x 4096 pixels (--chunk 4096) in the same network.
CHUNK = {"chunks": 32, "take": 4, "read": 147e6, "write": 4e6, "pack": 0.08, "assemble": 11.2e-3,
         "rows": 8, "table": 2000}
CHUNK_GPU = {**CHUNK, "chunk": 0.29, "servers": 160}
CHUNK_CPU = {**CHUNK, "chunk": 1.25, "servers": 32}
ALONE = {"alone": 1, "take": 1}
CROP = 0.01275  # seconds of a crop, both ways
BATCH = 4096    # crops of a step, of strong scaling

# Published runs. DeepLabv3+ in f32 on Summit, as far as Kurth et al., 2018, tell: six GPUs, 14.41 TF a
# sample. DeepCAM in MLPerf HPC 1.0: steps by the time stamps of the logs; 40 M parameters are a guess.
SUMMIT = {"algorithm": 3, "at_once": 4, "fold": 1, "gpus": 6, "forward": 0.37, "backward": 0.73,
          "parameters": 40e6, "bucket": 16}
DAINT = {**SUMMIT, "gpus": 1, "fold": 0, "forward": 0.27, "backward": 0.54}
JUWELS = {**SUMMIT, "gpus": 4, "forward": 0.025, "backward": 0.05, "overlap": 0}


def chosen_bucket(nodes):
    """MiB, as choose_bucket() of src/train/exchange.c has it of what it would measure: each of the
    rounds waits for a look; an element is added up, copied within the node and sent."""
    if nodes == 1:
        return 4
    latency = (2 * math.log2(nodes) + 2) * 24e-6
    element = 4 / 16e9 + 4 * 6 / 100e9 + 4 * 2 / 25e9
    return min(max(7 * latency / element, 1 << 16), 1 << 22) * 4 / (1 << 20)


def step(values):
    return lambda nodes: {"bucket": chosen_bucket(nodes), **values}


def strong(nodes):
    seconds = CROP * BATCH / (4 * nodes)
    return {**GPU, "forward": seconds / 3, "backward": 2 * seconds / 3, "bucket": chosen_bucket(nodes)}


# name: (program, inputs or a function of nodes, platform, the most nodes)
SCENARIOS = {
    "train_gpu": ("train", step(GPU), {}, 1024),
    "train_gpu_8": ("train", step({**GPU, "forward": 0.034, "backward": 0.068}), {}, 1024),
    "train_gpu_seldom": ("train", step({**GPU, "pause": 300e-6}), {}, 1024),
    "train_gpu_24": ("train", {**GPU, "bucket": 24}, {}, 1024),
    "train_gpu_halves": ("train", step({**GPU, "taper": 1}), {}, 1024),
    "train_gpu_add5": ("train", step({**GPU, "add": 5e9}), {}, 1024),
    "train_gpu_even": ("train", step({**GPU, "unet": 0}), {}, 1024),
    "train_gpu_even_halves": ("train", step({**GPU, "unet": 0, "taper": 1}), {}, 1024),
    "train_gpu_binomial_late": ("train", {**GPU, **IN_PLACE, "overlap": 0, "move": 25e9}, {}, 64),
    "train_gpu_binomial": ("train", {**GPU, **IN_PLACE}, {}, 64),
    "train_gpu_norms": ("train", step({**GPU, "norms": 18}), {}, 1024),
    "train_gpu_norms_jitter": ("train", step({**GPU, "norms": 18, "jitter": 0.02}), {}, 1024),
    "train_gpu_jitter": ("train", step({**GPU, "jitter": 0.02}), {}, 1024),
    "train_gpu_jitter_1": ("train", step({**GPU, "jitter": 0.01}), {}, 1024),
    "train_gpu_slow": ("train", step({**GPU, "slow": 1.2}), {}, 1024),
    "train_gpu_hdr100": ("train", step(GPU), {"link": 12.5e9}, 1024),
    "train_gpu_taper": ("train", step(GPU), {"taper": 4}, 1024),
    "train_gpu_bf16": ("train", step({**GPU, "wire": 0.5}), {"link": 12.5e9}, 1024),
    "train_gpu_strong": ("train", strong, {}, 1024),
    "train_cpu": ("train", step(CPU), {}, 1024),
    "train_cpu_jitter": ("train", step({**CPU, "jitter": 0.02}), {}, 1024),
    "train_cpu_binomial": ("train", {**CPU, **IN_PLACE}, {}, 64),
    "kurth": ("train", SUMMIT, {}, 1024),
    "kurth_jitter": ("train", {**SUMMIT, "jitter": 0.025}, {}, 1024),
    "daint": ("train", DAINT, {"link": 10e9}, 1024),
    "daint_jitter": ("train", {**DAINT, "jitter": 0.025}, {"link": 10e9}, 1024),
    "juwels": ("train", JUWELS, {"link": 100e9}, 1024),
    "predict_gpu": ("predict", CHUNK_GPU, {}, 1024),
    "predict_gpu_own": ("predict", {**CHUNK_GPU, "own": 1}, {}, 1024),
    "predict_gpu_by_one": ("predict", {**CHUNK_GPU, "take": 1}, {}, 256),
    "predict_gpu_800": ("predict", {**CHUNK_GPU, "servers": 32, "own": 1}, {}, 1024),
    "predict_gpu_alone": ("predict", {**CHUNK_GPU, **ALONE}, {}, 256),
    "predict_gpu_scenes": ("predict", lambda n: {**CHUNK_GPU, "scenes": n, "open": 16 * 20000}, {}, 1024),
    "predict_gpu_scenes_800": ("predict", lambda n: {**CHUNK_GPU, "scenes": n, "servers": 32, "open": 16 * 20000}, {}, 1024),
    "predict_cpu": ("predict", CHUNK_CPU, {}, 1024),
    "predict_cpu_own": ("predict", {**CHUNK_CPU, "own": 1}, {}, 1024),
    "predict_cpu_200": ("predict", {**CHUNK_CPU, "servers": 8, "own": 1}, {}, 1024),
    "predict_cpu_alone": ("predict", {**CHUNK_CPU, **ALONE}, {}, 256),
    "predict_cpu_scenes": ("predict", lambda n: {**CHUNK_CPU, "scenes": n}, {}, 1024),
    "predict_cpu_scenes_4000": ("predict", lambda n: {**CHUNK_CPU, "scenes": n, "servers": 160, "open": 16 * 20000}, {}, 1024),
    "predict_cpu_slow": ("predict", {**CHUNK_CPU, "own": 1, "jitter": 0.05, "slow": 2}, {}, 1024),
    "predict_cpu_strong": ("predict", {**CHUNK_CPU, "own": 1, "all_chunks": 32768}, {}, 1024),
}


def build(folder, program):
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, program)
    sources = [os.path.join(HERE, name) for name in [program + ".c", *SOURCES]]
    headers = [os.path.join(HERE, name) for name in ("rounds.h", "inputs.h", "profile.h", "world.h")]
    if os.path.exists(target) and all(
            os.path.getmtime(f) < os.path.getmtime(target) for f in sources + headers):
        return target
    subprocess.run(["smpicc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", target, *sources, "-lm"],
                   check=True, stderr=subprocess.PIPE)
    return target


def hosts(program, nodes, values):
    """Host of each simulated process."""
    gpus = int(values.get("gpus", 4))
    each = 2 * (1 if values.get("fold") else gpus) if program == "train" else 3 * gpus
    return [f"n{i}" for i in range(nodes) for _ in range(each)]


def simulate(program, nodes, values, platform, under=(), folder=None):
    """The numbers that the program prints, as a dictionary; and the seconds it took."""
    folder = os.path.abspath(folder or tempfile.gettempdir())
    binary = build(folder, program)
    places = hosts(program, nodes, values)
    with tempfile.TemporaryDirectory() as work:
        cluster, hostfile = os.path.join(work, "platform.xml"), os.path.join(work, "hosts")
        words = [f"{k}={v}" for k, v in platform.items()]
        subprocess.run([sys.executable, os.path.join(HERE, "platform.py"), str(nodes), *words, cluster],
                       check=True)
        with open(hostfile, "w", encoding="utf-8") as file:
            file.write("\n".join(places) + "\n")
        command = ["smpirun", "-np", str(len(places)), "-platform", cluster, "-hostfile", hostfile,
                   *SIMGRID, binary, *[f"{k}={v:g}" for k, v in values.items()]]
        start = time.time()
        done = subprocess.run([*under, *command], cwd=work, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("ranks=")]
        if done.returncode != 0 or not lines:
            raise RuntimeError(f"{program} on {nodes} nodes: {done.stdout[-2000:]}")
        return dict(word.split("=") for word in lines[0].split()), time.time() - start


def read_table(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        return {(row["scenario"], int(row["nodes"])): row for row in csv.DictReader(file)}


def add_row(path, scenario, nodes, numbers):
    new = not os.path.exists(path) or os.path.getsize(path) == 0
    with open(path, "a", encoding="utf-8") as file:
        if new:
            file.write("scenario,nodes,seconds,wait,other\n")
        file.write(f"{scenario},{nodes},{numbers['step']},{numbers['wait']},{numbers['norms']}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="1,2,4,8,16,32,64,128,256,512,1024")
    parser.add_argument("--under", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--build", default=tempfile.gettempdir())
    parser.add_argument("table")
    options = parser.parse_args()
    if not shutil.which("smpicc") or not shutil.which("smpirun"):
        sys.exit("run.py: no smpicc here; install SimGrid (Debian: libsimgrid-dev)")
    for nodes in map(int, options.nodes.split(",")):
        for name, (program, inputs, platform, most) in SCENARIOS.items():
            if not name.startswith(tuple(options.only.split(","))) or nodes > most:
                continue
            if (name, nodes) in read_table(options.table):
                continue
            values = inputs(nodes) if callable(inputs) else dict(inputs)
            if program == "train" and "jitter" not in values:
                values["steps"] = 1 if nodes >= 64 else 2
            try:
                numbers, took = simulate(program, nodes, values, platform,
                                         shlex.split(options.under), options.build)
            except RuntimeError as error:
                print(f"FAILED {name} {nodes}: {error}", flush=True)
                continue
            add_row(options.table, name, nodes, numbers)
            print(f"{name} {nodes}: {numbers} ({took:.0f} s)", flush=True)


if __name__ == "__main__":
    main()

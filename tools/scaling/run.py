#!/usr/bin/env python3
"""run.py [--nodes N,N..] [--under COMMAND] [--only WORDS] [--build FOLDER] TABLE.csv: run the
simulations of docs/scaling.md and keep each result as a row. Rows that are there are not run again.

Needs SimGrid (Debian: libsimgrid-dev). COMMAND, such as nice, is put before each simulation; WORDS
choose scenarios by the beginning of their names.
"""
import argparse
import csv
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

# What a step of a U-Net of width 64 on four crops of 512 x 512 takes: docs/scaling.md says whence.
GPU = {"forward": 0.017, "backward": 0.034, "update": 0.001}
CPU = {"forward": 0.100, "backward": 0.200, "update": 0.005}
NODES = {"algorithm": 3, "at_once": 4}
LARGE = {**NODES, "bucket": 24}
# Of a chunk of 2048 x 2048 pixels in the same network.
CHUNK_GPU = {"chunk": 0.08, "chunks": 16}
CHUNK_CPU = {"chunk": 0.34, "chunks": 16}
CROP = 0.01275  # seconds of a crop, both ways
BATCH = 4096    # crops of a step, of strong scaling


# DeepLabv3+ in f32 on Summit, as far as Kurth et al., 2018, tell: six GPUs, 14.41 TF a sample.
SUMMIT = {**LARGE, "gpus": 6, "fold": 1, "forward": 0.37, "backward": 0.73, "parameters": 40e6}


def strong(nodes):
    seconds = CROP * BATCH / (4 * nodes)
    return {**LARGE, "forward": seconds / 3, "backward": 2 * seconds / 3, "update": 0.001}


# name: (program, inputs or a function of nodes, platform)
SCENARIOS = {
    "train_gpu_binomial_late": ("train", {**GPU, "overlap": 0, "move": 25e9}, {}),
    "train_gpu_binomial": ("train", GPU, {}),
    "train_gpu_nodes_4": ("train", {**GPU, **NODES, "fold": 1}, {}),
    "train_gpu_nodes_24": ("train", {**GPU, **LARGE, "fold": 1}, {}),
    "train_gpu_nodes_24_batch": ("train", {**LARGE, "forward": 0.034, "backward": 0.068,
                                           "update": 0.001, "fold": 1}, {}),
    "train_gpu_norms": ("train", {**GPU, **LARGE, "fold": 1, "norms": 18}, {}),
    "train_gpu_norms_jitter": ("train", {**GPU, **LARGE, "fold": 1, "norms": 18, "jitter": 0.02}, {}),
    "train_gpu_jitter": ("train", {**GPU, **LARGE, "fold": 1, "jitter": 0.02}, {}),
    "train_gpu_slow": ("train", {**GPU, **LARGE, "fold": 1, "slow": 1.2}, {}),
    "train_gpu_hdr100": ("train", {**GPU, **LARGE, "fold": 1}, {"link": 12.5e9}),
    "train_gpu_taper": ("train", {**GPU, **LARGE, "fold": 1}, {"taper": 4}),
    "train_gpu_bf16": ("train", {**GPU, **LARGE, "fold": 1, "wire": 0.5}, {"link": 12.5e9}),
    "train_gpu_strong": ("train", lambda n: {**strong(n), "fold": 1}, {}),
    "train_cpu_binomial": ("train", CPU, {}),
    "train_cpu_nodes_24": ("train", {**CPU, **LARGE, "fold": 1}, {}),
    "kurth": ("train", SUMMIT, {}),
    "kurth_jitter": ("train", {**SUMMIT, "jitter": 0.025}, {}),
    "predict_gpu_one": ("predict", CHUNK_GPU, {}),
    "predict_gpu_parallel": ("predict", {**CHUNK_GPU, "parallel": 1, "take": 4}, {}),
    "predict_gpu_scenes": ("predict", lambda n: {**CHUNK_GPU, "scenes": n}, {}),
    "predict_gpu_scenes_32": ("predict", lambda n: {**CHUNK_GPU, "scenes": n, "servers": 32}, {}),
    "predict_cpu_one": ("predict", CHUNK_CPU, {}),
    "predict_cpu_parallel": ("predict", {**CHUNK_CPU, "parallel": 1, "take": 4, "servers": 32}, {}),
    "predict_cpu_scenes": ("predict", lambda n: {**CHUNK_CPU, "scenes": n, "servers": 32}, {}),
    "predict_cpu_uneven": ("predict", {**CHUNK_CPU, "parallel": 1, "servers": 32, "jitter": 0.05,
                                       "slow": 2}, {}),
    "predict_cpu_strong": ("predict", {**CHUNK_CPU, "all_chunks": 16384}, {}),
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
    """Host of each simulated process, and how many servers the file system has."""
    gpus = int(values.get("gpus", 4))
    if program == "train":
        each = 2 * (1 if values.get("fold") else gpus)
        return [f"n{i}" for i in range(nodes) for _ in range(each)], 0
    storage = int(values.get("servers", 8))
    places = [f"n{i}" for i in range(nodes) for _ in range(3 * gpus)]
    scenes = int(values.get("scenes", 1))
    for scene in range(scenes):
        places += [f"n{scene * nodes // scenes}"] * 2
    first = nodes if nodes + storage <= 32 else (nodes + 31) // 32 * 32
    return places + [f"n{first}"] + [f"n{first + i}" for i in range(storage)], storage


def simulate(program, nodes, values, platform, under=(), folder=None):
    """The numbers that the program prints, as a dictionary; and the seconds it took."""
    folder = os.path.abspath(folder or tempfile.gettempdir())
    binary = build(folder, program)
    places, storage = hosts(program, nodes, values)
    with tempfile.TemporaryDirectory() as work:
        cluster, hostfile = os.path.join(work, "platform.xml"), os.path.join(work, "hosts")
        words = [f"{k}={v}" for k, v in {**platform, "storage": storage}.items()]
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
        for name, (program, inputs, platform) in SCENARIOS.items():
            if not name.startswith(tuple(options.only.split(","))):
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

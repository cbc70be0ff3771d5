#!/usr/bin/python3
"""How well networks do, and what options change: the tables of docs/accuracy.md, by training on real imagery.

    tools/accuracy.py effects  --data FOLDER [--steps 300] [--only ema,dice] [--out accuracy_runs]
    tools/accuracy.py networks --data FOLDER [--seeds 1,2,3] [--only fcn8s] [--out accuracy_runs]
    tools/accuracy.py jobs     --data FOLDER [--seeds 1,2,3] [--only india] [--out accuracy_runs]

FOLDER holds the sets that tools/peer_torch.py reads. `effects` trains the network of jobs/amazon.yaml with one
option changed at a time, on two thirds of the training scenes, three times: each third is held out once, each time
with another seed. What is held out decides; the test scenes are mapped as well. `networks` trains each network
and the same one in PyTorch (tools/peer_torch.py, run by --python) on the same number of crops, and `jobs` the
project's own jobs and PyTorch. Results are kept in the folder --out, and a training that is there is not run again;
the table is printed from all that is there. Where several of these commands share a machine, `--ranks 1 --threads 1`.
"""
import argparse
import glob
import json
import os
import random
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDS = 3
# Name, what it is, words for train, words for evaluate, whose training it shares.
EFFECTS = [
    ("base", "as it is", [], [], None),
    ("bal", "`crops: balanced`", ["train.crops=balanced"], [], None),
    ("balmix", "`crops: balanced`, `augment: {cut_mix: 0.5}`", ["train.crops=balanced", "train.augment={cut_mix: 0.5}"], [], None),
    ("bald5", "`crops: balanced`, `depth: 5`", ["train.crops=balanced", "model.depth=5"], [], None),
    ("balmix5", "`crops: balanced`, `augment: {cut_mix: 0.5}`, `depth: 5`", ["train.crops=balanced", "train.augment={cut_mix: 0.5}", "model.depth=5"], [], None),
    ("dice", "`loss: [ce, dice]`", ["train.loss=[ce, dice]"], [], None),
    ("geo", "`augment: {rotate: 30, scale: [0.75, 1.33]}`", ["train.augment={rotate: 30, scale: [0.75, 1.33]}"], [], None),
    ("colour", "`augment: {brightness: 0.5, contrast: 0.3, gamma: 0.2}`",
     ["train.augment={brightness: 0.5, contrast: 0.3, gamma: 0.2}"], [], None),
    ("scene", "`normalize: scene`", ["data.normalize=scene"], [], None),
    ("ema", "`average: 0.98`", ["train.average=0.98"], [], None),
    ("tta", "`--tta`", [], ["--tta"], "base"),
    ("f32", "`precision: f32`", ["precision=f32"], [], None),
]
NETWORKS = ["unet,width=16", "unet,encoder=resnet34", "deeplabv3+,encoder=resnet50", "fcn8s,width=512"]


def run(command, log, to=None):
    """Runs it, its words into the log; its output into a file that is there only if all went well."""
    environment = dict(os.environ, SEGTILES_DATA=log.data)
    with open(log.path, "a") as words:
        print("$", *command, file=words, flush=True)
        result = subprocess.run(command, stdout=subprocess.PIPE if to else words, stderr=words, env=environment, text=True)
    if result.returncode:
        sys.exit(f"{log.path}: status {result.returncode} of: {' '.join(command)}")
    if to:
        with open(to + ".part", "w") as file:
            file.write(result.stdout)
        os.rename(to + ".part", to)


class Log:
    def __init__(self, path, data):
        self.path, self.data = path, data


def scores(path):
    with open(path) as file:
        return json.load(file)["scores"]


def miou(confusion):
    hits = np.diag(confusion)
    return float((hits / (confusion.sum(0) + confusion.sum(1) - hits)).mean())


def fold_job(options, fold):
    """jobs/amazon.yaml, with a third of the training scenes in the place of the test scenes."""
    names = sorted(os.path.basename(path)[:-4] for path in glob.glob(f"{options.data}/amazon/images/train_*.tif"))
    if not names:
        sys.exit(f"{options.data}/amazon: no training scenes")
    random.Random(3).shuffle(names)
    held = set(names[fold::FOLDS])
    table = f"{options.out}/fold{fold}.csv"
    with open(table, "w") as file:
        file.write("scene,split\n" + "".join(f"{name},{'test' if name in held else 'train'}\n" for name in sorted(names)))
    with open(f"{HERE}/../jobs/amazon.yaml") as file:
        lines = file.read().splitlines()
    job = f"{options.out}/fold{fold}.yaml"
    with open(job, "w") as file:
        for line in lines:
            if line.startswith("  train: {images"):
                line = f'  csv: {{file: {table}, images: "images/{{scene}}.tif", labels: "labels/{{scene}}.tif", split: split}}'
            if not line.startswith("  test: "):
                print(line, file=file)
    return job


def segtiles(options, words):
    threads = [f"threads={options.threads}"] if words[0] == "train" else ["--threads", str(options.threads)]
    return ["mpirun", "-n", str(options.ranks), options.program, *words, *(threads if options.threads else [])]


def effects(options):
    chosen = options.only.split(",") if options.only else [name for name, *_ in EFFECTS]
    jobs = [fold_job(options, fold) for fold in range(FOLDS)]
    test = f"{HERE}/../jobs/amazon.yaml"
    for fold in range(FOLDS):
        for name, _, train_words, map_words, shares in EFFECTS:
            if name not in chosen:
                continue
            stem = f"{options.out}/{name}_f{fold}"
            trained = f"{options.out}/{shares or name}_f{fold}"
            log = Log(stem + ".log", options.data)
            if not os.path.exists(f"{trained}/last.h5") or not os.path.exists(f"{trained}.test.json") and not shares:
                words = ["train", jobs[fold], "--out", trained, "--auto-resume", f"seed={fold + 1}", f"train.steps={options.steps}"]
                run(segtiles(options, words + train_words), log)
            for part, job in (("val", jobs[fold]), ("test", test)):
                if not os.path.exists(f"{stem}.{part}.json"):
                    run(segtiles(options, ["evaluate", "-m", f"{trained}/last.h5", job, "--json"] + map_words), log,
                        f"{stem}.{part}.json")
    print_effects(options)


def print_effects(options):
    print("| | held out, fold by fold | held out, all | change | test, mean | change |\n|---|---|---|---|---|---|")
    first = None
    for name, what, *_ in EFFECTS:
        stems = [f"{options.out}/{name}_f{fold}" for fold in range(FOLDS)]
        if not all(os.path.exists(f"{stem}.{part}.json") for stem in stems for part in ("val", "test")):
            continue
        held = [scores(f"{stem}.val.json") for stem in stems]
        whole = miou(sum(np.array(part["confusion"], float) for part in held))
        test = float(np.mean([scores(f"{stem}.test.json")["miou"] for stem in stems]))
        first = first or (whole, test)
        folds = " ".join(f"{part['miou']:.3f}" for part in held)
        print(f"| {what} | {folds} | {whole:.4f} | {whole - first[0]:+.4f} | {test:.4f} | {test - first[1]:+.4f} |")


def ours(options, job, name, words, seed):
    """Scores on the test scenes after a training, which are kept."""
    stem = f"{options.out}/{name}_s{seed}"
    log = Log(stem + ".log", options.data)
    if not os.path.exists(stem + ".json"):
        run(segtiles(options, ["train", job, "--out", stem, "--auto-resume", f"seed={seed}", *words]), log)
        run(segtiles(options, ["evaluate", "-m", f"{stem}/last.h5", job, "--json"]), log, stem + ".json")
    return scores(stem + ".json")


def theirs(options, imagery, name, words, seed):
    stem = f"{options.out}/{name}_torch_s{seed}"
    if not os.path.exists(stem + ".json"):
        threads = ["--threads", str(options.threads)] if options.threads else []
        command = [options.python, f"{HERE}/peer_torch.py", *threads, "train", imagery, "--data", options.data, "--seed", str(seed), *words]
        run(command, Log(stem + ".log", options.data), stem + ".txt")
        with open(stem + ".txt") as lines, open(stem + ".json", "w") as file:
            file.write(lines.read().splitlines()[-1])
    with open(stem + ".json") as file:
        return json.load(file)


def print_pair(what, classes, mine, peer):
    mean = [float(np.mean([part["miou"] for part in side])) for side in (mine, peer)]
    by_class = [np.mean([[c["iou"] for c in part["classes"]] for part in mine], 0), np.mean([part["iou"] for part in peer], 0)]
    each = [" ".join(f"{part['miou']:.4f}" for part in side) for side in (mine, peer)]
    for side, who in enumerate(("segtiles", "PyTorch " + peer[0]["torch"].split("+")[0])):
        ious = ", ".join(f"{name} {value:.3f}" for name, value in zip(classes, by_class[side]))
        print(f"| {what if not side else ''} | {who} | {each[side]} | {mean[side]:.4f} | {ious} |", flush=True)


def head():
    print("| | | mIoU, seed by seed | mean | IoU of classes, mean |\n|---|---|---|---|---|", flush=True)


def pair(options, what, imagery, name, mine, peer):
    seeds = [int(seed) for seed in options.seeds.split(",")]
    job = f"{HERE}/../jobs/{imagery}.yaml"
    ours_all = [ours(options, job, name, mine, seed) for seed in seeds]
    theirs_all = [theirs(options, imagery, name, peer, seed) for seed in seeds]
    print_pair(what, [c["name"] for c in ours_all[0]["classes"]], ours_all, theirs_all)


def networks(options):
    head()
    for net in NETWORKS:
        if options.only and net not in options.only.split(";"):
            continue
        words = [f"model.{word}" for word in ("width=0,net=" + net).split(",")]  # the job's width is its own network's
        words += [f"train.steps={options.steps}", f"train.batch={options.batch}"]
        peer = ["--net", net, "--steps", str(options.steps), "--batch", str(options.batch),
                "--warmup", str(int(0.3 * options.steps))]
        pair(options, f"`{net}`", "amazon", "net_" + net.replace("=", "_").replace(",", "_"), words, peer)


def jobs(options):
    head()
    for imagery, steps in (("amazon", 600), ("india", 1000)):
        if not options.only or imagery in options.only.split(","):
            peer = ["--steps", str(steps), "--warmup", str(int(.3 * steps))]
            pair(options, f"`jobs/{imagery}.yaml`", imagery, "job_" + imagery, [], peer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    for name, call in (("effects", effects), ("networks", networks), ("jobs", jobs)):
        part = parts.add_parser(name)
        part.add_argument("--data", required=True)
        part.add_argument("--out", default="accuracy_runs")
        part.add_argument("--program", default=f"{HERE}/../build/release/segtiles")
        part.add_argument("--ranks", type=int, default=2)
        part.add_argument("--threads", type=int, default=0, help="of a rank, and of PyTorch; else as many as each would take")
        part.add_argument("--only", help="some rows: their names, by comma (of networks by semicolon)")
        if call is effects:
            part.add_argument("--steps", type=int, default=300)
        else:
            part.add_argument("--seeds", default="1,2,3")
            part.add_argument("--python", default="/usr/bin/python3", help="one that has PyTorch and GDAL")
        if call is networks:
            part.add_argument("--steps", type=int, default=200)
            part.add_argument("--batch", type=int, default=4)
        part.set_defaults(run=call)
    options = parser.parse_args()
    for name in ("data", "out", "program"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    os.makedirs(options.out, exist_ok=True)
    options.run(options)


if __name__ == "__main__":
    main()

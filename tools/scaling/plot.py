#!/usr/bin/env python3
"""plot.py TABLE.csv FOLDER: the curves of docs/scaling.md as SVG, of the table that run.py keeps."""
import csv
import math
import os
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 400, 60, 270, 36, 48
COLOURS = ["#1b6ca8", "#d1495b", "#3a7d44", "#8e5ea2", "#e08e0b", "#555555", "#00a6a6"]

# file: (title, target in per cent, {scenario: label})
FIGURES = {
    "train": ("Training, weak scaling: 4 crops of 512 x 512 a GPU", 90, {
        "train_gpu_binomial_late": "in place, afterwards",
        "train_gpu_binomial": "in place, under the pass",
        "train_gpu_nodes_4": "over nodes, 4 MiB",
        "train_gpu_nodes_24": "over nodes, 24 MiB",
        "train_gpu_nodes_24_batch": "and 8 crops a GPU",
        "train_cpu_binomial": "CPUs: in place, under the pass",
        "train_cpu_nodes_24": "CPUs: over nodes, 24 MiB"}),
    "train_more": ("Training over nodes, 24 MiB: what disturbs it", 90, {
        "train_gpu_nodes_24": "nothing",
        "train_gpu_hdr100": "half the link",
        "train_gpu_bf16": "half the link, bf16 on it",
        "train_gpu_taper": "a fat tree tapered 4 : 1",
        "train_gpu_norms": "sync_norm, 18 layers",
        "train_gpu_jitter": "2 % jitter",
        "train_gpu_norms_jitter": "sync_norm and jitter"}),
    "train_strong": ("Training, strong scaling: 4 096 crops a step", None, {
        "train_gpu_strong": "over nodes, 24 MiB"}),
    "predict": ("Prediction, weak scaling: 16 chunks a rank", 95, {
        "predict_gpu_one": "GPUs, one scene",
        "predict_gpu_parallel": "GPUs, one, by all",
        "predict_gpu_scenes": "GPUs, a scene a node",
        "predict_cpu_one": "CPUs, one scene",
        "predict_cpu_parallel": "CPUs, one, by all",
        "predict_cpu_scenes": "CPUs, a scene a node",
        "predict_cpu_uneven": "CPUs, by all, a node half as fast"}),
}

# What is disturbed is held against what is not.
UNDISTURBED = {"train_gpu_jitter": "train_gpu_nodes_24", "train_gpu_slow": "train_gpu_nodes_24",
               "train_gpu_norms": "train_gpu_nodes_24", "train_gpu_norms_jitter": "train_gpu_nodes_24",
               "kurth_jitter": "kurth", "predict_cpu_uneven": "predict_cpu_parallel"}


def read(path):
    table = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            table.setdefault(row["scenario"], {})[int(row["nodes"])] = float(row["seconds"])
    return table


def efficiency(table, name):
    """Per cent, against the fewest nodes that were simulated."""
    curve, strong = table[name], name.endswith("_strong")
    base = table.get(UNDISTURBED.get(name), curve)
    least = min(base)
    return {n: 100 * base[least] / t * (least / n if strong else 1) for n, t in curve.items()}


def x_of(nodes):
    return LEFT + math.log2(nodes) / 10 * (WIDTH - LEFT - RIGHT)


def y_of(per_cent):
    return TOP + (1 - per_cent / 105) * (HEIGHT - TOP - BOTTOM)


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def axes(title, target):
    yield text(LEFT, 20, title, 'font-weight="bold"')
    for per_cent in range(0, 101, 20):
        y = y_of(per_cent)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield text(LEFT - 8, y + 4, f"{per_cent} %", 'text-anchor="end"')
    for level in range(11):
        yield text(x_of(2**level), HEIGHT - BOTTOM + 18, 2**level, 'text-anchor="middle"')
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "nodes of 4 ranks", 'text-anchor="middle"')
    if target:
        y = y_of(target)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#000" stroke-dasharray="2 4"/>'


def lines(present):
    lowest = TOP
    for i, (label, values) in enumerate(sorted(present, key=lambda p: -p[1][max(p[1])])):
        colour = COLOURS[i % len(COLOURS)]
        points = sorted(values.items())
        path = " ".join(f"{x_of(n):.1f},{y_of(e):.1f}" for n, e in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x_of(n):.1f}" cy="{y_of(e):.1f}" r="2.5" fill="{colour}"/>'
                    for n, e in points)
        end = x_of(points[-1][0]), y_of(points[-1][1])
        lowest = max(lowest + 17, end[1])
        yield f'<path d="M{end[0] + 3:.1f} {end[1]:.1f}L{WIDTH - RIGHT + 12} {lowest:.1f}" stroke="{colour}" stroke-width=".6"/>'
        yield text(WIDTH - RIGHT + 16, lowest + 4, f"{label}: {points[-1][1]:.0f} %", f'fill="{colour}"')


def figure(table, title, target, scenarios):
    curves = [(label, efficiency(table, name)) for name, label in scenarios.items() if name in table]
    body = "\n".join([*axes(title, target), *lines(curves)])
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n')


def main():
    table, folder = read(sys.argv[1]), sys.argv[2]
    for name, (title, target, scenarios) in FIGURES.items():
        with open(os.path.join(folder, name + ".svg"), "w", encoding="utf-8") as file:
            file.write(figure(table, title, target, scenarios))
    for name in sorted(table):
        values = efficiency(table, name)
        print(f"{name:26}", "  ".join(f"{n}: {values[n]:.1f}" for n in sorted(values)))


if __name__ == "__main__":
    main()

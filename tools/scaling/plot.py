#!/usr/bin/env python3
"""plot.py TABLE.csv PAGE.md: the curves and tables of docs/scaling.md, of the table that run.py keeps:
SVG files in the table's folder, and in the page what stands between <!-- NAME --> and <!-- end -->.
"""
import csv
import math
import os
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 400, 60, 270, 36, 48
COLOURS = ["#1b6ca8", "#d1495b", "#3a7d44", "#8e5ea2", "#e08e0b", "#555555", "#00a6a6"]

# file: (title, target in per cent, {scenario: label})
FIGURES = {
    "train": ("Training, weak scaling: 4 crops of 512 x 512 a GPU", 90, {
        "train_gpu": "GPUs",
        "train_gpu_8": "GPUs, 8 crops",
        "train_gpu_seldom": "GPUs, a look every 0.3 ms",
        "train_gpu_binomial": "GPUs, in place",
        "train_cpu": "CPUs",
        "train_cpu_binomial": "CPUs, in place"}),
    "train_more": ("Training: what disturbs it", 90, {
        "train_gpu": "nothing",
        "train_gpu_hdr100": "half the link",
        "train_gpu_bf16": "half the link, bf16 on it",
        "train_gpu_taper": "a fat tree tapered 4 : 1",
        "train_gpu_norms": "sync_norm, 18 layers",
        "train_gpu_jitter": "2 % jitter",
        "train_gpu_norms_jitter": "sync_norm and jitter",
        "train_gpu_slow": "a node 1.2 times slower"}),
    "train_strong": ("Training, strong scaling: 4 096 crops a step", None, {
        "train_gpu_strong": "GPUs"}),
    "predict": ("Prediction, weak scaling: 32 chunks a rank", 95, {
        "predict_gpu": "GPUs, one scene",
        "predict_gpu_own": "GPUs, each its own blocks",
        "predict_gpu_alone": "GPUs, rank 0 assembles",
        "predict_gpu_scenes": "GPUs, a scene a node",
        "predict_cpu": "CPUs, one scene",
        "predict_cpu_own": "CPUs, each its own blocks",
        "predict_cpu_alone": "CPUs, rank 0 assembles",
        "predict_cpu_scenes": "CPUs, a scene a node",
        "predict_cpu_scenes_4000": "CPUs, a scene a node, 4 TB/s",
        "predict_cpu_slow": "CPUs, a node half as fast"}),
}

# Rows of the page's tables.
TABLES = {
    "training": {
        "train_gpu": "**GPUs**",
        "train_gpu_8": "GPUs, 8 crops instead of 4",
        "train_cpu": "**CPUs**",
        "train_gpu_seldom": "GPUs, a look every 0.3 ms, as before",
        "train_gpu_24": "GPUs, buckets of 24 MiB",
        "train_gpu_halves": "GPUs, buckets that get smaller",
        "train_gpu_add5": "GPUs, adding up at 5 GB/s",
        "train_gpu_even": "GPUs, gradients come evenly",
        "train_gpu_even_halves": "the same, buckets that get smaller",
        "train_gpu_binomial_late": "GPUs, in place, after the backward pass",
        "train_gpu_binomial": "GPUs, in place, under it",
        "train_cpu_binomial": "CPUs, in place, under it"},
    "disturbed": {
        "train_gpu_hdr100": "GPUs, half the link",
        "train_gpu_bf16": "half the link, bf16 on it",
        "train_gpu_taper": "GPUs, a fat tree tapered 4 : 1",
        "train_gpu_norms": "GPUs, sync_norm",
        "train_gpu_jitter_1": "GPUs, jitter of 1 %",
        "train_gpu_jitter": "GPUs, jitter of 2 %",
        "train_gpu_norms_jitter": "GPUs, sync_norm and jitter of 2 %",
        "train_gpu_slow": "GPUs, one node 1.2 times slower",
        "train_cpu_jitter": "CPUs, jitter of 2 %",
        "train_gpu_strong": "GPUs, strong scaling: 4 096 crops a step"},
    "prediction": {
        "predict_gpu": "**GPUs, one scene**",
        "predict_cpu": "**CPUs, one scene**",
        "predict_gpu_scenes": "**GPUs, a scene a node**",
        "predict_cpu_scenes": "**CPUs, a scene a node**",
        "predict_cpu_scenes_4000": "CPUs, a scene a node, the GPUs' file system",
        "predict_gpu_own": "GPUs, one scene, each rank writes its own blocks",
        "predict_cpu_own": "CPUs, one scene, each rank writes its own blocks",
        "predict_gpu_by_one": "GPUs, one scene, one chunk an answer",
        "predict_gpu_alone": "GPUs, one scene, rank 0 assembles",
        "predict_cpu_alone": "CPUs, one scene, rank 0 assembles",
        "predict_gpu_800": "GPUs, own blocks, 800 GB/s instead of 4 TB/s",
        "predict_gpu_scenes_800": "GPUs, a scene a node, 800 GB/s",
        "predict_cpu_200": "CPUs, own blocks, 200 GB/s instead of 800",
        "predict_cpu_slow": "CPUs, own blocks, jitter of 5 %, a node half as fast",
        "predict_cpu_strong": "CPUs, own blocks, strong scaling: 32 768 chunks"},
    "published": {
        "kurth": "Summit, six V100 a node",
        "kurth_jitter": "the same, jitter of 2.5 %",
        "daint": "Piz Daint, one P100 a node",
        "daint_jitter": "the same, jitter of 2.5 %",
        "juwels": "JUWELS Booster, four A100 a node"},
}
# What is asked for at 1 024 nodes: per cent, and of what.
TARGETS = {
    90: {"train_gpu": "Training, GPUs, 4 crops each",
         "train_gpu_jitter": "the same with jitter of 2 %",
         "train_gpu_8": "Training, GPUs, 8 crops each",
         "train_gpu_add5": "Training, GPUs, adding up at 5 GB/s",
         "train_cpu": "Training, CPUs",
         "train_cpu_jitter": "the same with jitter of 2 %"},
    95: {"predict_gpu": "Prediction, GPUs, one scene",
         "predict_gpu_own": "the same, if each rank wrote its own blocks",
         "predict_gpu_scenes": "Prediction, GPUs, a scene a node",
         "predict_cpu": "Prediction, CPUs, one scene",
         "predict_cpu_own": "the same, if each rank wrote its own blocks",
         "predict_cpu_scenes": "Prediction, CPUs, a scene a node",
         "predict_cpu_scenes_4000": "the same, the GPUs' file system"},
}
COLUMNS = {"published": [1, 4, 128, 256, 512, 1024]}

# What is disturbed is held against what is not.
UNDISTURBED = {"train_gpu_jitter": "train_gpu", "train_gpu_jitter_1": "train_gpu",
               "train_gpu_slow": "train_gpu", "train_gpu_norms": "train_gpu",
               "train_gpu_norms_jitter": "train_gpu", "train_cpu_jitter": "train_cpu",
               "kurth_jitter": "kurth", "daint_jitter": "daint",
               "predict_cpu_slow": "predict_cpu_own"}


def read(path):
    table = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            table.setdefault(row["scenario"], {})[int(row["nodes"])] = float(row["seconds"])
    return table


def efficiency(table, name):
    """Per cent, against the fewest nodes that were simulated."""
    curve, strong = table[name], name.endswith("_strong")
    base = table.get(UNDISTURBED.get(name)) or curve
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
    curves = [(label, efficiency(table, name)) for name, label in scenarios.items()
              if name in table and 1 in table[name]]
    body = "\n".join([*axes(title, target), *lines(curves)])
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n')


def rows(table, name):
    """Markdown."""
    columns = COLUMNS.get(name, [1, 4, 16, 64, 256, 1024])
    yield "| | " + " | ".join(f"{n:,}".replace(",", " ") for n in columns) + " nodes |"
    yield "|---" * (len(columns) + 1) + "|"
    for scenario, label in TABLES[name].items():
        if scenario in table:
            values = efficiency(table, scenario)
            cells = " | ".join(f"{values[n]:.1f}" if n in values else "" for n in columns)
            yield f"| {label} (`{scenario}`) | {cells} |"


def targets(table):
    """Markdown: of the largest size that was simulated where that is not 1 024 nodes."""
    yield "| | asked for | simulated | |"
    yield "|---|---|---|---|"
    for target, scenarios in TARGETS.items():
        for scenario, label in scenarios.items():
            values = efficiency(table, scenario) if scenario in table else {}
            found, verdict = "nothing", "not shown"
            if values:
                most = max(values)
                found = f"{values[most]:.1f} %" + ("" if most == 1024 else f" at {most} node" + "s" * (most > 1))
                if values[most] < target:
                    verdict = "missed"
                elif most == 1024:
                    verdict = "met"
            yield f"| {label} (`{scenario}`) | {target} % | {found} | {verdict} |"


def replace(page, name, lines):
    begin = page.index(f"<!-- {name} -->\n")
    end = page.index("<!-- end -->", begin)
    return page[:begin] + "\n".join([f"<!-- {name} -->", *lines, ""]) + page[end:]


def fill(page, table):
    for name in TABLES:
        page = replace(page, name, rows(table, name))
    return replace(page, "targets", targets(table))


def main():
    table, path = read(sys.argv[1]), sys.argv[2]
    for name, (title, target, scenarios) in FIGURES.items():
        with open(os.path.join(os.path.dirname(sys.argv[1]), name + ".svg"), "w", encoding="utf-8") as file:
            file.write(figure(table, title, target, scenarios))
    with open(path, encoding="utf-8") as file:
        page = fill(file.read(), table)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()

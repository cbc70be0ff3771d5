"""report_page.py numbers PAGE SPLIT MASK LABELS PROBABILITIES TRAINING_LABELS: the page's numbers and pictures against
numpy on the rasters. evaluated PAGE JSON: against `evaluate --json`.
half PAGE: pictures at half their resolution. looks PAGE DOM WIDE DARK: what a browser made of it.
well PAGE: its form alone."""
import base64
import csv
import json
import os
import re
import sys
from html.parser import HTMLParser

import numpy as np
from osgeo import gdal

gdal.UseExceptions()
VOID = {"meta", "img", "br"}
SIDE = 256


class Node:
    def __init__(self, tag, attrs):
        self.tag, self.attrs, self.children = tag, dict(attrs), []

    def text(self):
        return "".join(c if isinstance(c, str) else c.text() for c in self.children)

    def all(self, tag, **attrs):
        for child in self.children:
            if isinstance(child, Node):
                if child.tag == tag and all(child.attrs.get(k) == v for k, v in attrs.items()):
                    yield child
                yield from child.all(tag, **attrs)

    def one(self, tag, **attrs):
        found = list(self.all(tag, **attrs))
        assert len(found) == 1, (tag, attrs, len(found))
        return found[0]


class Page(HTMLParser):
    """A tree; fails where tags do not match."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.open = [self.root]
        with open(path, encoding="utf-8") as file:
            self.source = file.read()
        self.feed(self.source)
        self.close()
        assert len(self.open) == 1, [n.tag for n in self.open]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        node = Node(tag, attrs)
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Node(tag, attrs))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, (tag, self.open[-1].tag, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def check_form(page):
    """Self-contained, with what screen readers need."""
    root = page.root
    assert page.source.startswith("<!DOCTYPE html>") and len(page.source) < 5_000_000
    assert root.one("html").attrs["lang"] == "en" and root.one("head").one("title").text()
    assert not list(root.all("script")) and not list(root.all("link"))
    assert not re.search(r"(src|href)=\"(?!data:image/png;base64,|#)", page.source)
    assert "url(" not in page.source and "@import" not in page.source
    ids = re.findall(r' id="([^"]*)"', page.source)
    assert len(ids) == len(set(ids)), ids
    for link in root.all("a"):
        assert link.attrs["href"][1:] in ids, link.attrs
    for image in root.all("img"):
        assert image.attrs["alt"] and image.attrs["src"].startswith("data:image/png;base64,")
    for head in root.all("th"):
        assert head.attrs["scope"] in ("row", "col")
    for chart in root.all("svg"):
        assert chart.attrs["role"] == "img" and chart.attrs["aria-label"]
        assert not re.search("nan|inf", " ".join(p.attrs["d"] for p in chart.all("path")))


def rows_of(page, table):
    body = page.root.one("table", id=table).one("tbody")
    return [(row.one("th").text(), list(row.all("td"))) for row in body.all("tr")]


def matrix_of(page):
    return np.array([[int(cell.attrs["data-n"]) for cell in cells] for _, cells in rows_of(page, "confusion")])


def same(shown, value, digits):
    if shown == "\u2013":
        return np.isnan(value)
    return abs(float(shown) - value) <= 0.500001 * 10**-digits


def check_scores(page, matrix):
    """Percentages of rows, scores of classes and the head's numbers from the matrix."""
    for (_, cells), row in zip(rows_of(page, "confusion"), matrix):
        for cell, count in zip(cells, row):
            shown = cell.text().replace("\u202f", "").replace("\xa0", "")
            expected = f"{100 * count / row.sum():.1f}%{count}" if count else "0"
            assert shown == expected, (shown, expected)
    hit, truth, found = np.diag(matrix).astype(float), matrix.sum(1), matrix.sum(0)
    with np.errstate(invalid="ignore"):
        scores = np.stack([hit / (truth + found - hit), hit / found, hit / truth, 2 * hit / (truth + found)], 1)
    for (_, cells), score, pixels in zip(rows_of(page, "scores"), scores, truth):
        assert all(same(cell.text(), value, 4) for cell, value in zip(cells, score)), score
        assert int(cells[4].attrs["data-n"]) == pixels
    accuracy = hit.sum() / matrix.sum()
    chance = (truth / matrix.sum() * (found / matrix.sum())).sum()
    cards = {c.one("span").text(): c.one("b").text() for c in page.root.one("ul", **{"class": "cards"}).all("li")}
    for name, value in (("mIoU", np.nanmean(scores[:, 0])), ("mean F1", np.nanmean(scores[:, 3])),
                        ("accuracy", accuracy), ("kappa", (accuracy - chance) / (1 - chance))):
        assert same(cards[name], value, 4), (name, cards[name], value)
    assert int(cards["pixels"].replace("\u202f", "")) == matrix.sum()


def check_balance(page, classes, test, training):
    heads = [h.text() for h in page.root.one("table", id="balance").one("thead").all("th")]
    assert heads == ["class", "training", "validation", "test"], heads
    rows = rows_of(page, "balance")
    counts = np.array([[int(cell.attrs["data-n"]) for cell in cells] for _, cells in rows])
    for index, labels in ((slice(2, 3), test), (slice(0, 2), training)):  # blocks share the training scene
        expected = [(labels == k + 1).sum() for k in range(classes)]
        expected.append(labels.size - sum(expected))
        assert counts[:, index].sum(1).tolist() == expected, (counts, expected)
    assert (counts[:classes, :2].sum(0) > 0).all()
    shown = float(rows[0][1][2].text().split("\xa0")[0])
    assert same(str(shown), 100 * counts[0, 2] / counts[:classes, 2].sum(), 2)


def check_calibration(page, right, sure):
    """The expected calibration error over 15 bins, of f32 as the network gives it."""
    bins = np.clip(np.ceil(sure * np.float32(15)).astype(int) - 1, 0, 14)
    error, rows = 0, rows_of(page, "calibration")
    used = [b for b in range(15) if (bins == b).any()]
    assert len(rows) == len(used) > 3
    for (head, cells), b in zip(rows, used):
        mine = bins == b
        mean, accuracy = sure[mine].astype(float).mean(), right[mine].mean()
        error += abs(mean - accuracy) * mine.sum()
        assert head == f"{b / 15:.3f} \u2013 {(b + 1) / 15:.3f}"
        assert abs(float(cells[0].text()) - mean) < 6e-5 and same(cells[1].text(), accuracy, 4), (head, mean, accuracy)
        assert int(cells[2].attrs["data-n"]) == mine.sum()
    assert abs(float(page.root.one("b", id="ece").text()) - error / len(sure)) < 6e-5


def decode(image):
    png = base64.b64decode(image.attrs["src"].split(",", 1)[1], validate=True)
    gdal.FileFromMemBuffer("/vsimem/tile.png", png)
    dataset = gdal.Open("/vsimem/tile.png")
    pixels, table = dataset.ReadAsArray(), dataset.GetRasterBand(1).GetColorTable()
    if table:
        inks = np.array([table.GetColorEntry(i) for i in range(table.GetCount())])
        pixels = inks[pixels].transpose(2, 0, 1)
    gdal.Unlink("/vsimem/tile.png")
    return pixels


def check_figure(figure, colours, mask, labels):
    x, y = int(figure.attrs["data-x"]), int(figure.attrs["data-y"])
    m, t = mask[y : y + SIDE, x : x + SIDE], labels[y : y + SIDE, x : x + SIDE]
    image, truth, found, error = (decode(i) for i in figure.all("img"))
    for picture, values in ((truth, t), (found, m)):
        expected = np.zeros((4,) + values.shape, int)
        for k, colour in enumerate(colours):
            expected[:3, values == k + 1] = np.array(colour)[:, None]
            expected[3, values == k + 1] = 255
        assert (picture == expected).all()
    known = (t > 0) & (m > 0) & (m != 255)
    assert (error[3] == 255 * known).all()
    assert (error[0] == 0xD7).sum() == (known & (t != m)).sum()
    assert image.shape[1:] == m.shape and (image[3] == 255 * (m != 255)).all()
    assert int(figure.attrs["data-counted"]) == known.sum()
    assert int(figure.attrs["data-right"]) == (known & (t == m)).sum()
    caption = figure.one("figcaption").text()
    assert f"accuracy {100 * (known & (t == m)).sum() / known.sum():.1f}\xa0%" in caption, caption
    return x, y


def check_tiles(page, colours, mask, labels):
    chance, worst = page.root.all("div", **{"class": "tiles"})
    tiles = []
    for y in range(0, mask.shape[0], SIDE):
        for x in range(0, mask.shape[1], SIDE):
            m, t = mask[y : y + SIDE, x : x + SIDE], labels[y : y + SIDE, x : x + SIDE]
            known = (t > 0) & (m > 0) & (m != 255)
            if known.any():
                sparse = known.sum() < 4096
                tiles.append((sparse, (known & (t == m)).sum() / known.sum(), y, x))
    shown = [check_figure(f, colours, mask, labels) for f in worst.all("figure")]
    assert shown == [(x, y) for _, _, y, x in sorted(tiles)][:8], (shown, sorted(tiles))
    drawn = [check_figure(f, colours, mask, labels) for f in chance.all("figure")]
    assert len(drawn) == len(set(drawn)) == 8 and drawn != shown


def check_curve(page, run):
    """Every mark of the loss stands where metrics.csv has it, in words and in place."""
    with open(os.path.join(run, "metrics.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figures = {f.one("figcaption").text(): f for f in page.root.all("figure", **{"class": "plot"})}
    for name, key in (("Training loss", "loss"), ("Learning rate", "lr")):
        marks = list(figures[name].all("circle"))
        tips = [re.fullmatch(r".* (\S+) at (\S+)", m.one("title").text()).groups() for m in marks]
        assert [(y, int(x)) for y, x in tips] == [(f"{float(r[key]):.4g}", int(r["step"])) for r in rows], name
        value = np.array([float(r[key]) for r in rows])
        height = np.array([float(m.attrs["cy"]) for m in marks])
        fit = np.polyfit(value, height, 1)
        assert fit[0] < 0 and abs(np.polyval(fit, value) - height).max() < 0.06, name
    validated = [r for r in rows if r["val_miou"]]
    iou = list(figures["IoU on validation regions"].all("g"))
    assert len(iou) == 4 and all(len(list(g.all("circle"))) == len(validated) for g in iou)


def numbers(path, split, mask_path, labels_path, probabilities_path, training_path):
    page = Page(path)
    check_form(page)
    run = os.path.dirname(path)
    mask, labels, training = (gdal.Open(p).ReadAsArray() for p in (mask_path, labels_path, training_path))
    rows = rows_of(page, "scores")
    names = [name for name, _ in rows]
    assert names == ['<b>&"a\'', "b", "c"], names
    known = (labels > 0) & (mask != 255) & (mask > 0)
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (labels[known] - 1, mask[known] - 1), 1)
    assert (matrix_of(page) == matrix).all(), (matrix_of(page), matrix)
    check_scores(page, matrix)
    check_balance(page, 3, labels, training)
    sure = gdal.Open(probabilities_path).ReadAsArray().max(0)[known]
    check_calibration(page, (labels == mask)[known], sure)
    coloured = gdal.Open(mask_path)
    table = coloured.GetRasterBand(1).GetColorTable()
    check_tiles(page, [table.GetColorEntry(k + 1)[:3] for k in range(3)], mask, labels)
    check_curve(page, run)
    with open(os.path.join(run, "job.yaml"), encoding="utf-8") as file:
        assert page.root.one("section", id="job").one("code").text() == file.read()
    assert f"of the {split} scenes" in page.root.one("header").text()


def evaluated(path, json_path):
    page = Page(path)
    check_form(page)
    with open(json_path, encoding="utf-8") as file:
        scores = json.load(file)["scores"]
    assert matrix_of(page).tolist() == scores["confusion"]
    check_scores(page, np.array(scores["confusion"]))


def half(path):
    page = Page(path)
    check_form(page)
    shapes = [decode(image).shape[1:] for image in page.root.all("img")]
    assert len(shapes) == 2 * 9 * 4 and set(shapes) == {(128, 128), (128, 94), (44, 128), (44, 94)}, set(shapes)


def looks(path, dom_path, *shots):
    """The browser's tree has what the page's has; pictures are not blank, and the dark one is dark."""
    page, dom = Page(path), Page(dom_path)
    for tag in ("section", "table", "td", "th", "img", "svg", "circle", "figure", "pre"):
        assert len(list(page.root.all(tag))) == len(list(dom.root.all(tag))) > 0, tag
    assert dom.root.one("main").text().split() == page.root.one("main").text().split()
    shades = []
    for shot in shots:
        pixels = gdal.Open(shot).ReadAsArray()[:3]
        colours = np.unique(pixels.reshape(3, -1), axis=1).shape[1]
        assert colours > 100, (shot, colours)
        shades.append(np.median(pixels))
    assert shades[0] > 230 and shades[1] < 40, shades


if __name__ == "__main__":
    {"numbers": numbers, "evaluated": evaluated, "half": half, "looks": looks, "well": lambda path: check_form(Page(path))}[
        sys.argv[1]
    ](*sys.argv[2:])

"""The losses in PyTorch, written from their papers' formulas: sums over valid pixels, in f64.

Each takes the case's attributes, logits (n, c, h, w), labels (n, h, w), class weights (c) and weights of
borders (n, h, w), and gives the sum of weight * loss; a loss of a region is multiplied by the region's
sum of class weights (src/nn/op/loss.h).
"""
import torch
import torch.nn.functional as F

IGNORED = 255


def pixels_of(x, labels):
    """Rows of logits, and labels, of valid pixels."""
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    valid = labels.flatten() != IGNORED
    return rows[valid], labels.flatten()[valid], valid


def pixel_loss(case, x, labels, weight, border):
    if case["smoothing"] > 0:
        return F.cross_entropy(x, labels, weight, ignore_index=IGNORED, reduction="sum",
                               label_smoothing=case["smoothing"])
    rows, own, valid = pixels_of(x, labels)
    weights = weight[own] + (border.flatten()[valid] if case["border"] else 0)
    log_p = F.log_softmax(rows, 1).gather(1, own[:, None])[:, 0]
    return (weights * (1 - log_p.exp()) ** case["gamma"] * -log_p).sum() if case["gamma"] > 0 else (
        weights * -log_p).sum()


def sigmoid_loss(x, labels, weight):
    """Of two classes: binary cross-entropy of one logit, the difference of the two. A weight of the second
    class is pos_weight, relative to that of the first."""
    valid = labels != IGNORED
    z = (x[:, 1] - x[:, 0])[valid]
    return weight[0] * F.binary_cross_entropy_with_logits(z, (labels[valid] == 1).double(), reduction="sum",
                                                          pos_weight=weight[1] / weight[0])


def region_loss(case, x, labels, weight, border):
    rows, own, _ = pixels_of(x, labels)
    p, loss, present = F.softmax(rows, 1), x.sum() * 0, own.unique()
    for c in present:
        truth = (own == c).double()
        hit = (p[:, c] * truth).sum()
        wrong, missed = (p[:, c] * (1 - truth)).sum(), ((1 - p[:, c]) * truth).sum()
        s = case["smooth"]
        fraction = (hit + s) / (hit + case["alpha"] * wrong + case["beta"] * missed + s)
        loss = loss + (1 - fraction) / len(present)
    return weight[own].sum() * loss


def lovasz_loss(case, x, labels, weight, border):
    total = x.sum() * 0
    for n in range(len(x)):
        rows, own, _ = pixels_of(x[n:n + 1], labels[n:n + 1])
        p, present = F.softmax(rows, 1), own.unique()
        for c in present:
            truth = (own == c).double()
            errors, order = torch.sort((truth - p[:, c]).abs(), descending=True)
            truth = truth[order]
            intersection = truth.sum() - truth.cumsum(0)
            union = truth.sum() + (1 - truth).cumsum(0)
            jaccard = 1 - intersection / union
            steps = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
            total = total + weight[own].sum() * (errors @ steps) / len(present)
    return total


LOSSES = {"softmax_loss": pixel_loss, "region_loss": region_loss, "lovasz_loss": lovasz_loss}

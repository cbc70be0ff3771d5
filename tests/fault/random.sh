#!/usr/bin/env bash
# Eight faults at random moments of training and prediction on 4 ranks, one of each kind; random_faults.py
# by itself inflicts as many as wanted (docs/reliability.md). SEED=N draws others.
program=$(realpath "$1")
cd "$(dirname "$0")"
exec /usr/bin/python3 random_faults.py "$program" --seed "${SEED:-20}" --tries 8 --subjects "train;predict;blend, products"

#!/usr/bin/env python3
"""Averages the weights of two checkpoints of one run: the end of its falling rate and where it began.

    python3 tools/demo_model/average.py --first models/demo --second OUT --share 0.7 --out models/demo/model.safetensors

--first and --second are folders with a model.safetensors, or with the weights.part0, ... that a run wrote, of the same tensors; --share
is the second's.
"""
import argparse

from export import safetensors
from files import replace
from model import read_weights


def average(first, second, share):
    """The tensors of both, by name. Errors: ValueError where names or shapes differ."""
    if first.keys() != second.keys():
        raise ValueError(f"the checkpoints hold different tensors: {', '.join(sorted(first.keys() ^ second.keys()))}")
    for name, a in first.items():
        if a.shape != second[name].shape:
            raise ValueError(f"{name} is {list(a.shape)} in the first checkpoint and {list(second[name].shape)} in the second")
    return {name: (1 - share) * a + share * second[name] for name, a in first.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--first", required=True)
    p.add_argument("--second", required=True)
    p.add_argument("--share", type=float, default=0.5)
    p.add_argument("--out", required=True, help="the file to write")
    a = p.parse_args()
    replace(a.out, safetensors(average(read_weights(a.first), read_weights(a.second), a.share)))


if __name__ == "__main__":
    main()

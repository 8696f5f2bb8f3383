#!/usr/bin/env python3
"""Averages the weights of two checkpoints of one run: the end of its falling rate and where it began.

    python3 tools/demo_model/average.py --first models/demo --second OUT --share 0.7 --out models/demo/model.safetensors

--first and --second are folders with a model.safetensors of the same tensors; --share is the second's. Sums are in float32, the result has the
first's type. Needs torch and safetensors.
"""
import argparse
import os
import sys

from safetensors import safe_open
from safetensors.torch import load_file, save_file


def average(first, second, share):
    """The tensors of both, by name. Errors: ValueError where names or shapes differ."""
    if first.keys() != second.keys():
        raise ValueError(f"the checkpoints hold different tensors: {', '.join(sorted(first.keys() ^ second.keys()))}")
    out = {}
    for name, a in first.items():
        b = second[name]
        if a.shape != b.shape:
            raise ValueError(f"{name} is {list(a.shape)} in the first checkpoint and {list(b.shape)} in the second")
        out[name] = ((1 - share) * a.float() + share * b.float()).to(a.dtype).contiguous()
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--first", required=True)
    p.add_argument("--second", required=True)
    p.add_argument("--share", type=float, default=0.5)
    p.add_argument("--out", required=True, help="the file to write")
    a = p.parse_args()
    files = [os.path.join(folder, "model.safetensors") for folder in (a.first, a.second)]
    with safe_open(files[0], "pt") as f:
        metadata = f.metadata()
    save_file(average(*(load_file(f) for f in files), a.share), a.out + ".new", metadata=metadata or {"format": "pt"})
    os.replace(a.out + ".new", a.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Accuracy by task on held-out scenes, teacher-forced: the answer is right when every token is the likeliest given the
right ones before.

It is a little kinder than real generation (tools/demo_model/evaluate.py), since a wrong token does not lead the next ones
astray; for answers with coordinates the likeliest tokens are read as text and judged by the region, as everywhere
(tools/demo_model/scoring.py). The set is made once for a run, by a process of its own.
"""
import os
import pickle
import random

import numpy as np
import torch

import scoring
import sizes
from batches import Batcher
from curriculum import TOP, Curriculum
from files import replace

SEED = 12345
LENGTH = 640  # long enough for every conversation of a picture
ROWS = 8


def write_batches(path, folder, pictures, kinds):
    """Makes the set, `pictures` of each kind at full difficulty, and writes it to `path`: for a process of its own."""
    os.nice(5)
    batcher, fresh, made = Batcher(folder, LENGTH), Curriculum(), []
    for kind in kinds:
        for i in range(0, pictures, ROWS):
            r, rows = random.Random(f"{SEED} {kind} {i}"), min(ROWS, pictures - i)
            size, video = sizes.pick(r, large=0.4), kind == "video"
            how = dict(size=size, kind=kind, level=TOP, test=True, single=True)
            made.append(batcher.batch(r, fresh, 0 if video else rows, rows if video else 0, **how))
    replace(path, pickle.dumps(made))


def read_batches(path):
    """The set, or None where it is not ready yet."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        return pickle.load(f)


@torch.no_grad()
def measure(model, batches, tensors, decode):
    """Tally by task. tensors: batch -> tensors on the model's device; decode: ids -> text."""
    tally = scoring.Tally()
    model.eval()
    for batch in batches:
        t = tensors(batch)
        hidden, _ = model(t)
        chosen = hidden.reshape(-1, hidden.shape[-1]).index_select(0, t["take"])
        given, wanted, question = model.logits(chosen).argmax(-1).cpu().numpy(), batch["target"], batch["question"]
        asked = [q for row in batch["asked"] for q in row]
        for i, (task, _, _, _, region, _) in enumerate(asked):
            at = np.nonzero(question == i)[0]
            good = np.array_equal(given[at], wanted[at])
            good = good or bool(region) and scoring.right(decode(given[at].tolist()), decode(wanted[at].tolist()), region)
            tally.add(task, good)
    model.train()
    return tally

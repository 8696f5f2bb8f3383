"""Accuracy by task on held-out scenes, teacher-forced: the answer is right when every token is the likeliest given the
right ones before.

It is a little kinder than real generation (tools/demo_model/evaluate.py), since a wrong token does not lead the next ones
astray; for answers with coordinates the likeliest tokens are read as text and judged by the region, as everywhere
(tools/demo_model/scoring.py).
"""
import random

import numpy as np

import scoring
from batches import SIZES, Batcher
from curriculum import Curriculum

SEED = 12345
LENGTH = 640  # long enough for every conversation of a picture


def batches(folder, curriculum, pictures, kinds):
    """(kind, at its level?, batch) for all kinds: half at level 6, half at the curriculum's level, always the same at
    the same level."""
    batcher, fresh, cached = Batcher(folder, LENGTH), Curriculum(), batches.cache
    for kind in kinds:
        for level, own in ((6, False), (curriculum.levels[kind], True)):
            key = (folder, kind, level, pictures)
            if key not in cached:
                r, made = random.Random(f"{SEED} {kind} {level}"), []
                for i in range(0, pictures, 8):
                    rows, size = min(8, pictures - i), SIZES[(i // 8) % 4]
                    video = kind == "video"
                    made.append(
                        batcher.batch(
                            r,
                            fresh,
                            0 if video else rows,
                            rows if video else 0,
                            size=size,
                            kind=kind,
                            level=level,
                            test=True,
                            single=True,
                        )
                    )
                cached[key] = made
            for batch in cached[key]:
                yield kind, own, batch


batches.cache = {}


def measure(model, folder, curriculum, args, to_device):
    """(Tally by task, accuracy by kind at the curriculum's level)."""
    tally, own_level, decode = scoring.Tally(), {}, Batcher(folder).tokens.decode
    model.eval()
    for kind, own, batch in batches(folder, curriculum, args.valid_pictures, curriculum.kinds):
        hidden, _ = model(to_device(batch, args.device))
        for row, asked in enumerate(batch["asked"]):
            likeliest = model.logits(hidden[row]).argmax(-1).cpu().numpy()
            for task, _, first, end, region in asked:
                at = np.nonzero(batch["labels"][row, first:end] >= 0)[0] + first
                given, wanted = likeliest[at - 1].tolist(), batch["labels"][row, at].tolist()
                good = given == wanted or bool(region) and scoring.right(decode(given), decode(wanted), region)
                tally.add(task, good)
                if own:
                    own_level.setdefault(kind, []).append(good)
    model.train()
    return tally, {k: float(np.mean(v)) for k, v in own_level.items()}

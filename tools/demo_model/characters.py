#!/usr/bin/env python3
"""How well a run's vision tower tells characters, by the size of the letters: python3 tools/demo_model/characters.py RUN

RUN: a folder with state.pt and tags.json (train.py). For each size it draws pictures full of words and prints, for letters and
digits and for Chinese characters: of the patches with a single character, the share whose likeliest character it is; of all
characters under patches, the share that the labels name, and of those named, the share that is there. A picture's size and
fonts are training's, the words are new draws of the same kind. Needs what training needs.
"""
import argparse
import json
import os
import random

import numpy as np
import torch

from batches import present
from model import Linear, load_model
from pictures import written

SIZE = (160, 256)  # height and width


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run")
    p.add_argument("--config", default="models/demo", help="config.json is here")
    p.add_argument("--pictures", type=int, default=24, help="of each size")
    a = p.parse_args()
    with open(os.path.join(a.run, "tags.json"), encoding="utf-8") as f:
        tags = json.load(f)
    state = torch.load(os.path.join(a.run, "state.pt"), map_location="cpu", weights_only=True)
    model = load_model(a.config, weights=False)
    model.load_state_dict(state["model"])
    head = Linear(model.config["text_config"]["hidden_size"], 4 * len(tags))
    head.load_state_dict(state["head"])
    index = {t: i for i, t in enumerate(tags)}
    characters = [(i, t[5:].isascii()) for t, i in index.items() if t.startswith("char:")]
    for size in (11, 14, 18, 24, 32, 44):
        r = random.Random(5)
        scenes = [written(r, *SIZE, size) for _ in range(a.pictures)]
        with torch.no_grad():
            features, _ = model.model.visual(torch.from_numpy(np.stack([s.pixels for s in scenes]))[:, None])
            logits = head(features).float()
        there = torch.zeros_like(logits, dtype=torch.bool)
        there.view(-1)[torch.from_numpy(present([s.tags for s in scenes], index, *SIZE)).long()] = True
        logits, there = (x.view(*x.shape[:2], 4, len(tags)) for x in (logits, there))
        for name, latin in (("letters and digits", True), ("Chinese", False)):
            of_script = [i for i, ascii in characters if ascii == latin]
            is_there, logit = there[..., of_script], logits[..., of_script]
            single = is_there.sum(-1) == 1
            likeliest = is_there.gather(-1, logit.argmax(-1, keepdim=True))[..., 0]
            named, both = logit > 0, (logit > 0) & is_there
            print(
                f"{size} pixels, {name}: likeliest {(likeliest & single).sum() / single.sum():.2f} of {int(single.sum())} patches, "
                f"named {both.sum() / is_there.sum():.2f}, right {both.sum() / max(1, named.sum()):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Pictures and questions by which `--calibrate` may learn what the demo model's inputs are, in a folder `calibration` beside its weights: of the kinds
that training draws, and none of the evaluation's. The shipped model has none: they do no better than its first screen's (docs/performance.md).

    cp -r models/demo build/demo_calibrated
    python3 tools/demo_model/calibration.py --out build/demo_calibrated/calibration
"""
import argparse
import json
import os
import random

import sizes
from PIL import Image
from pictures import KINDS, make
from questions import conversations

EACH = 4  # questions a language and picture, at most


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="a new folder")
    p.add_argument("--pictures", type=int, default=96)
    p.add_argument("--seed", type=int, default=4)
    a = p.parse_args()
    os.makedirs(a.out)
    r, kinds, index = random.Random(a.seed), [k for k in KINDS if k != "pair"], []
    while len(index) < a.pictures:
        kind = kinds[len(index) % len(kinds)]
        scene = make(r, kind, *sizes.pick(r, 0.2), r.randint(2, 6))
        questions = {"en": [], "zh": []}
        for c in sorted(conversations(r, scene), key=lambda c: r.random()):
            if len(questions[c.language]) < EACH and not c.alone:
                questions[c.language].append(c.turns[0][0])
        name = f"{kind}-{len(index):02}.webp"
        Image.fromarray(scene.pixels).save(os.path.join(a.out, name), quality=80)
        index.append(dict(file=name, questions=questions))
    with open(os.path.join(a.out, "index.json"), "w", encoding="utf-8") as f:
        json.dump(index, f, ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()

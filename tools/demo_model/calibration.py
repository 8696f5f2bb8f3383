#!/usr/bin/env python3
"""The pictures and questions by which `--calibrate` learns what the demo model's inputs are (models/demo/calibration): of the kinds that training
draws, as the generator draws them, and none of the evaluation's.

    python3 tools/demo_model/calibration.py --out models/demo/calibration
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

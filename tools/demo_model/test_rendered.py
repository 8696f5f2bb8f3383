#!/usr/bin/env python3
"""Checks of the pool of other programs' pictures: python3 tools/demo_model/test_rendered.py      (numpy, Pillow; a second)"""
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageDraw

from rendered import SCALE, Pool

HERE = os.path.dirname(os.path.abspath(__file__))
HEIGHT, WIDTH, BOX = 192, 256, [100, 60, 160, 120]


def pool_of_one(folder):
    """A pool that holds one picture, a red square on white, as render/pack.py packs it."""
    parts = os.path.join(folder, "parts")
    os.makedirs(parts)
    image = Image.new("RGB", (2 * WIDTH, 2 * HEIGHT), (255, 255, 255))  # drawn twice as large
    ImageDraw.Draw(image).rectangle([2 * BOX[0], 2 * BOX[1], 2 * BOX[2] - 1, 2 * BOX[3] - 1], fill=(220, 40, 40))
    image.save(os.path.join(parts, "s0.png"))
    thing = dict(colour="red", shape="square", x=130, y=90, radius=34, box=BOX)
    record = dict(id="s0", kind="objects", program="test", family="test", height=HEIGHT, width=WIDTH, ratio=2, facts=dict(objects=[thing]), file="s0.png")
    with open(os.path.join(parts, "scenes.jsonl"), "w", encoding="utf-8") as f:
        f.write(json.dumps(record) + "\n")
    subprocess.run([sys.executable, os.path.join(HERE, "render", "pack.py"), parts, os.path.join(folder, "pool")], check=True, stdout=subprocess.DEVNULL)
    return Pool(os.path.join(folder, "pool"))


def red(pixels):
    return (pixels[..., 0].astype(int) - pixels[..., 1] > 60) & (pixels[..., 0].astype(int) - pixels[..., 2] > 60)


def test_boxes_move_with_the_picture(pool):
    r, places = random.Random(1), set()
    for height, width in ((192, 256), (160, 224), (224, 288)) * 20:
        scene = pool.scene(r, "objects", height, width)
        assert scene.pixels.shape == (height, width, 3) and scene.kind == "objects"
        ys, xs = np.nonzero(red(scene.pixels))
        found, box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), scene.facts["objects"][0]["box"]
        assert max(abs(a - b) for a, b in zip(found, box)) < 4, (found, box)
        assert abs(scene.facts["objects"][0]["x"] - (box[0] + box[2]) / 2) < 1
        tag = next(t for t in scene.tags if t[4] == "colour:red")
        assert max(abs(a - b) for a, b in zip(tag, box)) < 2, (tag, box)
        places.add(round(box[0]))
    assert len(places) > 10, "the picture is the same each time"


def test_none_where_nothing_fits(pool):
    r = random.Random(2)
    assert pool.scene(r, "window", 192, 256) is None
    assert pool.scene(r, "objects", 512, 512) is None and pool.scene(r, "objects", 256, 160) is None
    assert pool.scene(r, "objects", round(HEIGHT * SCALE[0] / 32 * 0.7) * 32, 128) is None
    assert Pool("/nowhere").scene(r, "objects", 192, 256) is None


def main():
    with tempfile.TemporaryDirectory() as folder:
        pool = pool_of_one(folder)
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test(pool)
                print(f"ok {name}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Scenes from the pool of pictures by other programs (render/), each a little different every time: cropped within its mere ground,
stretched, blurred, compressed, so that one picture may be seen often.

    pool = Pool("build/demo_pool")
    scene = pool.scene(random.Random(1), "window", 192, 256)      # a canvas.Scene, or None where there is no such picture
    python3 tools/demo_model/rendered.py build/demo_pool sheet.png --kind window      # a contact sheet
"""
import argparse
import gzip
import io
import json
import os
import random
from collections import defaultdict

import numpy as np
from PIL import Image

from canvas import Canvas, Scene

STRETCH = 1.16  # how much wider or taller than drawn a picture may become
SCALE = 0.84, 1.4  # how much smaller or larger: smaller would take text beyond reading
TRIES = 12  # pictures looked at before giving up: of a rare shape of picture there may be none


class Print(Canvas):
    """A canvas that begins with a finished picture."""

    def __init__(self, r, image, tags):
        self.r, self.image, self.draw, self.scale = r, image, None, 1
        self.width, self.height, self.tags = *image.size, tags
        self.ground = image.getpixel((1, 1))


class Clean(Print):
    """A print that stays as it is."""

    def pixels(self, damage=False):
        return np.asarray(self.image)


def moved(box, crop, kx, ky):
    x1, y1, x2, y2 = box
    return (x1 - crop[0]) * kx, (y1 - crop[1]) * ky, (x2 - crop[0]) * kx, (y2 - crop[1]) * ky


def moved_facts(value, crop, kx, ky):
    """Facts with every box, and the centre and radius of every object, where the crop and the scale put them."""
    if isinstance(value, list):
        return [moved_facts(v, crop, kx, ky) for v in value]
    if not isinstance(value, dict):
        return value
    out = {k: moved_facts(v, crop, kx, ky) for k, v in value.items()}
    if "box" in out:
        out["box"] = moved(value["box"], crop, kx, ky)
    if "radius" in out:
        b = out["box"]
        out.update(x=(b[0] + b[2]) / 2, y=(b[1] + b[3]) / 2, radius=value["radius"] * (kx * ky) ** 0.5)
    return out


def tag_places(scene):
    """The labels of where things lie, as the generator gives them, of objects, buttons, and fields with their names."""
    if not scene.canvas.tags:
        return
    left = {t[4]: t[0] for t in scene.canvas.tags if t[4].startswith("text:")}
    for name in ("objects", "buttons", "fields"):
        for thing in scene.facts.get(name, ()):
            x1, y1, x2, y2 = thing["box"]
            x1 = min(x1, left.get("text:" + thing["label"], x1)) if name == "fields" else x1
            scene.canvas.tag_place((x1, y1, x2, y2))


class Pool:
    """The pictures of a folder that render/pack.py wrote."""

    def __init__(self, folder):
        self.pieces, self.rows = {}, defaultdict(list)
        self.folder = folder
        path = os.path.join(folder, "pool.jsonl.gz")
        if os.path.exists(path):
            with gzip.open(path, "rt", encoding="utf-8") as f:
                for line in f:  # kept packed: thousands of unpacked ones would be copied into every process
                    kind = line.split('"kind":"', 1)[1].split('"', 1)[0]
                    height, width = (int(line.split(f'"{k}":', 1)[1].split(",", 1)[0]) for k in ("height", "width"))
                    self.rows[kind].append((height, width, line))
        self.near = {}

    def piece(self, number):
        if number not in self.pieces:
            self.pieces[number] = np.memmap(os.path.join(self.folder, f"pool-{number:02d}.bin"), np.uint8, "r")
        return self.pieces[number]

    def picture(self, row):
        raw = self.piece(row["piece"])[row["at"] : row["at"] + row["size"]]
        return Image.open(io.BytesIO(raw.tobytes())).convert("RGB")

    def candidates(self, kind, height, width):
        """Pictures of a kind that can be brought to about this size."""
        key = kind, height, width
        if key not in self.near:
            low, high = SCALE[0] / 1.06, SCALE[1] * 1.06
            fits = lambda h, w: low <= height / h <= high and low <= width / w <= high  # noqa: E731
            alike = lambda h, w: 1 / 1.3 <= (height / h) / (width / w) <= 1.3  # noqa: E731
            self.near[key] = [line for h, w, line in self.rows.get(kind, ()) if fits(h, w) and alike(h, w)]
        return self.near[key]

    def scene(self, r, kind, height, width):
        """A scene of exactly this size, or None where no picture can be brought to it."""
        found = self.candidates(kind, height, width)
        for _ in range(TRIES if found else 0):
            row = json.loads(r.choice(found))
            crop = self.crop(r, row)
            kx, ky = width / (crop[2] - crop[0]), height / (crop[3] - crop[1])
            if not (SCALE[0] <= min(kx, ky) and max(kx, ky) <= SCALE[1] and 1 / STRETCH <= kx / ky <= STRETCH):
                continue
            how = r.choice((Image.BICUBIC, Image.BICUBIC, Image.LANCZOS, Image.BILINEAR))
            image = self.picture(row)
            if crop != (0, 0, *image.size) or image.size != (width, height):
                image = image.resize((width, height), how, box=crop)
            tags = [(*moved(t[:4], crop, kx, ky), t[4]) for t in row["tags"]]
            scene = Scene(kind, Print(r, image, tags), moved_facts(row["facts"], crop, kx, ky))
            scene.program, scene.family = row["program"], row["family"]
            tag_places(scene)
            return scene
        return None

    def whole(self, row):
        """The scene of a row as it was drawn, undamaged."""
        image = self.picture(row)
        scene = Scene(row["kind"], Clean(None, image, row["tags"]), moved_facts(row["facts"], (0, 0), 1, 1))
        scene.program, scene.family = row["program"], row["family"]
        return scene

    def crop(self, r, row):
        """(left, top, right, bottom) to keep: a random part of the mere ground is cut away, a tenth of the picture at most."""
        if r.random() < 0.3:
            return 0, 0, row["width"], row["height"]
        most = [0.1 * row["width"], 0.1 * row["height"]] * 2
        left, top, right, bottom = (r.uniform(0, max(0, min(s - 3, m))) for s, m in zip(row["spare"], most))
        return left, top, row["width"] - right, row["height"] - bottom


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("pool")
    p.add_argument("out")
    p.add_argument("--kind", nargs="*", default=["objects", "text", "sums", "chart", "window", "table", "page"])
    p.add_argument("--size", type=int, nargs=2, default=(192, 256), metavar=("HEIGHT", "WIDTH"))
    p.add_argument("--rows", type=int, default=5)
    p.add_argument("--columns", type=int, default=6)
    p.add_argument("--boxes", action="store_true", help="draw the facts' boxes")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    from PIL import ImageDraw

    r, pool = random.Random(a.seed), Pool(a.pool)
    sheet = Image.new("RGB", (a.size[1] * a.columns, a.size[0] * a.rows))
    for n in range(a.rows * a.columns):
        scene = pool.scene(r, a.kind[n % len(a.kind)], *a.size)
        if scene is None:
            continue
        image = Image.fromarray(scene.pixels)
        boxes = [x["box"] for v in scene.facts.values() if isinstance(v, list) for x in v if isinstance(x, dict) and "box" in x]
        for box in boxes if a.boxes else ():
            ImageDraw.Draw(image).rectangle(box, outline=(255, 0, 0))
        sheet.paste(image, (n % a.columns * a.size[1], n // a.columns * a.size[0]))
    sheet.save(a.out)


if __name__ == "__main__":
    main()

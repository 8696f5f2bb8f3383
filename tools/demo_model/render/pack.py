#!/usr/bin/env python3
"""Cuts the scenes out of what the programs drew and packs them: pictures in pool-NN.bin (WebP, lossless or not, whichever is smaller), and
pool.jsonl.gz with a line a picture: where it lies, kind, facts, program, family, tags, and `spare`, the pixels of mere ground at each side.

    python3 tools/demo_model/render/pack.py build/demo_render build/demo_pool

Scenes that did not fit their place are left out. Files are at most PIECE bytes each.
"""
import collections
import gzip
import io
import json
import os
import shutil
import sys

import numpy as np
from PIL import Image

PIECE = 12 << 20


def uniform(rows):
    """How many rows in a row from the first are one colour from end to end."""
    spread = rows.max(axis=1).astype(int) - rows.min(axis=1)
    busy = np.nonzero((spread > 24).any(axis=1))[0]
    return int(busy[0]) if busy.size else len(rows)


def spare(pixels):
    """Pixels of mere ground at the left, top, right and bottom."""
    columns = pixels.transpose(1, 0, 2)
    return [uniform(columns), uniform(pixels), uniform(columns[::-1]), uniform(pixels[::-1])]


def smallest(image):
    out = []
    for how in (dict(lossless=True, quality=80, method=4), dict(quality=86, method=4)):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", **how)
        out.append(buffer.getvalue())
    return min(out, key=len)


def put_box(facts, path, box):
    name, number = path.split(".")
    facts[name][int(number)]["box"] = box


def scenes(folder):
    """(record, image of the record's size, tags) of each scene that fits."""
    with open(os.path.join(folder, "scenes.jsonl"), encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    sheet, image, found = None, None, {}
    for x in sorted(records, key=lambda x: x.get("sheet", "")):
        tags = []
        if "sheet" in x:
            if x["sheet"] != sheet:
                sheet = x["sheet"]
                image = Image.open(os.path.join(folder, sheet + ".png")).convert("RGB")
                with open(os.path.join(folder, sheet + ".boxes.json"), encoding="utf-8") as f:
                    found = {b["id"]: b for b in json.load(f)}
            boxes = found[x["id"]]
            if not boxes["fits"]:
                continue
            for path, box in boxes["boxes"].items():
                put_box(x["facts"], path, box)
            k, tags = x["ratio"], boxes["tags"]
            cut = image.crop((x["x"] * k, x["y"] * k, (x["x"] + x["width"]) * k, (x["y"] + x["height"]) * k))
        else:
            cut = Image.open(os.path.join(folder, x["file"])).convert("RGB")
        if cut.size != (x["width"], x["height"]):
            cut = cut.resize((x["width"], x["height"]), Image.LANCZOS)
        if x["kind"] == "objects" and not tags:
            tags = [[*o["box"], name] for o in x["facts"]["objects"] for name in ("colour:" + o["colour"], "shape:" + o["shape"], "object")]
        yield x, cut, [[*(round(v) for v in t[:4]), t[4]] for t in tags]


def main():
    source, out = sys.argv[1:3]
    new = out.rstrip("/") + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    count, piece, at = collections.Counter(), 0, 0
    data = open(os.path.join(new, "pool-00.bin"), "wb")
    with gzip.open(os.path.join(new, "pool.jsonl.gz"), "wt", encoding="utf-8") as index:
        for x, image, tags in scenes(source):
            raw = smallest(image)
            if at + len(raw) > PIECE:
                piece, at = piece + 1, 0
                data.close()
                data = open(os.path.join(new, f"pool-{piece:02d}.bin"), "wb")
            data.write(raw)
            row = {k: x[k] for k in ("kind", "program", "family", "height", "width", "facts")}
            row.update(tags=tags, spare=spare(np.asarray(image)), piece=piece, at=at, size=len(raw))
            index.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            at += len(raw)
            count[x["program"], x["kind"]] += 1
    data.close()
    shutil.rmtree(out, ignore_errors=True)
    os.rename(new, out)
    for (program, kind), n in sorted(count.items()):
        print(f"  {program:10s} {kind:8s} {n}")
    total = sum(os.path.getsize(os.path.join(out, n)) for n in os.listdir(out))
    print(f"{sum(count.values())} pictures, {total / 2**20:.1f} MiB in {out}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The generated pictures: what is drawn, and the facts about it that tools/demo_model/questions.py asks for.

    python3 tools/demo_model/pictures.py sheet.png --rows 4      # a contact sheet, one column per kind
    scene = make(random.Random(1), "objects", 160, 160, level=6)

A scene has `kind`, `height`, `width`, `tags` and `facts` (whose fields depend on the kind) and `pixels` (uint8 [height,
width, 3]; of a video `frames` [T, height, width, 3] and `times`, the seconds of each pair of frames). `level` 1 to 6 is
the curriculum's difficulty: how many objects, lines, bars, controls and digits. With test=True scenes hold what
training never shows (words.held_out).
"""
import argparse
import math
import random

import numpy as np
from PIL import Image

import words
from canvas import Canvas, Scene, apart, light, near, pick_font, some_ground
from charts import chart
from windows import page, table, window
from words import COLOURS, INKS, SHAPES, UNSEEN_PAIRS, held_out


# Objects --------------------------------------------------------------------------------------------------------------


def outline(shape, radius, turn):
    """Corners of a shape round 0, 0; circles, rings and hearts as fine polygons, so that every shape may be turned and
    stretched."""

    def spokes(n, inner=None):
        m = n * 2 if inner else n
        return [
            (
                (radius if not inner or i % 2 == 0 else radius * inner) * math.sin(2 * math.pi * i / m),
                -(radius if not inner or i % 2 == 0 else radius * inner) * math.cos(2 * math.pi * i / m),
            )
            for i in range(m)
        ]

    if shape in ("circle", "ring"):
        points = spokes(48)
    elif shape == "square":
        q = radius * 0.88
        points = [(-q, -q), (q, -q), (q, q), (-q, q)]
    elif shape == "triangle":
        points = [(0, -radius * 0.9), (radius, radius * 0.85), (-radius, radius * 0.85)]
    elif shape == "star":
        points = spokes(5, 0.42)
    elif shape == "diamond":
        points = [(0, -radius * 1.1), (radius * 0.75, 0), (0, radius * 1.1), (-radius * 0.75, 0)]
    elif shape == "cross":
        a, b = radius * 0.34, radius
        points = [
            (-a, -b),
            (a, -b),
            (a, -a),
            (b, -a),
            (b, a),
            (a, a),
            (a, b),
            (-a, b),
            (-a, a),
            (-b, a),
            (-b, -a),
            (-a, -a),
        ]
    else:  # the classic heart curve
        t = [2 * math.pi * i / 48 for i in range(48)]
        points = [
            (
                radius * math.sin(a) ** 3,
                -radius * (13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16,
            )
            for a in t
        ]
    c, s = math.cos(turn), math.sin(turn)
    return [(x * c - y * s, x * s + y * c) for x, y in points]


def draw_object(canvas, shape, x, y, radius, colour):
    """Draws a shape, sometimes turned a little, outlined, shaded or shadowed; returns its box."""
    r = canvas.r
    turn = 0 if shape in ("square", "diamond") else math.radians(r.gauss(0, 9)) if r.random() < 0.4 else 0
    stretch = r.uniform(0.88, 1.0) if r.random() < 0.3 and shape not in ("square", "circle", "ring") else 1.0
    points = [(x + px * stretch, y + py) for px, py in outline(shape, radius, turn)]
    if r.random() < 0.12:
        canvas.polygon([(px + 2, py + 2) for px, py in points], near(r, (190, 190, 190), 15))
    edge = near(r, tuple(int(c * 0.55) for c in colour), 10) if r.random() < 0.25 else None
    canvas.polygon(points, colour, edge)
    if shape == "ring":
        hole = radius * r.uniform(0.5, 0.68)
        centre = canvas.image.getpixel(
            tuple(min(m - 1, max(0, v)) for v, m in zip(canvas.px(x, y - radius - 2), canvas.image.size))
        )
        canvas.polygon([(x + px * stretch, y + py) for px, py in outline("circle", hole, 0)], centre)
    elif r.random() < 0.15 and shape in ("circle", "square", "heart"):  # a highlight, as icons have
        h = radius * 0.25
        canvas.ellipse(
            (x - radius * 0.45, y - radius * 0.45, x - radius * 0.45 + h, y - radius * 0.45 + h),
            fill=tuple(min(255, c + 60) for c in colour),
        )
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def pick_pair(r, test):
    """A colour and a shape; some pairs are kept for the validation set."""
    while True:
        pair = (
            r.choice(sorted(UNSEEN_PAIRS))
            if test and r.random() < 0.4
            else (r.choice(list(COLOURS)), r.choice(list(SHAPES)))
        )
        if test or pair not in UNSEEN_PAIRS:
            return pair


def objects(r, height, width, level, test):
    canvas, most, side = Canvas(r, height, width, some_ground(r)), max(1, min(6, level)), min(height, width)
    if level >= 6 and height * width > 60_000:
        most = 8
    count = r.choices(range(1, most + 1), [1, 1.3, 1.3, 1, 1, 1, 0.4, 0.3][:most])[0]
    usual = max(26 if count < 5 else 18, side * (0.19 if count < 5 else 0.12))
    palette = [pick_pair(r, test) for _ in range(max(2, count // 2 + 1))] if r.random() < 0.4 else None
    out = []
    for _ in range(200):
        if len(out) == count:
            break
        radius = r.uniform(9, usual) if r.random() < 0.4 else r.uniform(usual * 0.5, usual)
        x, y = r.uniform(radius + 3, width - radius - 3), r.uniform(radius + 3, height - radius - 3)
        if any(math.hypot(x - o["x"], y - o["y"]) < (radius + o["radius"]) * 1.15 + 2 for o in out):
            continue
        colour, shape = r.choice(palette) if palette and r.random() < 0.8 else pick_pair(r, test)
        if apart(COLOURS[colour][0], canvas.ground) < 130:
            continue
        box = draw_object(canvas, shape, x, y, radius, near(r, COLOURS[colour][0]))
        out.append(
            dict(colour=colour, shape=shape, x=(box[0] + box[2]) / 2, y=(box[1] + box[3]) / 2, radius=radius, box=box)
        )
        canvas.tag(box, "colour:" + colour, "shape:" + shape, "object")
        canvas.tag_place(box)
    if not out:  # all that was picked had the colour of the ground
        return objects(r, height, width, level, test)
    return Scene("objects", canvas, dict(objects=out))


# Text and sums --------------------------------------------------------------------------------------------------------


def some_text(r, test, level):
    """A line of text: digits, codes, English words, Chinese words; at low levels as few characters as the level
    says."""
    while True:
        k = r.random()
        if k < 0.35:
            text = "".join(r.choice("0123456789") for _ in range(r.randint(1, 6)))
        elif k < 0.5:
            text = "".join(r.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(r.randint(2, 5)))
        elif k < 0.58:
            text = r.choice(
                (
                    "%d.%02d" % (r.randint(0, 99), r.randint(0, 99)),
                    "%d:%02d" % (r.randint(0, 23), r.randint(0, 59)),
                    "$%d" % r.randint(1, 999),
                    "%d%%" % r.randint(1, 100),
                    "%d/%d" % (r.randint(1, 12), r.randint(1, 28)),
                )
            )
        elif k < 0.82:
            word = r.choice(words.WORDS)
            text = r.choice((word, word.upper(), word.capitalize()))
            if r.random() < 0.3:
                text += " " + r.choice(words.WORDS)
        else:
            text = r.choice(words.ZH_WORDS) + (r.choice(words.ZH_WORDS) if r.random() < 0.2 else "")
        if level < 5:
            text = text[:level].strip()
        if text and (len(text) <= 2 or held_out(text) == test or text in words.ZH_WORDS or text.lower() in words.WORDS):
            return text  # what is short or a known word cannot be held out


def text_ink(r, ground):
    """The name of a colour that can be read on this ground."""
    if light(ground) and r.random() < 0.4 and apart(COLOURS["black"][0], ground) > 250:
        return "black"
    readable = [c for c in COLOURS if apart(COLOURS[c][0], ground) > 230 and light(COLOURS[c][0]) != light(ground)]
    return r.choice(readable or (["black"] if light(ground) else ["yellow"]))


def text(r, height, width, level, test):
    canvas = Canvas(r, height, width, some_ground(r, 0.65))
    most = min(6, (height - 16) // 26)
    count = r.choices(range(1, most + 1), (5, 3, 1.5, 1, 1, 1)[:most])[0] if level >= 5 else 1
    colour = text_ink(r, canvas.ground)
    lines, y, path = [], r.uniform(6, 20), None
    largest = min(72, max(44, height * 0.28)) if count == 1 else min(40, (height - 20) / count * 0.75)
    one_font = pick_font(r, "a") if r.random() < 0.5 else None
    for i in range(count):
        line = some_text(r, test, level)
        size = r.uniform(12, largest) if r.random() < 0.5 else r.uniform(12, min(24, largest))
        fitted = canvas.fit(line, size, width - 10, one_font if line.isascii() else None)
        if not fitted:
            continue
        path, size = fitted
        w, h = canvas.text_size(line, path, size)
        if y + h > height - 4:
            break
        top = r.uniform(y, max(y, height - h - 8)) if count == 1 else y
        box = canvas.text(r.uniform(4, width - w - 5), top, line, path, size, near(r, COLOURS[colour][0]))
        lines.append(dict(text=line, box=box))
        y = box[3] + r.uniform(6, 14 if height < 256 else 40)
    if not lines:
        return text(r, height, width, level, test)
    return Scene("text", canvas, dict(lines=lines, colour=colour))


def sums(r, height, width, level, test):
    while True:
        op = r.choice("++--×") if level >= 3 else "+"
        if op == "×":
            a, b = r.randint(2, 9), r.randint(2, 9)
        elif level < 5 or r.random() < 0.4:
            a, b = r.randint(0, 9 if level > 1 else 4), r.randint(0, 9 if level > 1 else 4)
        else:
            a, b = r.randint(1, 99), r.randint(1, 99)
        if op == "-" and a < b:
            a, b = b, a
        if held_out(f"{a}{op}{b}", 7) == test:
            break
    shown = f"{a} {op} {b}" + r.choice(("", "", " =", " = ?", "= ?"))
    if r.random() < 0.3:
        shown = shown.replace(" ", "")
    board = r.random() < 0.35  # chalk on a blackboard
    boards = (30, 60, 45), (40, 44, 48), (25, 35, 60), (12, 12, 14), (90, 40, 50)
    canvas = Canvas(r, height, width, ground=r.choice(boards) if board else None)
    if board and r.random() < 0.6:
        canvas.rect((1, 1, width - 2, height - 2), outline=(120, 85, 50), width=r.uniform(2, 5))
    path, size = canvas.fit(shown, r.uniform(15, max(38, min(72, width * 0.16))), width - 14) or (pick_font(r, shown), 12)
    w, h = canvas.text_size(shown, path, size)
    ink = near(r, (238, 238, 230), 12) if board else near(r, COLOURS[r.choice(INKS)][0])
    canvas.text(r.uniform(6, max(6.5, width - w - 7)), r.uniform(8, max(9, height - h - 8)), shown, path, size, ink)
    return Scene("sums", canvas, dict(a=a, op=op, b=b, result={"+": a + b, "-": a - b, "×": a * b}[op]))


# Videos ---------------------------------------------------------------------------------------------------------------


def video(r, height, width, level, test, frames=4):
    """One object that moves, appears, goes or changes colour. Each pair of frames is one visual step with its time in
    seconds."""
    fps = r.choice((1, 2, 2, 4))
    steps = frames // 2
    times = [((2 * i) / fps + (2 * i + 1) / fps) / 2 for i in range(steps)]
    event = r.choices(("move", "appear", "gone", "change"), (5, 4, 2, 1.5))[0] if steps > 1 else "move"
    colour, shape = pick_pair(r, test)
    other = r.choice([c for c in COLOURS if c != colour and (c, shape) not in UNSEEN_PAIRS])
    direction, at = r.choice(list(words.MOVES)), r.randrange(1, steps) if steps > 1 else 0
    radius = r.uniform(9, 15)
    sideways, backwards = direction in ("left", "right"), direction in ("left", "up")
    span = (width if sideways else height) - 2 * radius - 4
    way = span * r.uniform(0.45, 0.9)
    start, across = r.uniform(0, span - way), r.uniform(radius + 2, (height if sideways else width) - radius - 2)
    still = (r.uniform(radius + 2, width - radius - 2), r.uniform(radius + 2, height - radius - 2))
    inks, seed, ground = (
        {c: near(r, COLOURS[c][0]) for c in (colour, other)},
        r.getrandbits(32),
        tuple(r.randint(232, 255) for _ in range(3)),
    )
    pictures, tags = [], []
    for i in range(frames):
        canvas = Canvas(random.Random(seed), height, width, ground)  # the same ground and turn in each frame
        along = i / max(1, frames - 1)
        p = radius + 2 + start + way * (1 - along if backwards else along)
        x, y = ((p, across) if sideways else (across, p)) if event == "move" else still
        later = i // 2 >= at
        if not (event == "appear" and not later or event == "gone" and later):
            ink = other if event == "change" and later else colour
            box = draw_object(canvas, shape, x, y, radius, inks[ink])
            tags += [(i // 2, *box, "colour:" + ink), (i // 2, *box, "shape:" + shape)]
        pictures.append(canvas.pixels(damage=False))
    scene = Scene(
        "video", canvas, dict(event=event, colour=colour, shape=shape, other=other, direction=direction, at=times[at])
    )
    scene.frames, scene.times, scene.frame_tags = np.stack(pictures), times, tags
    return scene


def make(r, kind, height, width, level=6, test=False, frames=4):
    """A scene of a kind in KINDS, or of "video"."""
    if kind == "video":
        return video(r, height, width, level, test, frames)
    return KINDS[kind](r, height, width, level, test)


KINDS = dict(objects=objects, text=text, sums=sums, chart=chart, window=window, table=table, page=page)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("--rows", type=int, default=4)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--level", type=int, default=6)
    p.add_argument("--size", type=int, nargs=2, default=(160, 160), metavar=("HEIGHT", "WIDTH"))
    a = p.parse_args()
    r = random.Random(a.seed)
    sheet = [np.concatenate([make(r, k, *a.size, a.level).pixels for k in KINDS], 1) for _ in range(a.rows)]
    Image.fromarray(np.concatenate(sheet, 0)).save(a.out)


if __name__ == "__main__":
    main()

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
import random

import numpy as np
from PIL import Image

import words
from canvas import Canvas, Scene, apart, light, near, pick_font, some_ground
from charts import chart
from diagrams import diagram
from holdout import REDRAWN, new_line, unseen, unseen_line
from objects import draw_object, objects, pair, pick_pair
from spelling import new_word
from windows import page, table, window
from words import COLOURS, INKS, UNSEEN_PAIRS, held_out


INVENTED = 0.6  # share of a text's words that are no words of a list
FULL = 0.45  # share of the texts, from level 5 on, that are full of words

# Text and sums --------------------------------------------------------------------------------------------------------


def some_text(r, test, level):
    """A line of text: digits, codes, English words, Chinese words; at low levels as few characters as the level
    says."""
    if test and level > 4 and r.random() < 0.4:
        return new_line(r)
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
            text = new_word(r) if r.random() < INVENTED else r.choice((word, word.upper(), word.capitalize()))
            if r.random() < 0.3:
                text += " " + (new_word(r) if r.random() < INVENTED else r.choice(words.WORDS))
        elif r.random() < INVENTED:
            text = new_word(r, chinese=True)
        else:
            text = r.choice(words.ZH_WORDS) + (r.choice(words.ZH_WORDS) if r.random() < 0.2 else "")
        if level < 5:
            text = text[:level].strip()
        if test and level > 4:
            if unseen_line(text):
                return text
        elif text and (len(text) <= 2 or held_out(text) == test or text in words.ZH_WORDS or text.lower() in words.WORDS):
            return text  # what is short or a known word cannot be held out


def text_ink(r, ground):
    """The name of a colour that can be read on this ground."""
    if light(ground) and r.random() < 0.4 and apart(COLOURS["black"][0], ground) > 250:
        return "black"
    readable = [c for c in COLOURS if apart(COLOURS[c][0], ground) > 230 and light(COLOURS[c][0]) != light(ground)]
    return r.choice(readable or (["black"] if light(ground) else ["yellow"]))


def full_text(r, height, width):
    """Up to six lines of as many words and numbers as fit: an answer that reads them all teaches what twenty pictures of a word do."""
    canvas, y, room = Canvas(r, height, width, some_ground(r, 0.65)), r.uniform(4, 14), r.choice((40, 80, 120))  # characters
    colour, size = text_ink(r, canvas.ground), r.uniform(13, r.choice((18, 24, 32)))
    lines, ink, fonts = [], near(r, COLOURS[colour][0]), (pick_font(r, "中"), pick_font(r, "a"))
    while len(lines) < 6 and room > 0:
        line = some_text(r, False, 6)
        path = fonts[line.isascii()]
        if not lines:  # the first line says how large all are
            fitted = canvas.fit(line, size, width - 10, path)
            if not fitted:
                continue
            size = fitted[1]
        for _ in range(r.choice((0, 1, 3, 7))):
            longer = line + " " + some_text(r, False, 6)
            if longer.isascii() == line.isascii() and len(longer) <= room and canvas.text_size(longer, path, size)[0] < width - 10:
                line = longer
        if unseen_line(line):
            continue
        w, h = canvas.text_size(line, path, size)
        if w > width - 10 or y + h > height - 3:
            break
        box = canvas.text(r.uniform(4, width - w - 5), y, line, path, size, ink)
        lines.append(dict(text=line, box=box))
        y, room = box[3] + r.uniform(0.3, 1.0) * size, room - len(line)
    return Scene("text", canvas, dict(lines=lines, colour=colour, full=True))


def text(r, height, width, level, test):
    if not test and level >= 5 and r.random() < FULL:
        return full_text(r, height, width)
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


def written(r, height, width, size=None):
    """A picture full of words and numbers, of all sizes or of one, for the labels of their characters alone: it holds ten times the
    characters of one that is asked about."""
    canvas, y = Canvas(r, height, width, some_ground(r, 0.5)), r.uniform(2, 8)
    colour, largest = near(r, COLOURS[text_ink(r, canvas.ground)][0]), r.choice((16, 24, 36, 60))
    while True:
        now, x, bottom = size or r.uniform(10.5, largest), r.uniform(2, 20), y
        font = pick_font(r, "a"), pick_font(r, "中")
        while True:
            text = some_text(r, False, 6)
            path = font[not text.isascii()]
            w, h = canvas.text_size(text, path, now)
            if x + w > width - 2 or y + h > height - 2:
                break
            box = canvas.text(x, y, text, path, now, colour)
            x, bottom = box[2] + now * r.uniform(0.35, 0.8), max(bottom, box[3])
        y = max(bottom, y + 4) + r.uniform(3, 9)
        if y > height - 10:
            return Scene("written", canvas, {})


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
    while True:
        scene = KINDS[kind](r, height, width, level, test)
        if kind not in REDRAWN or unseen(kind, scene.facts) == test:
            return scene


KINDS = dict(
    objects=objects,
    text=text,
    sums=sums,
    chart=chart,
    window=window,
    table=table,
    page=page,
    pair=pair,
    diagram=diagram,
)


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

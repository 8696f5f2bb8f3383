"""Coloured shapes, alone or on a pair of pictures that differ in one thing.

Facts of a picture: objects, a list of (colour, shape, x, y, radius, box). Of a pair, on its first scene: objects, others
(the second picture's objects), change ("colour", "more", "fewer" or "same", from the first to the second), thing (the one
concerned, as the first picture or else the second has it) and other (its colour on the second, where that changes).
"""
import math
import random

from canvas import Canvas, Scene, apart, near, some_ground
from words import COLOURS, SHAPES, UNSEEN_PAIRS


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
    count = r.choices(range(1, most + 1), [0.5, 1.3, 1.3, 1, 1, 1, 0.4, 0.3][:most])[0]
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

def again(r, scene, things):
    """The scene's ground with other things on it."""
    canvas, out = Canvas(r, scene.height, scene.width, scene.canvas.ground), []
    for t in things:
        box = draw_object(canvas, t["shape"], t["x"], t["y"], t["radius"], near(r, COLOURS[t["colour"]][0]))
        canvas.tag(box, "colour:" + t["colour"], "shape:" + t["shape"], "object")
        canvas.tag_place(box)
        out.append({**t, "box": box})
    return Scene("objects", canvas, dict(objects=out))


def pair(r, height, width, level, test):
    """Two pictures of the same things but for one: of another colour, gone, or come."""
    whole = objects(r, height, width, 2 if level < 3 else 4, test)
    things = whole.facts["objects"]
    shapes = [t["shape"] for t in things]
    alone = [t for t in things if shapes.count(t["shape"]) == 1]
    change = r.choice(["same"] + ["colour"] * bool(alone) + ["more", "fewer"] * (len(things) > 1))
    thing, other = r.choice(alone if change == "colour" else things), None
    others = things if change == "same" else [t for t in things if t is not thing]
    if change == "colour":
        colours = [c for c in COLOURS if c != thing["colour"] and apart(COLOURS[c][0], whole.canvas.ground) >= 130]
        other = r.choice([c for c in colours if test or (c, thing["shape"]) not in UNSEEN_PAIRS])
        others = others + [{**thing, "colour": other}]
    first, second = whole, again(r, whole, others)
    if change == "more":
        first, second = second, first
    facts = dict(objects=first.facts["objects"], others=second.facts["objects"], change=change, thing=thing, other=other)
    scene = Scene("pair", first.canvas, facts)
    scene.pair = second
    return scene

"""Diagrams: two to four labelled boxes and the arrows between them.

Facts: nodes, a list of (label, shape, box), and edges, a list of (from, to), both places in nodes. The order of the nodes
is that of reading: from the top down, in a row from left to right.
"""
import math

import words
from canvas import Canvas, Scene, light, near, pick_font, some_ground

LAYOUTS = {  # nodes -> their places in a grid of columns and rows
    2: ([(0, 0), (1, 0)], [(0, 0), (0, 1)], [(0, 0), (1, 1)]),
    3: ([(0, 0), (1, 0), (2, 0)], [(0, 0), (0, 1), (0, 2)], [(0, 0), (1, 0), (0, 1)], [(0.5, 0), (0, 1), (1, 1)]),
    4: ([(0, 0), (1, 0), (0, 1), (1, 1)], [(0, 0), (0, 1), (0, 2), (0, 3)], [(1, 0), (0, 1), (1, 1), (2, 1)]),
}
SHAPES = ("box", "box", "rounded", "rounded", "ellipse")


def labels(r, count, chinese):
    pool = (words.ZH_NODES if chinese else words.NODES) if r.random() < 0.75 else list("ABCDEFGH")
    return r.sample(pool, count)


def label_size(r, canvas, names, path, room):
    """The size at which every label fits its box."""
    size = r.uniform(11, 15)
    for name in names:
        _, size = canvas.fit(name, size, room, path, least=7.5) or (path, 7.5)
    return size


def border(box, shape, towards):
    """Where the line from the middle of a box towards a point leaves it."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    dx, dy = towards[0] - x, towards[1] - y
    half_w, half_h = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    if shape == "ellipse":
        k = 1 / max(1e-6, math.hypot(dx / half_w, dy / half_h))
    else:
        k = 1 / max(1e-6, abs(dx) / half_w, abs(dy) / half_h)
    return x + dx * k, y + dy * k


def arrow(canvas, start, end, ink, width):
    a = math.atan2(end[1] - start[1], end[0] - start[0])
    canvas.line([start, end], ink, width)
    head = [(end[0] - 8 * math.cos(a + turn), end[1] - 8 * math.sin(a + turn)) for turn in (-0.45, 0.45)]
    canvas.polygon([end, *head], ink)


def choose_edges(r, count):
    """Arrows that go on in the order of reading, mostly; each node has one at least."""
    edges = [(i, i + 1) for i in range(count - 1)] if r.random() < 0.5 else [(r.randrange(i), i) for i in range(1, count)]
    return sorted((b, a) if r.random() < 0.2 else (a, b) for a, b in edges)


def diagram(r, height, width, level, test):
    canvas, chinese = Canvas(r, height, width, some_ground(r, 0.75)), r.random() < 0.4
    count = r.randint(2, min(4, 2 if level <= 2 else 3 if level <= 4 else 4))
    places = [p for p in LAYOUTS[count] if max(y for _, y in p) < height // 48 and max(x for x, _ in p) < width // 72]
    places = r.choice(places or [LAYOUTS[2][0]])
    names = labels(r, len(places), chinese)
    columns, rows = max(x for x, _ in places) + 1, max(y for _, y in places) + 1
    cell_w, cell_h = (width - 12) / columns, (height - 12) / rows
    path = pick_font(r, "".join(names))
    room = min(cell_w - 26, 130)
    size = label_size(r, canvas, names, path, room - 6)
    dark = not light(canvas.image.getpixel((1, 1)))
    ink = (225, 225, 225) if dark else near(r, (50, 50, 60), 30)
    shape, faces = r.choice(SHAPES), [near(r, c, 12) for c in r.sample(FACES, 2)]
    nodes = []
    for name, (column, row) in zip(names, places):
        w = max(34.0, canvas.text_size(name, path, size)[0] + r.uniform(10, 18))
        h = min(cell_h - 20, r.uniform(24, 36))
        x, y = 6 + cell_w * (column + 0.5), 6 + cell_h * (row + 0.5)
        box = (x - min(w, cell_w - 18) / 2, y - h / 2, x + min(w, cell_w - 18) / 2, y + h / 2)
        nodes.append(dict(label=name, shape=shape if r.random() < 0.8 else r.choice(SHAPES), box=box))
    edges = choose_edges(r, len(nodes))
    for a, b in edges:
        draw_edge(r, canvas, nodes[a], nodes[b], ink)
    for n in nodes:
        draw_node(r, canvas, n, r.choice(faces), ink, path, size)
    for i, n in enumerate(nodes):  # what an arrow leads to lies elsewhere: a label where it starts
        for j in (b for a, b in edges if a == i):
            canvas.tag(n["box"], f"to:{j}")
        canvas.tag(n["box"], f"node:{i}", "node")
        canvas.tag_place(n["box"])
    return Scene("diagram", canvas, dict(nodes=nodes, edges=edges))


FACES = [(255, 255, 255), (218, 232, 252), (213, 232, 212), (255, 242, 204), (248, 206, 204), (225, 213, 231)]


def draw_edge(r, canvas, a, b, ink):
    middle = lambda n: ((n["box"][0] + n["box"][2]) / 2, (n["box"][1] + n["box"][3]) / 2)  # noqa: E731
    arrow(canvas, border(a["box"], a["shape"], middle(b)), border(b["box"], b["shape"], middle(a)), ink, r.uniform(1, 2))


def draw_node(r, canvas, node, face, ink, path, size):
    x1, y1, x2, y2 = box = node["box"]
    if node["shape"] == "ellipse":
        canvas.ellipse(box, fill=face, outline=ink, width=1)
    else:
        canvas.rect(box, face, ink, radius=5 if node["shape"] == "rounded" else 0)
    w, h = canvas.text_size(node["label"], path, size)
    at = (x1 + x2 - w) / 2, (y1 + y2 - h) / 2
    canvas.tag(canvas.text(*at, node["label"], path, size, (25, 25, 25)), "text:" + node["label"])

"""Shapes and charts as SVG, which the browser and librsvg draw each in its own way."""
import html
import math

from canvas import light
from charts import ceiling
from facts import rgb
from looks import fonts
from words import is_chinese


def esc(text):
    return html.escape(text, quote=True)


def shape(r, o, tag=""):
    """One object of facts.objects: a circle as a circle, the rest as polygons; a ring as a thick line."""
    edge = f'stroke="#333" stroke-width="{r.choice((1, 1.5, 2))}"' if r.random() < 0.2 else ""
    if o["shape"] == "ring":
        middle = o["radius"] * (1 + o["hole"]) / 2
        return f'<circle cx="{o["x"]:.1f}" cy="{o["y"]:.1f}" r="{middle:.1f}" fill="none" stroke="{o["ink"]}" stroke-width="{o["radius"] * (1 - o["hole"]):.1f}" {tag}/>'
    if o["shape"] == "circle":
        return f'<circle cx="{o["x"]:.1f}" cy="{o["y"]:.1f}" r="{o["radius"]:.1f}" fill="{o["ink"]}" {edge} {tag}/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in o["points"])
    join = 'stroke-linejoin="round"' if r.random() < 0.5 else ""
    return f'<polygon points="{points}" fill="{o["ink"]}" {edge} {join} {tag}/>'


def labels(items, item):
    """What charts.py labels an item's name and its value with."""
    values = [i["value"] for i in items]
    ends = [end for end, v in (("end:highest", max(values)), ("end:lowest", min(values))) if v == item["value"]]
    return "|".join([f"value:{item['value']}", *ends])


class Chart:
    """A chart while it is drawn: its look, and the SVG so far."""

    def __init__(self, r, facts, height, width):
        self.r, self.items, self.kind, self.title = r, facts["items"], facts["type"], facts["title"]
        self.height, self.width, self.out = height, width, []
        dark = r.random() < 0.25
        self.back = r.choice(("#1b1f27", "#202020", "#0f2233")) if dark else r.choice(("#ffffff", "#ffffff", "#ffffff", "#f8f9fb", "#fdf6e3", "#eef2f7"))
        self.ink, self.faint = ("#dddddd", "#444b55") if dark else (r.choice(("#333333", "#666666", "#000000")), r.choice(("#dddddd", "#cccccc", "#e5e5ee")))
        self.size = r.uniform(10, min(16, 8 + width / 45))
        self.font = fonts(r, is_chinese(self.items[0]["name"]))
        self.top, self.step = ceiling(self.items)
        self.numbers = r.random() < 0.5 or any(i["value"] * 2 % self.step and self.step > 2 for i in self.items)
        self.axis = not self.numbers or r.random() < 0.5
        self.grid = r.random() < 0.7

    def put(self, x):
        self.out.append(x)

    def text(self, x, y, text, anchor="middle", size=1.0, colour=None, weight="normal", tag=""):
        tag = f'data-tag="{esc(tag)}"' if tag else ""
        self.put(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{self.size * size:.1f}" font-weight="{weight}" fill="{colour or self.ink}" {tag}>{esc(str(text))}</text>'
        )

    def wide(self, text):
        """About how wide a text comes out."""
        return sum(1.0 if ord(c) > 0x2E80 else 0.62 for c in str(text)) * self.size

    def name(self, x, y, item, anchor="middle", size=1.0):
        self.text(x, y, item["name"], anchor, size, tag=labels(self.items, item))

    def value(self, x, y, item, **how):
        self.text(x, y, item["value"], size=0.95, tag=labels(self.items, item), **how)


def frame(c, lying):
    """The axes; returns the plotting area."""
    r = c.r
    left = max(c.wide(i["name"]) for i in c.items) + 10 if lying else c.wide(c.top) + 10 if c.axis else 10
    x1, x2 = min(left, c.width * 0.4), c.width - 12 - (c.wide(c.top) if lying and c.numbers else 0)
    y1, y2 = 8 + c.size * (2.2 if c.title else 1.2), c.height - (c.size * 1.8 if not lying or c.axis else 8)
    for v in range(0, c.top + 1, c.step):
        f = v / c.top
        x, y = x1 + f * (x2 - x1), y2 - f * (y2 - y1)
        if c.grid:
            ends = (x, y1, x, y2) if lying else (x1, y, x2, y)
            c.put('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (*ends, c.faint))
        if c.axis:
            if lying:
                c.text(x, y2 + c.size * 1.2, v, size=0.9)
            else:
                c.text(x1 - 5, y + c.size * 0.33, v, "end", 0.9)
    if r.random() < 0.8:
        c.put(f'<path d="M{x1:.1f} {y1:.1f}V{y2:.1f}H{x2:.1f}" fill="none" stroke="{c.ink}"/>')
    return x1, y1, x2, y2


def bars(c):
    lying = c.kind == "lying"
    x1, y1, x2, y2 = frame(c, lying)
    pitch, fill, radius = ((y2 - y1) if lying else (x2 - x1)) / len(c.items), c.r.uniform(0.4, 0.85), c.r.choice((0, 0, 2, 5))
    small = min(1.0, pitch / max(c.wide(i["name"]) for i in c.items)) if not lying else 1.0
    for n, i in enumerate(c.items):
        middle, f = pitch * (n + 0.5), i["value"] / c.top
        half = pitch * fill / 2
        if lying:
            box = x1, y1 + middle - half, f * (x2 - x1), 2 * half
            c.name(x1 - 5, y1 + middle + c.size * 0.35, i, "end")
            if c.numbers:
                c.value(x1 + f * (x2 - x1) + 4, y1 + middle + c.size * 0.35, i, anchor="start")
        else:
            box = x1 + middle - half, y2 - f * (y2 - y1), 2 * half, f * (y2 - y1)
            c.name(x1 + middle, y2 + c.size * 1.25, i, size=small)
            if c.numbers:
                c.value(x1 + middle, box[1] - 3, i)
        c.put('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%d" fill="%s" data-tag="bar|colour:%s"/>' % (*box, radius, i["ink"], i["colour"]))


def line(c):
    x1, y1, x2, y2 = frame(c, False)
    pitch, ink = (x2 - x1) / len(c.items), c.items[0]["ink"]
    at = [(x1 + pitch * (n + 0.5), y2 - i["value"] / c.top * (y2 - y1)) for n, i in enumerate(c.items)]
    small = min(1.0, pitch / max(c.wide(i["name"]) for i in c.items))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    if c.r.random() < 0.25:
        c.put(f'<polygon points="{x1 + pitch / 2:.1f},{y2:.1f} {path} {at[-1][0]:.1f},{y2:.1f}" fill="{ink}" fill-opacity=".2"/>')
    c.put(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="{c.r.uniform(1.5, 3.5):.1f}" stroke-linejoin="round"/>')
    for (x, y), i in zip(at, c.items):
        c.put(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{c.r.uniform(2.5, 4.5):.1f}" fill="{ink}"/>')
        c.name(x, y2 + c.size * 1.25, i, size=small)
        if c.numbers:
            c.value(x, y - 7, i)


def pie(c):
    """A pie or a ring with its values on it, the names at a legend's side."""
    total, top = sum(i["value"] for i in c.items), c.size * 2 if c.title else 6
    radius = min(c.width * 0.29, (c.height - top - 8) / 2)
    x, y, angle = radius + 8, top + (c.height - top) / 2 - 2, c.r.uniform(-math.pi, math.pi)
    ring = c.r.random() < 0.35
    for n, i in enumerate(c.items):
        turn = 2 * math.pi * i["value"] / total
        x1, y1, x2, y2 = (x + radius * math.cos(angle), y + radius * math.sin(angle), x + radius * math.cos(angle + turn), y + radius * math.sin(angle + turn))
        large = int(turn > math.pi)
        c.put(
            f'<path d="M{x:.1f} {y:.1f}L{x1:.1f} {y1:.1f}A{radius:.1f} {radius:.1f} 0 {large} 1 {x2:.1f} {y2:.1f}z" fill="{i["ink"]}" stroke="{c.back}" stroke-width="1.5" data-tag="colour:{i["colour"]}"/>'
        )
        angle += turn
        ly = y + (n - len(c.items) / 2 + 0.5) * c.size * 1.6
        c.put(f'<rect x="{2 * radius + 20:.1f}" y="{ly - c.size * 0.45:.1f}" width="{c.size * 0.8:.1f}" height="{c.size * 0.8:.1f}" fill="{i["ink"]}"/>')
        room = c.width - 2 * radius - 26 - c.size
        c.name(2 * radius + 24 + c.size * 0.8, ly + c.size * 0.35, i, "start", min(1.0, room / c.wide(i["name"])))
    if ring:
        c.put(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * 0.5:.1f}" fill="{c.back}"/>')
    for i in c.items:
        turn = 2 * math.pi * i["value"] / total
        r, a = radius * (0.75 if ring else 0.64), angle + turn / 2
        c.text(x + r * math.cos(a), y + r * math.sin(a) + c.size * 0.35, i["value"], size=0.95, colour="#111" if light(rgb(i["ink"])) else "#fff", weight="bold", tag=labels(c.items, i))
        angle += turn


def chart(r, facts, height, width):
    """A whole <svg> of the chart, by its type."""
    c = Chart(r, facts, height, width)
    if c.title:
        x, anchor = r.choice(((width / 2, "middle"), (width / 2, "middle"), (10, "start")))
        c.text(x, c.size * 1.4, c.title, anchor, r.uniform(1.05, 1.25), weight=r.choice(("bold", "normal")), tag="text:" + c.title)
    {"bar": bars, "lying": bars, "line": line, "pie": pie}[c.kind](c)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="font-family:{esc(c.font)}" font-family="{esc(c.font)}"><rect width="{width}" height="{height}" fill="{c.back}"/>'
        + "".join(c.out)
        + "</svg>"
    )

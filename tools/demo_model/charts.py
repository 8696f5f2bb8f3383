"""Charts: bars (standing, lying), lines and pies, drawn here in many styles.

One drawing program's look was the feasibility study's main fault: a model that read its charts perfectly guessed those
of others. The second look is matplotlib's (draw_matplotlib), which takes as long as thirty of ours: one chart in MATPLOTLIB.
Facts: type, items (name, value, colour name), title or None, and whether one colour serves all (one_colour).
"""
import functools
import io
import math
import sys

from PIL import Image

import words
from canvas import Canvas, Scene, apart, light, near, pick_font, some_ground
from words import COLOURS, held_out

BAR_COLOURS = [c for c in COLOURS if c != "black"]
MATPLOTLIB = 20


@functools.lru_cache(maxsize=1)
def matplotlib():
    """matplotlib's Figure class with fonts that have Chinese, or None."""
    try:
        import matplotlib as mpl
        from matplotlib import font_manager
        from matplotlib.figure import Figure
    except ImportError:
        print(
            "charts: matplotlib is not installed (Debian: python3-matplotlib); all charts are drawn in one program's look",
            file=sys.stderr,
        )
        return None
    from canvas import fonts

    names = []
    for path in [p for p in fonts()[1] if "Sans" in p or "wqy" in p][:2] + fonts()[0][:24]:
        font_manager.fontManager.addfont(path)
        names.append(font_manager.FontProperties(fname=path).get_name())
    mpl.rcParams["axes.unicode_minus"] = False
    return Figure, names[:2], sorted(set(names[2:]))


SCALES = ((20, 1), (50, 5), (90, 10), (100, 5), (100, 1), (100, 1), (500, 50), (1000, 10))


def data(r, level, test, width):
    """Type, items and whether one colour serves all, of a chart so wide."""
    kind = r.choices(("bar", "lying", "line", "pie"), (5, 1.5, 1.5, 1))[0] if level >= 4 else "bar"
    count = r.randint(2, 3) if level <= 2 else r.randint(3, 5)
    if level >= 5 and r.random() < 0.35 and kind != "pie":
        count = r.randint(5, max(5, min(8, width // 28)))
    names = r.choice(words.SERIES if r.random() < 0.75 else words.ZH_SERIES)
    if r.random() < 0.3 and names in words.SERIES[8:]:
        names = r.sample(names, len(names))
    names = names[:count]
    count = len(names)
    most, step = (9, 1) if level <= 4 or r.random() < 0.45 else r.choice(SCALES)
    while True:  # the values all differ, so that highest and lowest are one each
        values = [v * step for v in r.sample(range(1, most // step + 1), count)]
        if held_out(str(values), 6) == test:
            break
    one = kind == "line" or kind != "pie" and r.random() < 0.35
    colours = r.sample(BAR_COLOURS, count)
    return (
        kind,
        [dict(name=n, value=v, colour=colours[0] if one else c) for n, v, c in zip(names, values, colours)],
        one,
    )


def ceiling(items):
    """The axis' end and its step: round numbers a little over the highest value."""
    top = max(i["value"] for i in items)
    step = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250) if top / s <= 5.5)
    return (top // step + 1) * step, step


class Look:
    """What varies between our charts."""

    def __init__(self, r, canvas, items):
        names = [i["name"] for i in items]
        self.dark = not light(canvas.image.getpixel((1, 1)))
        self.ink = (225, 225, 225) if self.dark else near(r, (45, 45, 45), 40)
        self.grid_ink = near(r, (85, 85, 85) if self.dark else (208, 208, 208), 12)
        self.path = pick_font(r, "".join(names))
        self.latin = self.path if r.random() < 0.7 else pick_font(r, "1")
        self.size = r.uniform(10, 14 if canvas.width < 256 else 18)
        self.top, self.step = ceiling(items)  # what lies between the ticks can be read only where it is printed
        self.numbers = r.random() < 0.5 or any(i["value"] * 2 % self.step and self.step > 2 for i in items)
        self.title = None
        self.axis = not self.numbers or r.random() < 0.5
        self.grid = self.axis and r.random() < 0.7
        self.frame = r.random() < 0.2
        self.radius = r.choice((0, 0, 0, 2, 4))
        self.edge = r.random() < 0.3


def plot_area(r, canvas, look, lying, names):
    """The box within the axes."""
    left = max(canvas.text_size(n, look.path, look.size)[0] for n in names) + 10 if lying else 24 if look.axis else 8
    if not lying and look.axis:
        left = 10 + canvas.text_size(str(look.top), look.latin, look.size * 0.85)[0]
    x1, y1 = min(left, canvas.width * 0.45), r.uniform(10, 24) + (look.size + 8 if look.title else 0)
    x2, y2 = canvas.width - r.uniform(6, 14) - (look.size * 1.6 if lying and look.numbers else 0), canvas.height - (8 if lying and not look.axis else look.size + 10)
    return x1, y1, x2, y2


def axes(canvas, look, area, top, step, lying):
    x1, y1, x2, y2 = area
    for v in range(0, top + 1, step):
        f = v / top
        if look.grid and v:
            canvas.line(
                [(x1 + f * (x2 - x1), y1), (x1 + f * (x2 - x1), y2)]
                if lying
                else [(x1, y2 - f * (y2 - y1)), (x2, y2 - f * (y2 - y1))],
                look.grid_ink,
                0.7,
            )
        if look.axis:
            w, h = canvas.text_size(str(v), look.latin, look.size * 0.85)
            at = (x1 + f * (x2 - x1) - w / 2, y2 + 5) if lying else (x1 - w - 4, y2 - f * (y2 - y1) - h / 2)
            canvas.text(*at, str(v), look.latin, look.size * 0.85, look.ink, characters=False)
    canvas.line([(x1, y1), (x1, y2), (x2, y2)], look.ink)
    if look.frame:
        canvas.rect((x1, y1, x2, y2), outline=look.ink)


def draw_title(r, canvas, look, names):
    """A heading over the chart, in the language of its names."""
    if r.random() > (0.5 if canvas.height >= 160 else 0.2):
        return
    title = r.choice(words.ZH_CHART_TITLES if words.is_chinese(names[0]) else words.CHART_TITLES)
    path = pick_font(r, title)
    w, _ = canvas.text_size(title, path, look.size * 1.15)
    if w > canvas.width - 12:
        return
    x = r.choice((6, (canvas.width - w) / 2, (canvas.width - w) / 2))
    canvas.tag(canvas.text(x, 5, title, path, look.size * 1.15, look.ink), "text:" + title)
    look.title = title


def label(canvas, look, x, y, text, path, small=1.0):
    """Text centred on x with its top at y; returns its box."""
    w, _ = canvas.text_size(text, path, look.size * small)
    return canvas.text(max(1, min(canvas.width - w - 1, x - w / 2)), y, text, path, look.size * small, look.ink)


def tag_item(canvas, items, item, boxes):
    """Tags all that belongs to an item, its name above all, with its value and whether that is the highest or the lowest.
    A model trained without read the highest value nearly always, and named any of the bars."""
    values = [i["value"] for i in items]
    ends = [end for end, v in (("end:highest", max(values)), ("end:lowest", min(values))) if v == item["value"]]
    for box in boxes:
        canvas.tag(box, f"value:{item['value']}", *ends)


def draw_bars(r, canvas, look, items, lying):
    names, top, step = [i["name"] for i in items], look.top, look.step
    area = x1, y1, x2, y2 = plot_area(r, canvas, look, lying, names)
    axes(canvas, look, area, top, step, lying)
    pitch, fill = ((y2 - y1) if lying else (x2 - x1)) / len(items), r.uniform(0.4, 0.8)
    while not lying and look.size > 7 and any(canvas.text_size(n, look.path, look.size)[0] > pitch - 1 for n in names):
        look.size *= 0.9
    for i, item in enumerate(items):
        middle, f = pitch * (i + 0.5), item["value"] / top
        half = pitch * fill / 2
        box = (
            (x1, y1 + middle - half, x1 + f * (x2 - x1), y1 + middle + half)
            if lying
            else (x1 + middle - half, y2 - f * (y2 - y1), x1 + middle + half, y2)
        )
        canvas.rect(box, near(r, COLOURS[item["colour"]][0]), look.ink if look.edge else None, radius=look.radius)
        value, (w, h) = str(item["value"]), canvas.text_size(item["name"], look.path, look.size)
        if lying:
            at = max(1, x1 - w - 5), y1 + middle - h / 2
            name = canvas.text(*at, item["name"], look.path, look.size, look.ink)
            end = (box[2] - 6, box[1], box[2] + 6, box[3])
            if look.numbers:
                canvas.text(box[2] + 3, y1 + middle - 4, value, look.latin, look.size * 0.9, look.ink)
        else:
            name = label(canvas, look, x1 + middle, y2 + 5, item["name"], look.path)
            end = (box[0], box[1] - 6, box[2], box[1] + 6)
            if look.numbers:
                label(canvas, look, x1 + middle, box[1] - look.size, value, look.latin, 0.9)
        tag_item(canvas, items, item, (end, name))
        canvas.tag(box, "bar", "colour:" + item["colour"])


def draw_line(r, canvas, look, items):
    names, top, step = [i["name"] for i in items], look.top, look.step
    area = x1, y1, x2, y2 = plot_area(r, canvas, look, False, names)
    axes(canvas, look, area, top, step, False)
    pitch, ink = (x2 - x1) / len(items), near(r, COLOURS[items[0]["colour"]][0])
    points = [(x1 + pitch * (i + 0.5), y2 - item["value"] / top * (y2 - y1)) for i, item in enumerate(items)]
    canvas.line(points, ink, r.uniform(1, 3))
    for (x, y), item in zip(points, items):
        d = r.uniform(1.5, 3.5)
        canvas.ellipse((x - d, y - d, x + d, y + d), fill=ink)
        name = label(canvas, look, x, y2 + 5, item["name"], look.path)
        tag_item(canvas, items, item, ((x - 5, y - 5, x + 5, y + 5), name))
        if look.numbers:
            label(canvas, look, x, y - look.size - 3, str(item["value"]), look.latin, 0.9)


def draw_pie(r, canvas, look, items):
    """A pie or a ring with a legend and, always, its values: angles cannot be read to the number."""
    total, side = sum(i["value"] for i in items), min(canvas.width * 0.56, (canvas.height - (2 * look.size + 8 if look.title else 0)) * 0.85)
    x, y, k = 6 + side / 2, canvas.height - side * 0.58, canvas.scale
    start, box = r.uniform(-90, 270), canvas.px(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    for i, item in enumerate(items):
        turn = 360 * item["value"] / total
        ink = near(r, COLOURS[item["colour"]][0])
        canvas.draw.pieslice(box, start, start + turn, fill=ink, outline=(250, 250, 250), width=k)
        middle = math.radians(start + turn / 2)
        at = (x + side * 0.33 * math.cos(middle), y + side * 0.33 * math.sin(middle))
        value = str(item["value"])
        w, h = canvas.text_size(value, look.latin, look.size * 0.9)
        canvas.text(
            at[0] - w / 2,
            at[1] - h / 2,
            value,
            look.latin,
            look.size * 0.9,
            (20, 20, 20) if light(ink) else (250, 250, 250),
        )
        slice_box = at[0] - 8, at[1] - 8, at[0] + 8, at[1] + 8
        canvas.tag(slice_box, "colour:" + item["colour"])
        ly, lx = y + (i - len(items) / 2) * (look.size + 6), x + side / 2 + 6
        canvas.rect((lx, ly, lx + 8, ly + 8), ink)
        room = canvas.width - lx - 14
        _, size = canvas.fit(item["name"], look.size, room, look.path, least=7) or (0, 7)
        name = canvas.text(lx + 12, ly, item["name"], look.path, size, look.ink)
        tag_item(canvas, items, item, (slice_box, name, (lx, ly, lx + 8, ly + 8)))
        start += turn


def draw_ours(r, canvas, kind, items):
    """Draws the chart; returns its title or None."""
    look = Look(r, canvas, items)
    draw_title(r, canvas, look, [i["name"] for i in items])
    if kind == "pie":
        draw_pie(r, canvas, look, items)
    elif kind == "line":
        draw_line(r, canvas, look, items)
    else:
        draw_bars(r, canvas, look, items, kind == "lying")
    return look.title


def tag_figure(canvas, ax, kind, items, marks, texts):
    """The labels of a chart drawn by matplotlib, from where it put its bars (or points, or slices) and their names. A
    picture without any would teach that nothing is on it."""

    def units(box):
        return tuple(v / canvas.scale for v in (box.x0, canvas.image.height - box.y1, box.x1, canvas.image.height - box.y0))

    for i, (item, text) in enumerate(zip(items, texts)):
        name = units(text.get_window_extent())
        if kind == "line":
            x, y = (v / canvas.scale for v in ax.transData.transform((i, item["value"])))
            mark = (x - 5, canvas.height - y - 5, x + 5, canvas.height - y + 5)
        elif kind == "pie":
            slice_, k = marks[i], math.radians((marks[i].theta1 + marks[i].theta2) / 2)
            at = slice_.center[0] + 0.6 * math.cos(k), slice_.center[1] + 0.6 * math.sin(k)  # where its number stands
            x, y = (v / canvas.scale for v in ax.transData.transform(at))
            mark = (x - 8, canvas.height - y - 8, x + 8, canvas.height - y + 8)
        else:
            mark = units(marks[i].get_window_extent())
            canvas.tag(mark, "bar")
        canvas.tag(mark, "colour:" + item["colour"])
        if kind in ("bar", "lying"):  # the end of the bar, where its value is read
            mark = (mark[2] - 6, *mark[1:]) if kind == "lying" else (mark[0], mark[1] - 6, mark[2], mark[1] + 6)
        tag_item(canvas, items, item, (mark, name))


def draw_matplotlib(r, canvas, kind, items):
    """The chart as matplotlib draws it, pasted over the canvas; returns its title or None."""
    figure_class, chinese, latin = matplotlib()
    printed = max(i["value"] for i in items) > 9 or r.random() < 0.45  # its axis has a tick for every hundred, perhaps
    names, values = [i["name"] for i in items], [i["value"] for i in items]
    colours = ["#%02x%02x%02x" % near(r, COLOURS[i["colour"]][0]) for i in items]
    import matplotlib as mpl

    family = ([r.choice(latin)] if latin else []) + chinese
    with mpl.rc_context(
        {
            "font.family": family,
            "font.size": r.uniform(7, 10),
            "axes.grid": r.random() < 0.4,
            "axes.axisbelow": True,
            "axes.spines.top": r.random() < 0.5,
            "axes.spines.right": r.random() < 0.5,
            "grid.alpha": r.uniform(0.3, 0.9),
        }
    ):
        dpi = 100
        figure = figure_class(
            figsize=(canvas.width * canvas.scale / dpi, canvas.height * canvas.scale / dpi),
            dpi=dpi,
            layout="constrained",
        )
        for key in ("font.size", "axes.linewidth", "lines.linewidth", "xtick.major.size", "ytick.major.size"):
            mpl.rcParams[key] *= canvas.scale * 72 / dpi * 1.2
        figure.patch.set_facecolor(r.choice(("white", "white", "#fafafa", "#eef2f7")))
        ax = figure.add_subplot()
        if kind == "pie":
            marks, texts, _ = ax.pie(
                values,
                labels=names,
                colors=colours,
                startangle=r.uniform(0, 360),
                autopct=lambda p: str(round(p * sum(values) / 100)),
            )
        elif kind == "line":
            marks = ax.plot(names, values, marker=r.choice("os^D"), color=colours[0])
            ax.set_ylim(0, max(ceiling(items)[0], max(values) * 1.14))
            for at in enumerate(values) if printed else ():
                ax.annotate(str(at[1]), at, xytext=(0, mpl.rcParams["font.size"] * 0.6), textcoords="offset points", ha="center")
        else:
            marks = (ax.barh if kind == "lying" else ax.bar)(names, values, r.uniform(0.4, 0.85), color=colours)
            if kind == "lying":
                ax.invert_yaxis()
            if printed:
                ax.bar_label(marks)
                (ax.set_xlim if kind == "lying" else ax.set_ylim)(0, max(values) * 1.14)  # room for the numbers
        title = r.choice(words.ZH_CHART_TITLES if words.is_chinese(names[0]) else words.CHART_TITLES)
        title = title if canvas.height >= 160 and r.random() < 0.4 else None
        if title:
            ax.set_title(title)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, facecolor=figure.get_facecolor())
        if kind != "pie":
            texts = (ax.get_yticklabels if kind == "lying" else ax.get_xticklabels)()
        tag_figure(canvas, ax, kind, items, marks, texts)
    picture = Image.open(buffer).convert("RGB").resize(canvas.image.size)
    canvas.image.paste(picture)
    return title


def chart(r, height, width, level, test):
    kind, items, one = data(r, level, test, width)
    canvas = Canvas(r, height, width, some_ground(r, 0.6))
    if any(apart(COLOURS[i["colour"]][0], canvas.ground) < 130 for i in items):
        canvas = Canvas(r, height, width, (255, 255, 255))
    draw = draw_matplotlib if r.random() * MATPLOTLIB < 1 and matplotlib() else draw_ours
    title = draw(r, canvas, kind, items)
    return Scene("chart", canvas, dict(type=kind, items=items, one_colour=one, title=title))

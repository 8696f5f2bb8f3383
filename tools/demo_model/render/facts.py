"""What other programs shall draw: the facts of a scene, of the same kinds and fields as those of pictures.py, charts.py and windows.py,
chosen before anything is drawn. Boxes of controls come from the program that lays them out; those of objects are chosen here.

`test` picks what training never shows, by the rules of holdout.py.
"""
import math

import words
from canvas import apart, light, near
from charts import data
from objects import outline, pick_pair
from pictures import some_text
from holdout import unseen
from words import COLOURS

GROUNDS = ("#ffffff", "#ffffff", "#fafafa", "#f4f1ea", "#eef3f9", "#fff8e1", "#e8f5e9", "#dfe6ee", "#cfd8dc", "#263238", "#121212", "#1e1e2e", "#20304a", "#5d4037")


def rgb(colour):
    """(red, green, blue) of "#rrggbb"."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def css(colour):
    return "#%02x%02x%02x" % tuple(colour)


def pick(r, items, weights=None):
    return r.choices(items, weights)[0]


def objects(r, height, width, test):
    """Coloured shapes: scattered, in a row, or in a grid. `points` are their outlines, `ink` what they are filled with."""
    ground = r.choice(GROUNDS)
    side, big = min(height, width), height * width > 60_000
    count = pick(r, range(1, 9 if big else 7), (1, 1.3, 1.3, 1, 1, 1, 0.4, 0.3)[: 8 if big else 6])
    palette = [pick_pair(r, test) for _ in range(max(2, count // 2 + 1))] if r.random() < 0.4 else None
    row = count > 1 and r.random() < 0.25
    out = []
    for _ in range(300):
        if len(out) == count:
            break
        if row:
            pitch = width / count
            radius = min(pitch * 0.38, height * 0.36) * r.uniform(0.7, 1)
            x, y = pitch * (len(out) + 0.5), height / 2 + r.uniform(-0.08, 0.08) * height
        else:
            most = max(18, side * (0.3 if count < 3 else 0.2 if count < 5 else 0.13))
            radius = r.uniform(max(9, most * 0.4), most)
            x, y = r.uniform(radius + 3, width - radius - 3), r.uniform(radius + 3, height - radius - 3)
        colour, shape = r.choice(palette) if palette and r.random() < 0.8 else pick_pair(r, test)
        if any(math.hypot(x - o["x"], y - o["y"]) < (radius + o["radius"]) * 1.2 + 2 for o in out):
            continue
        if apart(COLOURS[colour][0], rgb(ground)) < 150:
            continue
        turn = 0 if shape in ("square", "diamond") or r.random() < 0.6 else math.radians(r.gauss(0, 8))
        points = [(x + px, y + py) for px, py in outline(shape, radius, turn)]
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        if min(xs) < 1 or min(ys) < 1 or max(xs) > width - 1 or max(ys) > height - 1:
            continue
        box = min(xs), min(ys), max(xs), max(ys)
        thing = dict(colour=colour, shape=shape, x=(box[0] + box[2]) / 2, y=(box[1] + box[3]) / 2, radius=radius, box=box)
        out.append({**thing, "points": points, "ink": css(near(r, COLOURS[colour][0], 12)), "hole": r.uniform(0.5, 0.65)})
    return dict(objects=out, ground=ground) if out else objects(r, height, width, test)


def ink_for(r, ground):
    """(name, "#rrggbb") of a colour readable on this ground."""
    readable = [c for c in COLOURS if apart(COLOURS[c][0], rgb(ground)) > 240 and light(COLOURS[c][0]) != light(rgb(ground))]
    name = "black" if "black" in readable and r.random() < 0.45 else r.choice(readable or ["black" if light(rgb(ground)) else "yellow"])
    return name, css(near(r, COLOURS[name][0], 12))


def text(r, height, width, test):
    ground = r.choice(GROUNDS)
    most = max(1, min(6, height // 40))
    lines = [some_text(r, test, 6) for _ in range(pick(r, range(1, most + 1), (5, 3, 1.5, 1, 1, 1)[:most]))]
    colour, ink = ink_for(r, ground)
    return dict(lines=[dict(text=t) for t in lines], colour=colour, ink=ink, ground=ground)


def sums(r, height, width, test):
    op = r.choice("++--×")
    single = op == "×" or r.random() < 0.35
    a, b = (r.randint(2, 9), r.randint(2, 9)) if single else (r.randint(1, 99), r.randint(1, 99))
    a, b = (b, a) if op == "-" and a < b else (a, b)
    shown = f"{a} {op} {b}" + r.choice(("", "", " =", " = ?", " = ?"))
    ground = r.choice(GROUNDS + ("#24372e", "#2b3a42", "#1b2a38"))
    ink = r.choice(("#f4f4ee", "#ffffff", "#ffe082")) if not light(rgb(ground)) else ink_for(r, ground)[1]
    result = {"+": a + b, "-": a - b, "×": a * b}[op]
    return dict(a=a, op=op, b=b, result=result, shown=shown, ground=ground, ink=ink)


def chart(r, height, width, test, kinds=("bar", "lying", "line", "pie")):
    while True:
        kind, items, one = data(r, 6, test, width)
        if kind in kinds:
            break
    title = None
    if r.random() < 0.5 and height >= 160:
        title = r.choice(words.ZH_CHART_TITLES if words.is_chinese(items[0]["name"]) else words.CHART_TITLES)
    shade = css(near(r, COLOURS[items[0]["colour"]][0], 12))
    for i in items:
        i["ink"] = shade if one else css(near(r, COLOURS[i["colour"]][0], 12))
    return dict(type=kind, items=items, one_colour=one, title=title)


def window(r, height, width, test):
    chinese = r.random() < 0.45
    w = lambda en, zh: zh if chinese else en  # noqa: E731
    room = height - 70 - 34  # the title bar and the buttons
    fields, checks = [], []
    for name in r.sample(w(words.LABELS, words.ZH_LABELS), r.choices(range(6), (1, 3, 3, 2, 1, 0.6))[0]):
        if room >= 34:
            fields.append(dict(label=name, value=r.choice(w(words.VALUES, words.ZH_VALUES)) if r.random() < 0.7 else ""))
            room -= 34
    for name in r.sample(w(words.CHECKS, words.ZH_CHECKS), r.choices((0, 1, 2, 3), (4, 4, 1.5, 0.5))[0]):
        if room >= 24:
            checks.append(dict(label=name, on=r.random() < 0.5))
            room -= 24
    count = r.choices((1, 2, 3), (2, 4, 1.5 if width > 150 else 0))[0]
    buttons = [dict(label=n) for n in r.sample(w(words.BUTTONS, words.ZH_BUTTONS), count)]
    menus = r.sample(w(words.MENUS, words.ZH_MENUS), r.randint(2, 4 if width > 250 else 3)) if r.random() < 0.25 and room > 20 else []
    title = r.choice(w(words.TITLES, words.ZH_TITLES))
    return dict(title=title, menus=[dict(label=m) for m in menus], fields=fields, checks=checks, buttons=buttons, chinese=chinese)


NAMES = ["Pen", "Book", "Bag", "Lamp", "Cup", "Chair", "Shirt", "Shoes", "Clock", "Phone", "Desk", "Ball"]
ZH_NAMES = ["铅笔", "书包", "台灯", "杯子", "椅子", "衬衫", "手表", "桌子", "足球", "雨伞"]


def table(r, height, width, test):
    chinese = r.random() < 0.4
    columns = r.choice((2, 2, 3) if width < 250 else (2, 3, 3, 4))
    labels = r.sample(["单价", "数量", "年龄", "分数", "库存"] if chinese else ["Price", "Count", "Age", "Score", "Stock"], columns - 1)
    firsts = r.choice(words.ZH_SERIES + [ZH_NAMES] * 3 if chinese else words.SERIES[7:9] + [NAMES] * 3 + words.SERIES[10:])
    rows = max(2, min(6, height // 34 - 1))
    firsts = r.sample(firsts, min(len(firsts), r.randint(2, rows)))
    header = [r.choice(["名称", "姓名"] if chinese else ["Name", "Item"])] + labels
    return dict(header=header, rows=[[f] + [str(r.randint(1, 99)) for _ in labels] for f in firsts])


def page(r, height, width, test):
    chinese = r.random() < 0.4
    pool = words.ZH_WORDS if chinese else words.WORDS
    most = max(1, min(6, height // 52 - 1))
    out, between = [], "" if chinese else " "
    for element in ["h1"] + r.sample(["p", "p", "p", "ul", "ul", "img", "button", "button", "input"], r.randint(1, most)):
        if element == "h1":
            t = between.join(r.sample(pool, 1 if r.random() < 0.6 or width < 200 else 2))
            out.append(("h1", t if chinese else t.capitalize()))
        elif element == "p":
            out.append(("p", between.join(r.sample(pool, 2 if r.random() < 0.6 or width < 250 else 3))))
        elif element == "ul":
            out.append(("ul", r.sample(pool, r.choice((2, 2, 3) if height > 200 else (2,)))))
        elif element == "button":
            out.append(("button", r.choice(words.ZH_BUTTONS if chinese else words.BUTTONS)))
        else:
            out.append((element, ""))
    return dict(elements=out)


def choose(r, kind, height, width, test, **more):
    """Facts of a kind in KINDS: never those of training with `test`, never others without."""
    while True:
        facts = KINDS[kind](r, height, width, test, **more)
        if unseen(kind, facts) == test:
            return facts


KINDS = dict(objects=objects, text=text, sums=sums, chart=chart, window=window, table=table, page=page)

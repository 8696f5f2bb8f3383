"""Windows with controls, tables and small web pages, in several looks: flat, rounded, dark, old grey, with and without
menus.

Facts of a window: title, menus, fields (label, value, box), checks (label, on, box), buttons (label, box). Of a table:
header, rows. Of a page: elements, a list of (element, text or list of texts), top to bottom.
"""
import words
from canvas import Canvas, Scene, light, near, pick_font
from spelling import new_word

SKINS = [  # desktop, window, bar, field, button, accent
    ((90, 120, 160), (235, 238, 242), (50, 90, 170), (255, 255, 255), (225, 225, 225), (60, 120, 220)),
    ((60, 90, 80), (212, 208, 200), (10, 36, 106), (255, 255, 255), (212, 208, 200), (10, 36, 106)),
    ((230, 232, 236), (255, 255, 255), (245, 246, 248), (250, 250, 250), (240, 240, 242), (30, 110, 240)),
    ((20, 22, 28), (38, 40, 48), (28, 30, 36), (52, 55, 64), (62, 66, 78), (80, 140, 250)),
    ((200, 210, 220), (250, 248, 243), (40, 130, 120), (255, 255, 255), (232, 228, 220), (60, 160, 90)),
    ((120, 80, 120), (244, 240, 247), (110, 60, 150), (255, 255, 255), (228, 220, 236), (130, 50, 180)),
]


def ink_on(colour):
    return (20, 20, 20) if light(colour) else (245, 245, 245)


class Form:
    """A window while it is drawn: where the next control goes, and the skin."""

    def __init__(self, r, height, width):
        desktop, self.face, self.bar, self.field, self.button, self.accent = (near(r, c, 8) for c in r.choice(SKINS))
        self.r, self.chinese = r, r.random() < 0.45
        self.canvas = Canvas(r, height, width, ground=desktop)
        self.path = pick_font(r, "中" if self.chinese else "a")
        self.size, self.radius = r.uniform(10.5, 13.5), r.choice((0, 0, 2, 4))
        full = r.random() < 0.3  # no desktop around it
        m = [0.0] * 4 if full else [r.uniform(2, 9) for _ in range(4)]
        self.box = self.x1, self.y1, self.x2, self.y2 = m[0], m[1], width - m[2], height - m[3]
        self.y = self.y1

    def words(self, english, chinese):
        return chinese if self.chinese else english

    def text(self, x, y, text, colour, size=None):
        return self.canvas.text(x, y, text, self.path, size or self.size, colour)

    def centred(self, box, text, colour):
        w, h = self.canvas.text_size(text, self.path, self.size)
        self.text((box[0] + box[2] - w) / 2, (box[1] + box[3] - h) / 2, text, colour)


def draw_title(form):
    r, c = form.r, form.canvas
    c.rect(form.box, form.face, near(r, (110, 110, 110), 25), radius=form.radius)
    title, bar = r.choice(form.words(words.TITLES, words.ZH_TITLES)), (
        form.x1,
        form.y1,
        form.x2,
        form.y1 + r.uniform(17, 21),
    )
    c.rect(bar, form.bar, radius=form.radius)
    form.text(bar[0] + 6, bar[1] + 4, title, ink_on(form.bar))
    if r.random() < 0.5:  # the cross that closes it
        x, y = bar[2] - 11, bar[1] + 6
        c.line([(x, y), (x + 6, y + 6)], ink_on(form.bar))
        c.line([(x, y + 6), (x + 6, y)], ink_on(form.bar))
    c.tag(bar, "widget:title", "text:" + title)
    form.y = bar[3] + 6
    return title


def draw_menus(form):
    r, out = form.r, []
    if r.random() > 0.3:
        return out
    x = form.x1 + 6
    for name in r.sample(form.words(words.MENUS, words.ZH_MENUS), r.randint(2, 3)):
        w, h = form.canvas.text_size(name, form.path, form.size)
        if x + w > form.x2 - 4:
            break
        box = form.text(x, form.y, name, ink_on(form.face))
        form.canvas.tag(box, "widget:menu", "text:" + name)
        out.append(dict(label=name, box=box))
        x = box[2] + r.uniform(9, 14)
    form.y += form.size + 7
    return out


def draw_fields(form, level):
    r, c, out = form.r, form.canvas, []
    most = 1 if level <= 2 else max(3, min(6, (c.height - 90) // 38))  # a larger window has more rows, not larger ones
    odds = [1, 3, 3] + [1.5] * (most - 2)
    for name in r.sample(form.words(words.LABELS, words.ZH_LABELS), r.choices(range(most + 1), odds[: most + 1])[0]):
        if form.y + 20 > form.y2 - 30:
            break
        value = r.choice(form.words(words.VALUES, words.ZH_VALUES)) if r.random() < 0.7 else ""
        if value and r.random() < 0.3:  # people write what they like
            value = r.choice((new_word(r, form.chinese), str(r.randint(0, 9999))))
        label = form.text(form.x1 + 6, form.y + 4, name, ink_on(form.face))
        box = (max(form.x1 + 48, label[2] + 5), form.y, form.x2 - r.uniform(6, 16), form.y + 18)
        c.rect(box, form.field, near(r, (130, 130, 130), 20), radius=form.radius)
        c.tag(box, "widget:field")
        c.tag_place((label[0], *box[1:]))
        c.tag(label, "text:" + name)
        if value and c.text_size(value, form.path, form.size)[0] < box[2] - box[0] - 8:
            c.tag(form.text(box[0] + 4, form.y + 4, value, ink_on(form.field)), "text:" + value)
        else:
            value = ""
        out.append(dict(label=name, value=value, box=box))
        form.y += r.uniform(22, 26)
    return out


def draw_checks(form):
    r, c, out = form.r, form.canvas, []
    odds = (5, 4, 1) if form.canvas.height < 256 else (3, 3, 2, 1)
    for name in r.sample(form.words(words.CHECKS, words.ZH_CHECKS), r.choices(range(len(odds)), odds)[0]):
        if form.y + 16 > form.y2 - 28:
            break
        on, box = r.random() < 0.5, (form.x1 + 8, form.y, form.x1 + 20, form.y + 12)
        filled = on and r.random() < 0.5
        c.rect(box, form.accent if filled else form.field, near(r, (90, 90, 90), 20), radius=form.radius)
        if on:
            ink = (250, 250, 250) if filled else (20, 120, 30) if light(form.field) else (120, 230, 130)
            c.line([(box[0] + 2, box[1] + 6), (box[0] + 5, box[1] + 10), (box[2] - 1, box[1] + 2)], ink, 1.8)
        c.tag(form.text(box[2] + 5, form.y + 1, name, ink_on(form.face)), "text:" + name)
        c.tag(box, "widget:check", "on" if on else "off")
        out.append(dict(label=name, on=on, box=box))
        form.y += 19
    return out


def draw_buttons(form, level):
    r, c, out = form.r, form.canvas, []
    odds = (2, 4, 1.5 if c.width > 150 else 0, 1 if c.width > 300 else 0)
    count = r.choices((1, 2, 3, 4), odds)[0] if level > 1 else 1
    names = r.sample(form.words(words.BUTTONS, words.ZH_BUTTONS), count)
    gap, room = r.uniform(5, 9), form.x2 - form.x1
    width = min((room - gap * (count + 1)) / count, r.uniform(46, 66))
    total = count * width + (count - 1) * gap
    x = r.choice((form.x1 + gap, form.x2 - gap - total, (form.x1 + form.x2 - total) / 2))
    y = r.uniform(max(form.y + 2, form.y2 - 34), max(form.y + 3, form.y2 - 24))
    main = r.randrange(count) if r.random() < 0.6 else -1
    for i, name in enumerate(names):
        box, face = (x, y, x + width, y + r.uniform(17, 20)), form.accent if i == main else form.button
        c.rect(box, face, near(r, (120, 120, 120), 20), radius=form.radius)
        while form.size > 8 and c.text_size(name, form.path, form.size)[0] > width - 4:
            form.size *= 0.92
        form.centred(box, name, ink_on(face))
        c.tag(box, "widget:button", "text:" + name)
        c.tag_place(box)
        out.append(dict(label=name, box=box))
        x += width + gap
    return out


def window(r, height, width, level, test):
    form = Form(r, height, width)
    title = draw_title(form)
    facts = dict(
        title=title,
        menus=draw_menus(form) if level >= 4 else [],
        fields=draw_fields(form, level),
        checks=draw_checks(form) if level >= 3 else [],
        buttons=draw_buttons(form, level),
        chinese=form.chinese,
    )
    return Scene("window", form.canvas, facts)


def table_value(r, level):
    if level >= 5 and r.random() < 0.25:
        return r.choice((f"{r.randint(1, 99)}.{r.randint(0, 9)}0", f"{r.randint(100, 999)}", f"${r.randint(1, 99)}"))
    return str(r.randint(1, 9 if level <= 3 else 99))


def table(r, height, width, level, test):
    """A small table of names and numbers."""
    canvas, chinese = Canvas(r, height, width), r.random() < 0.4
    columns = 2 if level <= 4 or r.random() < 0.6 else 3 if width < 320 else r.randint(3, 4)
    labels = r.sample(words.ZH_COLUMNS if chinese else words.COLUMNS, columns - 1)
    header = [r.choice(["名称", "姓名"] if chinese else ["Name", "Item"])] + labels
    names = r.choice(words.ZH_SERIES[2:] if chinese else words.SERIES[7:])
    most = 3 if level <= 4 else max(4, min(8, len(names), height // 40))  # a larger table has more rows, not larger ones
    firsts = r.sample(names, r.randint(2, most))
    rows = [[f] + [table_value(r, level) for _ in labels] for f in firsts]
    path, size = pick_font(r, "中" if chinese else "a"), r.uniform(10.5, 13)
    pitch_x, pitch_y = (width - 16) / columns, min(26, (height - 16) / (len(rows) + 1))
    x0, y0, ink = r.uniform(4, 12), r.uniform(4, height - pitch_y * (len(rows) + 1) - 4), near(r, (50, 50, 50), 30)
    grid, stripes, head = (
        r.random() < 0.6,
        r.random() < 0.4,
        r.choice(((220, 226, 235), (60, 100, 160), (235, 235, 235))),
    )
    for i, line in enumerate([header] + rows):
        y = y0 + i * pitch_y
        face = head if i == 0 else (242, 244, 248) if stripes and i % 2 else None
        if face:
            canvas.rect((x0, y, x0 + columns * pitch_x, y + pitch_y), near(r, face, 5))
        for j, cell in enumerate(line):
            box = (x0 + j * pitch_x, y, x0 + (j + 1) * pitch_x, y + pitch_y)
            if grid:
                canvas.rect(box, outline=near(r, (150, 150, 150), 20))
            _, h = canvas.text_size(cell, path, size)
            written = canvas.text(box[0] + 5, y + (pitch_y - h) / 2, cell, path, size, ink_on(face) if face else ink)
            canvas.tag(written, "text:" + cell, f"row:{i}", f"column:{j}")
    return Scene("table", canvas, dict(header=header, rows=rows))


def page(r, height, width, level, test):
    """A web page of a heading and a few elements."""
    canvas, chinese = Canvas(r, height, width, ground=r.choice(((255, 255, 255), (250, 250, 246)))), r.random() < 0.4
    pool = [w for w in (words.ZH_WORDS if chinese else words.WORDS)]
    path, x, y, out = pick_font(r, "中" if chinese else "a"), r.uniform(5, 10), r.uniform(5, 9), []
    ink = near(r, (35, 35, 35), 20)
    most = 3 if height < 256 else 5  # a larger page has more on it, not larger things
    for element in ["h1"] + r.sample(["p", "p", "ul", "img", "button", "input"], 1 if level <= 2 else r.randint(1, most)):
        if y + 40 > height and out:
            break
        if element == "h1":
            t = r.choice(pool)
            t = t if chinese else t.capitalize()
            box = canvas.text(x, y, t, path, r.uniform(18, 22), ink)
            canvas.tag(box, "element:h1", "text:" + t)
            out.append(("h1", t))
        elif element == "p":
            t = r.choice(pool) + ("" if chinese else " ") + r.choice(pool)
            box = canvas.text(x, y, t, path, 12.5, ink)
            canvas.tag(box, "element:p")
            out.append(("p", t))
        elif element == "ul":
            items = r.sample(pool, 2)
            for i, t in enumerate(items):
                canvas.ellipse((x + 5, y + 4 + 17 * i, x + 9, y + 8 + 17 * i), fill=ink)
                box = canvas.text(x + 16, y + 17 * i, t, path, 12.5, ink)
                canvas.tag(box, "element:li")
            out.append(("ul", items))
        elif element == "img":
            box = (x, y, x + r.uniform(40, 90), y + 32)
            canvas.rect(box, near(r, (205, 215, 225), 10), (120, 120, 120))
            canvas.line([(box[0], box[1]), (box[2], box[3])], (120, 120, 120))
            canvas.line([(box[0], box[3]), (box[2], box[1])], (120, 120, 120))
            canvas.tag(box, "element:img")
            out.append(("img", ""))
        elif element == "button":
            t, box = r.choice(words.ZH_BUTTONS if chinese else words.BUTTONS), (x, y, x + 66, y + 19)
            face = near(r, r.choice(((60, 120, 220), (40, 150, 90), (225, 225, 225))), 10)
            canvas.rect(box, face, (90, 90, 90), radius=r.choice((0, 3)))
            w, h = canvas.text_size(t, path, 12)
            canvas.text(x + 33 - w / 2, y + 9.5 - h / 2, t, path, 12, ink_on(face))
            canvas.tag(box, "element:button", "widget:button")
            out.append(("button", t))
        else:
            box = (x, y, x + 95, y + 18)
            canvas.rect(box, (255, 255, 255), (110, 110, 110))
            canvas.tag(box, "element:input", "widget:field")
            out.append(("input", ""))
        y = box[3] + r.uniform(7, 11)
    return Scene("page", canvas, dict(elements=out))

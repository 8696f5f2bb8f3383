"""Scenes as HTML: forms, pages and tables in the families of looks.py, text on signs, sums, shapes and charts as SVG or CSS.

Every function takes (r, facts, height, width, family) and returns the inside of the scene's element and its style. What the facts
have boxes for carries `data-box`, the path of the fact ("buttons.0"); what the vision labels name, `data-tag`.
"""
import html

import svg
from facts import rgb
from canvas import light
from looks import fonts
from words import is_chinese


def esc(text):
    return html.escape(text, quote=True)


def base(r, width, chinese, least=11, most=17):
    """Font and size for a scene so wide."""
    size = r.uniform(least, min(most, 9 + width / 34))
    return f"font-family:{fonts(r, chinese)};font-size:{size:.1f}px;"


def controls(r, facts, switches):
    out = []
    for i, f in enumerate(facts["fields"]):
        hint = ' placeholder=" "' if r.random() < 0.5 else ""
        out.append(
            f'<div class=row><label data-tag="text:{esc(f["label"])}">{esc(f["label"])}{r.choice(("", ":"))}</label>'
            f'<input type=text value="{esc(f["value"])}"{hint} data-box=fields.{i} data-tag="widget:field"></div>'
        )
    for i, c in enumerate(facts["checks"]):
        cls = "class=switch" if switches else ""
        state = "on" if c["on"] else "off"
        box = f'<input type=checkbox {cls} {"checked" if c["on"] else ""} data-box=checks.{i} data-tag="widget:check|{state}">'
        out.append(f'<label class=check>{box}<span data-tag="text:{esc(c["label"])}">{esc(c["label"])}</span></label>')
    return out


def window(r, facts, height, width, family):
    full = family == "mobile" or r.random() < 0.3
    m = [0] * 4 if full else [r.randint(3, 14) for _ in range(4)]
    place = f"left:{m[0]}px;top:{m[1]}px;right:{m[2]}px;bottom:{m[3]}px;"
    switches = family in ("mobile", "gnome", "dark") and r.random() < 0.6
    stack = "stack" if r.random() < 0.3 and len(facts["fields"]) < 3 and height > 200 else ""
    main = r.randrange(len(facts["buttons"])) if r.random() < 0.75 else -1
    buttons = "".join(
        f'<button class="{"main" if i == main else ""}" data-box=buttons.{i} data-tag="widget:button|text:{esc(b["label"])}">{esc(b["label"])}</button>'
        for i, b in enumerate(facts["buttons"])
    )
    where = r.choice(("", "justify-content:center", "justify-content:flex-end", "justify-content:space-between"))
    foot, wide = "foot" if r.random() < 0.6 else "", "wide" if r.random() < 0.25 or family == "mobile" else ""
    middle = "justify-content:center" if not foot and r.random() < 0.4 else ""
    menus = "".join(f'<span data-box=menus.{i} data-tag="widget:menu|text:{esc(x["label"])}">{esc(x["label"])}</span>' for i, x in enumerate(facts["menus"]))
    inside = (
        f'<div class="win" style="{place}"><div class=bar data-tag="widget:title"><b data-tag="text:{esc(facts["title"])}">{esc(facts["title"])}</b>'
        + ("<span class=x>✕</span>" if r.random() < 0.6 else "")
        + "</div>"
        + (f"<div class=menus>{menus}</div>" if menus else "")
        + f'<div class="body {stack}" style="{middle}">{"".join(controls(r, facts, switches))}<div class="buttons {foot} {wide}" style="{where}">{buttons}</div></div></div>'
    )
    return inside, base(r, width, facts["chinese"], 11, 21 if height > 250 else 17)


PICTURES = (
    "<rect width=80 height=40 fill=#9ec5e8 /><circle cx=60 cy=10 r=6 fill=#ffe08a /><path d='M0 40 25 15 45 40z' fill=#4f7f52 /><path d='M30 40 55 20 80 40z' fill=#6aa06d />",
    "<rect width=80 height=40 fill=#dde3ea stroke=#888 /><path d='M0 0 80 40M80 0 0 40' stroke=#888 />",
    "<rect width=80 height=40 fill=#eee /><circle cx=40 cy=15 r=8 fill=#aaa /><path d='M22 40q18-30 36 0z' fill=#aaa />",
    "<rect width=80 height=40 fill=#f3d9c4 /><rect x=12 y=12 width=24 height=22 fill=#c77 /><rect x=42 y=6 width=26 height=28 fill=#79a />",
)


def page(r, facts, height, width, family):
    chinese, out = is_chinese(facts["elements"][0][1]), []
    for element, text in facts["elements"]:
        if element == "ul":
            out.append("<ul>" + "".join(f'<li data-tag="element:li">{esc(t)}</li>' for t in text) + "</ul>")
        elif element == "img":
            w = r.randint(50, min(180, width - 30))
            out.append(f"<svg data-tag='element:img' style='display:block' width={w} height={w * r.uniform(0.4, 0.6):.0f} viewBox='0 0 80 40' preserveAspectRatio=none>{r.choice(PICTURES)}</svg>")
        elif element == "input":
            out.append(f'<input data-tag="element:input|widget:field" style="width:{r.randint(80, min(220, width - 30))}px">')
        elif element == "button":
            main = r.choice(("", "main"))
            out.append(f'<button class="{main}" style="display:block" data-tag="element:button|widget:button">{esc(text)}</button>')
        else:
            out.append(f'<{element} style="width:max-content" data-tag="element:{element}">{esc(text)}</{element}>')
    pad = f"padding:{r.uniform(6, 14):.0f}px {r.uniform(7, 20):.0f}px;"
    return "".join(out), base(r, width, chinese, 12, 18) + pad


def table(r, facts, height, width, family):
    chinese, size = is_chinese(facts["header"][0]), "width:100%;" if r.random() < 0.5 else ""
    right = r.random() < 0.3
    rows = []
    for i, line in enumerate([facts["header"]] + facts["rows"]):
        cell = "th" if i == 0 else "td"
        rows.append(
            "<tr>" + "".join(f'<{cell} {"style=text-align:right" if right and j else ""}><span data-tag="text:{esc(c)}|row:{i}|column:{j}">{esc(c)}</span></{cell}>' for j, c in enumerate(line)) + "</tr>"
        )
    border = "border=1" if r.random() < 0.35 else ""
    return f'<table {border} style="{size}">{"".join(rows)}</table>', base(r, width, chinese, 12, 18) + f"padding:{r.randint(4, 14)}px;"


SIGNS = ("", "", "", "border:3px solid;padding:.2em .5em;", "border-bottom:2px solid;", "text-shadow:1px 1px 2px #0006;", "letter-spacing:.08em;", "font-weight:bold;", "font-style:italic;")


def text(r, facts, height, width, family):
    lines, out = facts["lines"], []
    longest = max(sum(2 if ord(c) > 0x2E80 else 1.15 for c in x["text"]) for x in lines)
    most = max(13, min((width - 16) / longest * 1.7, (height - 10) / len(lines) / 1.5, 84))
    size = r.uniform(13, most) if r.random() < 0.5 else r.uniform(13, min(26, most))
    chinese = any(is_chinese(x["text"]) for x in lines)
    sign = r.choice(SIGNS) if len(lines) == 1 else r.choice(("", "", "font-weight:bold;"))
    align = r.choice(("flex-start", "center", "center", "flex-end"))
    turn = f"transform:rotate({r.uniform(-5, 5):.1f}deg);" if r.random() < 0.12 else ""
    for i, x in enumerate(lines):
        out.append(f'<div style="{sign}{turn}" data-box=lines.{i} data-tag="text:{esc(x["text"])}"><span>{esc(x["text"])}</span></div>')
    style = (
        f"display:flex;flex-direction:column;justify-content:{r.choice(('flex-start', 'center', 'center', 'flex-end'))};align-items:{align};gap:{r.uniform(0, 10):.0f}px;padding:6px;"
        f"background:{ground(r, facts['ground'])};color:{facts['ink']};font-family:{fonts(r, chinese)};font-size:{size:.1f}px;"
    )
    return "".join(out), style


def ground(r, colour):
    """A CSS background of about this colour: plain, mostly, or a soft gradient."""
    if r.random() < 0.7:
        return colour
    other = "#%02x%02x%02x" % tuple(max(0, min(255, v + r.randint(-18, 18))) for v in rgb(colour))
    return f"linear-gradient({r.randint(0, 360)}deg,{colour},{other})"


def sums(r, facts, height, width, family):
    size = r.uniform(16, min(72, (width - 16) / len(facts["shown"]) * 1.5, height * 0.6))
    board = "border:5px solid #7a5230;" if not light(rgb(facts["ground"])) and r.random() < 0.5 else ""
    paper = ""
    if light(rgb(facts["ground"])) and r.random() < 0.25:
        paper = "background-image:linear-gradient(#9bf4 1px,transparent 1px),linear-gradient(90deg,#9bf4 1px,transparent 1px);background-size:14px 14px;"
    style = (
        f"display:flex;align-items:{r.choice(('flex-start', 'center', 'flex-end'))};justify-content:{r.choice(('flex-start', 'center', 'flex-end'))};padding:8px;"
        f"background-color:{facts['ground']};{paper}{board}color:{facts['ink']};font-family:{fonts(r, False)};font-size:{size:.1f}px;"
    )
    return f'<span style="white-space:pre">{esc(facts["shown"])}</span>', style


def css_shape(o):
    """A circle, square or ring as CSS can draw it, or None."""
    x1, y1, x2, y2 = o["box"]
    at = f"position:absolute;left:{x1:.1f}px;top:{y1:.1f}px;width:{x2 - x1:.1f}px;height:{y2 - y1:.1f}px;"
    if o["shape"] == "circle":
        return at + f"background:{o['ink']};border-radius:50%;"
    if o["shape"] == "square":
        return at + f"background:{o['ink']};"
    if o["shape"] == "ring":
        return at + f"border:{o['radius'] * (1 - o['hole']):.1f}px solid {o['ink']};border-radius:50%;"
    return None


def objects(r, facts, height, width, family):
    out, shine = [], r.random() < 0.2
    for i, o in enumerate(facts["objects"]):
        tag = f'data-box=objects.{i} data-tag="colour:{o["colour"]}|shape:{o["shape"]}|object"'
        style = css_shape(o) if r.random() < 0.5 else None
        shadow = "filter:drop-shadow(2px 3px 2px #0006);" if shine else ""
        if style:
            out.append(f'<div style="{style}{shadow}" {tag}></div>')
        else:
            out.append(f"<svg style='position:absolute;left:0;top:0;{shadow}' width={width} height={height}>{svg.shape(r, o, tag)}</svg>")
    return "".join(out), f"background:{ground(r, facts['ground'])};"


def css_bars(r, facts, height, width):
    """Bars as nested elements, as dashboards have them: standing on a line, or lying in rows."""
    items, top = facts["items"], max(i["value"] for i in facts["items"])
    chinese = is_chinese(items[0]["name"])
    dark = r.random() < 0.3
    radius = r.choice((0, 0, 3, 8))
    ink = "#e8e8e8" if dark else "#333"
    title = f'<div style="font-weight:bold;margin-bottom:6px" data-tag="text:{esc(facts["title"])}">{esc(facts["title"])}</div>' if facts["title"] else ""
    out = []
    size = min(15, 8 + width / 40)
    for i in items:
        share, bar = i["value"] / top * 100, f'data-tag="bar|colour:{i["colour"]}"'
        if facts["type"] == "lying":
            out.append(
                f'<div style="text-align:right" data-tag="{svg.labels(items, i)}">{esc(i["name"])}</div><div style="position:relative"><div {bar} style="width:{share * 0.82:.1f}%;height:70%;margin-top:.25em;background:{i["ink"]};'
                f'border-radius:{radius}px"></div><span data-tag="{svg.labels(items, i)}" style="position:absolute;left:calc({share * 0.82:.1f}% + 4px);top:.1em">{i["value"]}</span></div>'
            )
        else:
            out.append(
                f'<div style="flex:1;display:flex;flex-direction:column;justify-content:flex-end;align-items:center;height:100%"><span data-tag="{svg.labels(items, i)}">{i["value"]}</span>'
                f'<div {bar} style="width:{r.choice((55, 60, 70))}%;height:{share * 0.8:.1f}%;background:{i["ink"]};border-radius:{radius}px {radius}px 0 0"></div></div>'
            )
    if facts["type"] == "lying":
        plot = f'<div style="flex:1;display:grid;grid-template-columns:max-content 1fr;gap:2px 8px;min-height:0">{"".join(out)}</div>'
    else:
        names = "".join(f'<div style="flex:1;text-align:center" data-tag="{svg.labels(items, i)}">{esc(i["name"])}</div>' for i in items)
        plot = f'<div style="flex:1;display:flex;border-bottom:1px solid {ink};min-height:0">{"".join(out)}</div><div style="display:flex;flex:none">{names}</div>'
    style = f"display:flex;flex-direction:column;padding:8px 10px;background:{'#1d2129' if dark else r.choice(('#fff', '#fff', '#f7f7fa', '#fffaf0'))};color:{ink};font-family:{fonts(r, chinese)};font-size:{size:.1f}px;"
    return title + plot, style


def chart(r, facts, height, width, family):
    if facts["type"] in ("bar", "lying") and r.random() < 0.4:
        return css_bars(r, facts, height, width)
    return svg.chart(r, facts, height, width), ""


MAKERS = dict(objects=objects, text=text, sums=sums, chart=chart, window=window, table=table, page=page)


def scene(r, kind, facts, height, width, family):
    """The scene's element but for its place: (inside, style, classes)."""
    inside, style = MAKERS[kind](r, facts, height, width, family)
    return inside, style, f"{family} {kind}" if kind in ("window", "table", "page") else "drawn"

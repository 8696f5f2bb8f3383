#!/usr/bin/env python3
"""Chooses scenes for other programs to draw and draws all but the browser's, for which it writes sheets: tall pages of many scenes each.

    python3 tools/demo_model/render/scenes.py build/demo_render                 # the training pool's
    python3 tools/demo_model/render/scenes.py build/demo_held --held-out        # by programs and looks that training never shows

FOLDER/scenes.jsonl gets a line a scene: kind, facts, program, family, height, width, ratio and the file or the place on a sheet.
make.sh runs it all. Needs matplotlib, R, librsvg's rsvg-convert, and for the held-out ones gnuplot and ImageMagick.
"""
import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import facts  # noqa: E402
import drawing  # noqa: E402
import looks  # noqa: E402
import markup  # noqa: E402
import plots  # noqa: E402
import sizes  # noqa: E402

TRAINING = {  # program: kind: how many of 6,000
    "chromium": dict(window=1400, page=800, table=700, text=700, sums=350, objects=550, chart=600),
    "rsvg": dict(objects=250, text=250, sums=100, chart=150),
    "matplotlib": dict(chart=350),
    "r": dict(chart=250),
}
HELD_OUT = {
    "chromium": dict(window=40, page=30, table=30),
    "gnuplot": dict(chart=50),
    "magick": dict(objects=40, text=50, sums=30),
}
SHEET = 40  # scenes a sheet
DRAWN_ONLY = ("points", "hole", "ink", "ground", "shown")


def told(value):
    """Facts without what only the drawing needs."""
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items() if k not in DRAWN_ONLY}
    if isinstance(value, (list, tuple)):
        return [told(v) for v in value]
    return round(value, 1) if isinstance(value, float) else value


def write_sheet(r, folder, name, scenes, families):
    """One page of scenes in two columns."""
    at, parts = [8, 8], []
    for record, fact in scenes:
        column = at.index(min(at))
        record["family"] = r.choice(families)
        inside, style, classes = markup.scene(r, record["kind"], fact, record["height"], record["width"], record["family"])
        record["family"] = record["family"] if record["kind"] in ("window", "table", "page") else "drawn"
        record.update(sheet=name, x=8 + 600 * column - 60 * column, y=at[column])
        place = f"left:{record['x']}px;top:{record['y']}px;width:{record['width']}px;height:{record['height']}px;"
        parts.append(f'<div class="scene {classes}" id="{record["id"]}" style="{html_attribute(place + style)}">{inside}</div>')
        at[column] += record["height"] + 8
    body = f'<body style="height:{max(at)}px;width:1090px;position:relative">' + "\n".join(parts)
    with open(os.path.join(folder, name + ".html"), "w", encoding="utf-8") as f:
        f.write(f"<!doctype html><meta charset=utf-8><style>{looks.STYLES}</style>{body}")


def html_attribute(text):
    return text.replace('"', "&quot;")


def size_for(r, kind, ratio):
    while True:
        height, width = sizes.pick(r, 0.4)
        if not (kind in ("window", "page", "table") and min(height, width) < 160 and r.random() < 0.7) and width <= 532 and height * ratio < 1300:
            return height, width


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder")
    p.add_argument("--held-out", action="store_true")
    p.add_argument("--share", type=float, default=1.0, help="of the usual number of scenes")
    p.add_argument("--seed", type=int, default=11)
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    r = random.Random(a.seed + 1000 * a.held_out)
    records, browser, jobs = [], [], {}
    for program, kinds in (HELD_OUT if a.held_out else TRAINING).items():
        for kind, count in kinds.items():
            for _ in range(max(1, round(count * a.share))):
                ratio = r.choice((1, 2)) if program != "magick" else 1
                height, width = size_for(r, kind, ratio)
                shown = ("bar", "lying", "line") if program == "gnuplot" else ("bar", "lying", "line", "pie")
                more = dict(kinds=shown) if kind == "chart" else {}
                fact = facts.choose(r, kind, height, width, a.held_out, **more)
                record = dict(id=f"s{len(records)}", kind=kind, program=program, family=program, height=height, width=width, ratio=ratio, facts=told(fact))
                records.append(record)
                if program == "chromium":
                    browser.append((record, fact))
                else:
                    record["file"] = record["id"] + ".png"
                    jobs.setdefault(program, []).append((kind, fact, height, width, os.path.join(a.folder, record["file"]), ratio))
    families = looks.HELD_OUT if a.held_out else looks.FAMILIES
    r.shuffle(browser)
    for ratio in (1, 2):
        some = [s for s in browser if s[0]["ratio"] == ratio]
        for n in range(0, len(some), SHEET):
            write_sheet(r, a.folder, f"sheet{n // SHEET:03d}x{ratio}", some[n : n + SHEET], families)
    charts = {k: [j[1:] for j in v] for k, v in jobs.items()}
    for program, draw in (("rsvg", drawing.rsvg), ("magick", drawing.magick)):
        draw(r, jobs.get(program, []))
    plots.matplotlib(r, charts.get("matplotlib", [])) if "matplotlib" in charts else None
    plots.base_r(r, charts["r"], a.folder) if "r" in charts else None
    plots.gnuplot(r, charts["gnuplot"], a.folder) if "gnuplot" in charts else None
    with open(os.path.join(a.folder, "scenes.jsonl"), "w", encoding="utf-8") as f:
        f.writelines(json.dumps(x, ensure_ascii=False) + "\n" for x in records)
    print(f"{len(records)} scenes in {a.folder}")


if __name__ == "__main__":
    main()

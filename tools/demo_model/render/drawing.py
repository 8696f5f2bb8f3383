"""Pictures by drawing tools: librsvg (SVG, text by Pango) and ImageMagick (its own drawing and its own text)."""
import subprocess

import svg
from facts import rgb
from looks import CJK, LATIN, ODD, fonts
from words import is_chinese


def lines_of(kind, facts):
    return [facts["shown"]] if kind == "sums" else [x["text"] for x in facts["lines"]]


def letters(text):
    """About how many letters wide a text is."""
    return sum(1.75 if ord(c) > 0x2E80 else 1.05 for c in text)


def text_layout(r, kind, facts, height, width):
    """(size, [(x, y of the baseline, text)]): lines from a random place that leaves room for all."""
    lines = lines_of(kind, facts)
    most = max(13.0, min((width - 16) / max(letters(t) for t in lines) * 1.6, (height - 12) / len(lines) / 1.4, 80))
    size = r.uniform(13, most) if r.random() < 0.5 else r.uniform(13, min(26, most))
    wide = max(letters(t) for t in lines) * size * 0.62
    pitch = size * r.uniform(1.3, 1.6)
    x = r.uniform(6, max(6.5, width - wide - 8))
    y = r.uniform(size + 2, max(size + 3, height - pitch * (len(lines) - 1) - size * 0.35 - 4))
    return size, [(x, y + n * pitch, t) for n, t in enumerate(lines)]


def svg_picture(r, kind, facts, height, width):
    """The picture as one SVG file's text."""
    if kind == "chart":
        return svg.chart(r, facts, height, width)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">']
    if r.random() < 0.3:
        other = "#%02x%02x%02x" % tuple(max(0, min(255, v + r.randint(-20, 20))) for v in rgb(facts["ground"]))
        out.append(f'<defs><linearGradient id="g" x2="{r.random():.2f}" y2="1"><stop stop-color="{facts["ground"]}"/><stop offset="1" stop-color="{other}"/></linearGradient></defs>')
        out.append(f'<rect width="{width}" height="{height}" fill="url(#g)"/>')
    else:
        out.append(f'<rect width="{width}" height="{height}" fill="{facts["ground"]}"/>')
    if kind == "objects":
        out += [svg.shape(r, o) for o in facts["objects"]]
    else:
        size, lines = text_layout(r, kind, facts, height, width)
        family = fonts(r, any(is_chinese(t) for _, _, t in lines))
        weight = r.choice(("normal", "normal", "bold"))
        out += [f'<text x="{x:.1f}" y="{y:.1f}" font-family="{family}" font-size="{size:.1f}" font-weight="{weight}" fill="{facts["ink"]}">{svg.esc(t)}</text>' for x, y, t in lines]
    return "".join(out) + "</svg>"


def rsvg(r, jobs):
    """Draws (kind, facts, height, width, file, ratio) each with librsvg."""
    for kind, facts, height, width, file, ratio in jobs:
        subprocess.run(["rsvg-convert", "-z", str(ratio), "-o", file], input=svg_picture(r, kind, facts, height, width).encode(), check=True)


def magick_shape(o):
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in o["points"])
    if o["shape"] == "ring":
        middle = o["radius"] * (1 + o["hole"]) / 2
        return f'fill none stroke "{o["ink"]}" stroke-width {o["radius"] * (1 - o["hole"]):.1f} circle {o["x"]:.1f},{o["y"]:.1f} {o["x"] + middle:.1f},{o["y"]:.1f}'
    if o["shape"] == "circle":
        return f'stroke none fill "{o["ink"]}" circle {o["x"]:.1f},{o["y"]:.1f} {o["x"] + o["radius"]:.1f},{o["y"]:.1f}'
    return f'stroke none fill "{o["ink"]}" polygon {points}'


def font_file(family):
    return subprocess.run(["fc-match", "-f", "%{file}", family], check=True, capture_output=True, text=True).stdout


def magick(r, jobs):
    """Draws objects, text and sums each with ImageMagick."""
    for kind, facts, height, width, file, ratio in jobs:
        command = ["convert", "-size", f"{width}x{height}", f"xc:{facts['ground']}"]
        if kind == "objects":
            command += ["-draw", " ".join(magick_shape(o) for o in facts["objects"])]
            if r.random() < 0.3:  # painted rather than drawn
                command += r.choice((["-paint", "1"], ["-blur", "0x0.7"], ["-attenuate", "0.3", "+noise", "Gaussian"]))
        else:
            size, lines = text_layout(r, kind, facts, height, width)
            chinese = any(is_chinese(t) for _, _, t in lines)
            command += ["-font", font_file(r.choice(CJK) if chinese else r.choice(LATIN + ODD)), "-pointsize", f"{size:.1f}", "-fill", facts["ink"]]
            for x, y, t in lines:
                command += ["-annotate", f"+{x:.0f}+{y:.0f}", t.replace("%", "%%")]
            if r.random() < 0.25:
                command += r.choice((["-wave", "1.5x90"], ["-swirl", "4"], ["-shear", "4x0", "-gravity", "center", "-extent", f"{width}x{height}"]))
        subprocess.run([*command, file], check=True)

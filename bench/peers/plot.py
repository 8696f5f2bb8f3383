#!/usr/bin/env python3
"""Draws the README's picture from the samples of compare.py: prefill, decode and time to the first token against the peers.

  bench/peers/plot.py peers.json docs/images/performance-peers.svg

Each program's best variant stands, by its best sample. Only Python's own library; the picture follows the reader's light or
dark scheme.
"""
import json
import sys
from html import escape

PANELS = [("prefill", "Prompt of {} tokens", "tokens/s, longer is better"),
          ("decode", "Answer", "tokens/s, longer is better"),
          ("ttft", "Picture to first token", "seconds, shorter is better")]
PROGRAMS = [("qwen3vl", "ours"), ("llama.cpp", "llama"), ("transformers", "torch")]
PANEL, GAP, BAR, STEP, TOP = 320, 20, 16, 22, 64
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 14px }
.soft { fill: #57606a } .size { font-weight: 600 } .axis { stroke: #d0d7de }
.ours { fill: #1a7f64 } .llama { fill: #8c959f } .torch { fill: #c4a26a }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .soft { fill: #9198a1 } .axis { stroke: #3d444d }
.ours { fill: #2ea98a } .llama { fill: #6e7681 } .torch { fill: #9a7b45 } }
"""


def best(table, size, test, tokens):
    """[(program, class, variant, value)], the best variant of each."""
    out = []
    for peer, style in PROGRAMS:
        rows = [r for r in table if (r["size"], r["test"], r["tokens"], r["peer"]) == (size, test, tokens, peer)]
        if rows:
            r = (min if test == "ttft" else max)(rows, key=lambda x: x["value"])
            out.append((peer, style, r["variant"], r["value"]))
    return out


def panel(table, sizes, x, test, tokens, title, unit):
    groups = [(size, rows) for size in sizes if (rows := best(table, size, test, tokens))]
    top = max((v for _, rows in groups for *_, v in rows), default=1)
    room = PANEL - 170  # for the longest bar; its text stands behind it
    svg = [f'<text class="title" x="{x}" y="20">{escape(title)}</text>', f'<text class="soft" x="{x}" y="38">{escape(unit)}</text>']
    y = TOP
    for size, rows in groups:
        svg.append(f'<text class="size" x="{x}" y="{y}">{size.upper()}</text>')
        y += 8
        begin = y
        for peer, style, variant, value in rows:
            width = max(1.5, room * value / top)
            number = f"{value:.0f}" if value >= 100 else f"{value:.1f}"
            svg.append(f'<rect class="{style}" x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>')
            svg.append(f'<text x="{x + width + 6:.1f}" y="{y + 12.5}">{number} <tspan class="soft">{escape(peer)} {escape(variant)}</tspan></text>')
            y += STEP
        svg.append(f'<line class="axis" x1="{x}" y1="{begin - 2}" x2="{x}" y2="{y - 4}"/>')
        y += 22
    return svg, y


def draw(data):
    table = data["table"]
    sizes = list(dict.fromkeys(r["size"] for r in table))
    prompts = sorted({r["tokens"] for r in table if r["test"] == "prefill"})
    svg, bottom, x = [], TOP, 12
    for test, title, unit in PANELS:
        tokens = prompts[0] if test == "prefill" and prompts else None
        lines, y = panel(table, sizes, x, test, tokens, title.format(tokens), unit)
        svg += lines
        bottom, x = max(bottom, y), x + PANEL + GAP
    machine = data["machine"]
    note = f'{machine["cpu"]}, {machine["threads"]} threads, {", ".join(machine["sets"])}; {data["date"][:10]}; made weights; best of each program in one run'
    svg.append(f'<text class="soft" x="12" y="{bottom}">{escape(note)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{x}" height="{bottom + 14}" viewBox="0 0 {x} {bottom + 14}">'
            f'<style>{STYLE}</style>\n' + "\n".join(svg) + "\n</svg>\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as f:
        data = json.load(f)
    with open(sys.argv[2], "w") as f:
        f.write(draw(data))


if __name__ == "__main__":
    main()

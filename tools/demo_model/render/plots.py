"""Charts by plotting programs: matplotlib, R's base graphics, gnuplot. Each takes a list of (facts, height, width, file) and writes the
PNGs, twice as large as asked for at times (`ratio`), so that they are scaled down as screenshots are.

Values can be told in every picture: printed, or small enough to be read off an axis.
"""
import json
import os
import subprocess

from canvas import fonts
from charts import ceiling
from looks import CJK, LATIN
from words import is_chinese

DARK = ("#1c1f26", "#0d1b2a", "#262626")
PALE = ("white", "white", "white", "#fafafa", "#fdf6e3", "#eef2f7")


def printed(r, items):
    """Whether the values are printed."""
    return max(i["value"] for i in items) > 10 or r.random() < 0.5


def fonts_for(r, items):
    return r.choice(CJK[:3]) if is_chinese(items[0]["name"]) else r.choice(LATIN)


def longest(items):
    return max(sum(2 if ord(c) > 0x2E80 else 1.1 for c in i["name"]) for i in items)


# matplotlib -----------------------------------------------------------------------------------------------------------

STYLES = ("default", "default", "ggplot", "seaborn-v0_8", "seaborn-v0_8-whitegrid", "fivethirtyeight", "bmh", "dark_background", "Solarize_Light2", "classic", "grayscale", "fast")


def draw_axes(r, ax, facts, size):
    items, kind = facts["items"], facts["type"]
    names, values, inks = [i["name"] for i in items], [i["value"] for i in items], [i["ink"] for i in items]
    numbers = printed(r, items)
    if kind == "pie":
        total = sum(values)
        legend = r.random() < 0.4
        wide = dict(width=0.55) if r.random() < 0.3 else {}
        wedges, *_ = ax.pie(
            values, labels=None if legend else names, colors=inks, startangle=r.uniform(0, 360), pctdistance=0.72,
            counterclock=r.random() < 0.5, autopct=lambda p: str(round(p * total / 100)), wedgeprops=wide,
        )
        if legend:
            ax.legend(wedges, names, loc="center left", bbox_to_anchor=(1, 0.5))
        return
    if kind == "line":
        ax.plot(range(len(names)), values, marker=r.choice("os^D"), color=inks[0], linewidth=r.uniform(1.2, 3))
        ax.set_xticks(range(len(names)), names)
        if r.random() < 0.2:
            ax.fill_between(range(len(names)), values, color=inks[0], alpha=0.2)
        for x, v in enumerate(values):
            if numbers:
                ax.annotate(str(v), (x, v), (0, size * 0.6), textcoords="offset points", ha="center")
    else:
        edge = dict(edgecolor=r.choice(("black", "#555")), linewidth=0.8) if r.random() < 0.3 else {}
        hatch = dict(hatch="//") if r.random() < 0.05 else {}
        drawn = (ax.barh if kind == "lying" else ax.bar)(range(len(names)), values, r.uniform(0.4, 0.85), color=inks, **edge, **hatch)
        (ax.set_yticks if kind == "lying" else ax.set_xticks)(range(len(names)), names)
        if kind == "lying":
            ax.invert_yaxis()
        if numbers:
            ax.bar_label(drawn, padding=2)
    top = max(values) * 1.17 if numbers else ceiling(items)[0]
    (ax.set_xlim if kind == "lying" else ax.set_ylim)(0, top)
    if r.random() < 0.4:
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    if numbers and r.random() < 0.25:
        (ax.set_xticks if kind == "lying" else ax.set_yticks)([])
    if max(values) <= 10 and not numbers:
        (ax.set_xticks if kind == "lying" else ax.set_yticks)(range(0, int(top) + 1, 1 if top <= 6 else 2))


def font_names():
    """matplotlib's names of the fonts that canvas.py finds: it knows only the first face of a collection."""
    from matplotlib import font_manager

    out = []
    for paths in fonts():
        names = set()
        for path in paths:
            font_manager.fontManager.addfont(path)
            names.add(font_manager.FontProperties(fname=path).get_name())
        out.append(sorted(names))
    return out


def matplotlib(r, jobs):
    from matplotlib import rc_context, style as styles
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    latin, cjk = font_names()
    for facts, height, width, file, ratio in jobs:
        style = r.choice(STYLES)
        size = r.uniform(8, min(13, 6.5 + width / 60))
        with styles.context(style):
            chinese = is_chinese("".join(i["name"] for i in facts["items"]) + (facts["title"] or ""))
            family = [r.choice(cjk)] if chinese else [r.choice(latin)]
            rc = {"font.family": family, "font.size": size, "axes.unicode_minus": False, "axes.axisbelow": True, "axes.titlesize": size * 1.15}
            rc.update({k: size * 0.95 for k in ("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "axes.labelsize")})
            with rc_context(rc):
                figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
                FigureCanvasAgg(figure)
                if style != "dark_background" and r.random() < 0.4:
                    figure.patch.set_facecolor(r.choice(PALE))
                ax = figure.add_subplot()
                draw_axes(r, ax, facts, size)
                if facts["title"]:
                    ax.set_title(facts["title"], loc=r.choice(("center", "center", "left")))
                if style in ("default", "fast", "classic") and facts["type"] != "pie":
                    ax.grid(r.random() < 0.4, axis=r.choice(("both", "y")) if facts["type"] != "lying" else "x")
                figure.savefig(file, dpi=72 * ratio)


# R --------------------------------------------------------------------------------------------------------------------


def r_vector(values):
    return "c(" + ",".join(json.dumps(v, ensure_ascii=False) for v in values) + ")"


def r_chart(r, facts, height, width, file, ratio):
    """The lines of R that draw one chart."""
    items, kind = facts["items"], facts["type"]
    order = items[::-1] if kind == "lying" else items  # the first bar lies at the bottom
    names, values, inks = [i["name"] for i in order], [i["value"] for i in order], [i["ink"] for i in order]
    dark, numbers = r.random() < 0.2, printed(r, items)
    back, ink = (r.choice(DARK), "#e6e6e6") if dark else (r.choice(PALE), r.choice(("black", "#333333")))
    size = r.uniform(0.75, min(1.15, 0.6 + width / 700))
    top = max(values) * 1.15 if numbers else ceiling(items)[0]
    pitch = (width - 60) / len(items)
    cex = min(size, pitch / (longest(items) * 6.2)) if kind != "lying" else size
    left = 1.2 + longest(items) * 0.55 * size if kind == "lying" else 2.8
    out = [
        f'png("{file}", width={width * ratio}, height={height * ratio}, res={72 * ratio}, type="cairo")',
        f'par(mar=c(2.2,{left:.1f},{2 if facts["title"] else 0.9},0.8), mgp=c(2,0.55,0), bg="{back}", fg="{ink}", col.axis="{ink}", col.main="{ink}", family="{fonts_for(r, items)}", las=1, cex.axis={size:.2f}, cex.main={size * 1.15:.2f}, bty="{r.choice("oln")}")',
    ]
    main = f", main={json.dumps(facts['title'], ensure_ascii=False)}" if facts["title"] else ""
    if kind == "pie":
        labels = [f"{i['name']}: {i['value']}" for i in order] if r.random() < 0.5 else [f"{i['name']} ({i['value']})" for i in order]
        out.append(f'par(mar=c(0.3,2.5,{1.6 if facts["title"] else 0.3},2.5)); pie({r_vector(values)}, labels={r_vector(labels)}, col={r_vector(inks)}, cex={size:.2f}, radius=0.85, init.angle={r.randint(0, 359)}{main})')
    elif kind == "line":
        out.append(f'v <- {r_vector(values)}; plot(v, type="{r.choice("ob")}", pch={r.choice((1, 15, 16, 17, 19))}, lwd={r.uniform(1, 3):.1f}, col="{inks[0]}", xaxt="n", xlab="", ylab="", ylim=c(0,{top}), xlim=c(0.6,{len(items) + 0.4}){main})')
        if r.random() < 0.4:
            out.append("grid()")
        out.append(f"mtext({r_vector(names)}, side=1, at=seq_along(v), line=0.6, cex={cex:.2f}, las=1)")
        if numbers:
            out.append(f"text(seq_along(v), v, v, pos=3, cex={size * 0.95:.2f}, col=\"{ink}\", xpd=NA)")
    else:
        horizontal = kind == "lying"
        border = r.choice(("NA", '"black"', f'"{ink}"'))
        density = ""
        limit = f"{'xlim' if horizontal else 'ylim'}=c(0,{top})"
        out.append(f"v <- {r_vector(values)}; b <- barplot(v, names.arg=rep(\"\", length(v)), col={r_vector(inks)}, border={border}, space={r.uniform(0.2, 1):.2f}, horiz={'TRUE' if horizontal else 'FALSE'}, {limit}{density}{main})")
        out.append(f"mtext({r_vector(names)}, side={2 if horizontal else 1}, at=b, line={0.4 if horizontal else 0.5}, cex={cex:.2f}, las=1)")
        if numbers:
            at, pos = ("v, b", 4) if horizontal else ("b, v", 3)
            out.append(f'text({at}, v, pos={pos}, cex={size * 0.95:.2f}, col="{ink}", xpd=NA, offset=0.3)')
        elif r.random() < 0.4:
            out.append("box()")
    return out + ["invisible(dev.off())"]


def run_script(command, lines, folder, name):
    """Runs a plotting program once for all charts."""
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    subprocess.run([*command, path], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})


def base_r(r, jobs, folder):
    run_script(["Rscript", "--vanilla"], [x for job in jobs for x in r_chart(r, *job)], folder, "charts.R")


# gnuplot --------------------------------------------------------------------------------------------------------------


def gnuplot_chart(r, facts, height, width, file, ratio):
    items, kind = facts["items"], facts["type"]
    numbers, dark = printed(r, items), r.random() < 0.2
    back, ink = (r.choice(DARK), "#e6e6e6") if dark else ("#ffffff", "#000000")
    size = r.uniform(8.5, min(12, 7 + width / 80))
    pitch = (width - 55) / len(items)
    if kind != "lying":
        size = min(size, pitch / longest(items) * 1.75)
    top = max(i["value"] for i in items) * 1.15 if numbers else ceiling(items)[0]
    lying = kind == "lying"
    value, name = ("x", "y") if lying else ("y", "x")
    tics = ", ".join(f'"{i["name"]}" {n}' for n, i in enumerate(items))
    out = [
        "reset",
        f'set terminal pngcairo size {width * ratio},{height * ratio} font "{fonts_for(r, items)},{size * ratio * 0.75:.1f}" background "{back}" linewidth {ratio}',
        f'set output "{file}"',
        f'set border {r.choice((3, 31))} lc rgb "{ink}"',
        f'set tics textcolor rgb "{ink}"',
        "unset key",
        f"set {value}range [0:{top}]",
        f"set {name}range [{len(items) - 0.4}:-0.6]" if lying else f"set {name}range [-0.6:{len(items) - 0.4}]",
        f"set {name}tics ({tics}) scale 0",
        f"set style fill solid {r.choice((0.8, 1.0))} {r.choice(('noborder', 'border lc rgb ' + json.dumps(ink)))}",
    ]
    if r.random() < 0.5:
        out.append(f'set grid {value}tics lc rgb "#bbbbbb"')
    if facts["title"]:
        out.append(f'set title "{facts["title"]}" textcolor rgb "{ink}"')
    out += ["$d << EOD"] + [f"{n} {i['value']} {int(i['ink'][1:], 16)}" for n, i in enumerate(items)] + ["EOD"]
    half = r.uniform(0.22, 0.42)
    if kind == "line":
        plots = [f'$d using 1:2 with linespoints lw {r.uniform(1, 3):.1f} pt {r.choice((5, 7, 9, 13))} ps 1.2 lc rgb "{items[0]["ink"]}"']
    elif lying:
        plots = [f"$d using (0):1:(0):2:($1-{half:.2f}):($1+{half:.2f}):3 with boxxyerror lc rgb variable"]
    else:
        plots = [f"$d using 1:2:({2 * half:.2f}):3 with boxes lc rgb variable"]
    if numbers:
        plots.append(f'$d using {"2:1" if lying else "1:2"}:2 with labels {"left offset 0.6,0" if lying else "offset 0,0.7"} textcolor rgb "{ink}"')
    return out + ["plot " + ", ".join(plots), "unset output"]


def gnuplot(r, jobs, folder):
    run_script(["gnuplot"], [x for job in jobs for x in gnuplot_chart(r, *job)], folder, "charts.gp")

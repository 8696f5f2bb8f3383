#!/usr/bin/env python3
"""Renders the twelve pictures of this folder in other programs than the generator: pages by Chromium, charts by matplotlib (which also
drew a twentieth of the grown model's training charts), painted shapes by Chromium's CSS with light, shadow and perspective.

    python3 tools/demo_model/by_hand/make.py [NAME ...]    # needs chromium; the two plots python3-matplotlib
"""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = "margin:0;font-family:'Liberation Sans',Arial,sans-serif"
PAGES = {  # name: width, height, body's style, body
    "login-page": (420, 320, PLAIN + ";background:#eef1f6", """
<div style="margin:32px auto;width:300px;background:#fff;border-radius:10px;box-shadow:0 2px 10px #0003;padding:20px">
<h2 style="margin:0 0 14px">Login</h2><label>Email</label><br><input value="anna@mail.com" style="width:280px;padding:6px;margin:4px 0 10px">
<label>Password</label><br><input type=password value=secret style="width:280px;padding:6px;margin:4px 0 16px">
<button style="background:#2563eb;color:#fff;border:0;border-radius:6px;padding:9px 24px">Sign in</button>
<button style="background:#fff;border:1px solid #bbb;border-radius:6px;padding:8px 20px;margin-left:8px">Cancel</button></div>"""),
    "dark-dialog": (384, 224, PLAIN + ";background:#15171c;color:#e8e8e8", """
<div style="margin:28px;border:1px solid #3a3f4a;border-radius:8px;background:#20242c;padding:18px"><b>Delete file?</b>
<p style="color:#aab">notes.txt will be removed.</p><button style="background:#d33;color:#fff;border:0;border-radius:5px;padding:8px 18px">Delete</button>
<button style="background:#3a3f4a;color:#fff;border:0;border-radius:5px;padding:8px 18px;margin-left:10px">Keep</button></div>"""),
    "chinese-form": (384, 256, "margin:0;background:#fff;font-family:'Noto Sans CJK SC'", """
<div style="padding:24px"><h3 style="margin:0 0 12px">注册</h3>姓名 <input value="小明" style="padding:5px"><br><br>城市 <input value="上海" style="padding:5px"><br><br>
<button style="padding:6px 20px;background:#07c160;color:#fff;border:0">提交</button> <button style="padding:6px 20px">取消</button></div>"""),
    "css-bars": (448, 288, PLAIN + ";background:#fff", """
<div style="padding:18px"><b>Fruit sold</b><div style="display:flex;align-items:flex-end;height:200px;gap:22px;border-bottom:2px solid #444;padding:0 20px">
""" + "".join(f'<div style="text-align:center"><div>{v}</div><div style="width:52px;height:{v * 16}px;background:{c}"></div></div>' for v, c in
              ((4, "#e53935"), (9, "#1e88e5"), (6, "#43a047"), (2, "#fb8c00"))) + """
</div><div style="display:flex;gap:22px;padding:4px 20px">""" + "".join(f'<div style="width:52px;text-align:center">{n}</div>' for n in ("Figs", "Plums", "Pears", "Kiwis")) + "</div></div>"),
    "svg-shapes": (384, 256, PLAIN + ";background:#fdfaf0", """
<svg width=384 height=256><circle cx=80 cy=80 r=42 fill=crimson /><rect x=220 y=40 width=90 height=90 fill=royalblue />
<polygon points="120,230 180,140 240,230" fill=seagreen /></svg>"""),
    "balls-in-light": (384, 288, PLAIN + ";background:linear-gradient(#cdd3da 55%,#a08a70 55%)", "".join(
        f'<div style="position:absolute;left:{x}px;top:{y}px;width:{d}px;height:{d}px;border-radius:50%;background:radial-gradient(circle at 32% 28%,#fff 4%,{c} 40%,#0008 130%);box-shadow:14px {d // 2}px 18px -8px #0007"></div>'
        for x, y, d, c in ((40, 120, 96, "#d8261c"), (170, 150, 70, "#1f9d3a"), (270, 96, 92, "#f2c218")))),
    "sign": (384, 224, PLAIN + ";background:#567", """
<div style="margin:34px auto;width:270px;transform:perspective(500px) rotateY(-16deg) rotateZ(-2deg);background:#fff;border:6px solid #c00;border-radius:8px;text-align:center;padding:20px 0;box-shadow:8px 12px 20px #0008">
<span style="font:bold 52px 'DejaVu Sans'">EXIT 7</span></div>"""),
    "receipt": (288, 320, "margin:0;background:#f4f2ec;font:17px 'DejaVu Sans Mono'", """
<div style="padding:20px"><b>CAFE LUNA</b><br>-----------------<br>Coffee&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;3.50<br>Cake&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;4.20<br>Water&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;1.80<br>-----------------<br><b>Total&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;9.50</b></div>"""),
    "blackboard": (384, 192, "margin:0;background:#24372e;font:54px 'Comic Neue','DejaVu Sans'", '<div style="color:#f4f4ee;padding:54px 60px">27 + 15 = ?</div>'),
    "price-table": (384, 224, PLAIN + ";background:#fff", """
<table border=1 style="margin:24px;border-collapse:collapse;font-size:18px" cellpadding=8><tr style="background:#ddd"><th>Item<th>Price<th>Stock<tr><td>Pen<td>2<td>40
<tr><td>Book<td>12<td>7<tr><td>Bag<td>35<td>3</table>"""),
}


def plot_bars(ax):
    ax.bar(["Mon", "Tue", "Wed", "Thu"], [5, 8, 3, 7], color=["#4c72b0", "#dd8452", "#55a868", "#c44e52"])
    ax.set_title("Orders")


def plot_line(ax):
    ax.plot(["Jan", "Feb", "Mar", "Apr", "May"], [20, 35, 30, 60, 45], "o-")
    ax.grid(True)
    ax.set_title("Visitors")


def page(name, width, height, style, body):
    html = HERE / f"{name}.html"
    html.write_text(f"<!doctype html><meta charset=utf-8><body style=\"{style}\">{body}", encoding="utf-8")
    try:
        subprocess.run([shutil.which("chromium") or "chromium", "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},{height}",
                        f"--screenshot={HERE / name}.png", html.as_uri()], check=True, capture_output=True, timeout=60)
    finally:
        html.unlink()


def plot(name, draw):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(4.48, 3.2), dpi=100)
    draw(ax)
    figure.savefig(HERE / f"{name}.png")


def main():
    """All pictures, or those named."""
    for name, what in PAGES.items():
        if name in sys.argv[1:] or not sys.argv[1:]:
            page(name, *what)
    for name, draw in (("plot-bars", plot_bars), ("plot-line", plot_line)):
        if name in sys.argv[1:] or not sys.argv[1:]:
            plot(name, draw)


if __name__ == "__main__":
    main()

"""Style families for the browser's windows, pages and tables. A family is CSS below its class; `FAMILIES` names them, and `HELD_OUT`
those that training never shows."""

FAMILIES = ("plain", "bootstrap", "dark", "mac", "classic", "mobile", "gnome", "night", "bold", "paper")
HELD_OUT = ("material",)

LATIN = ["Liberation Sans", "DejaVu Sans", "Open Sans", "Roboto", "Lato", "Noto Sans", "FreeSans", "Liberation Serif", "Noto Serif", "DejaVu Serif"]
ODD = ["Comic Neue", "Fira Code", "DejaVu Sans Mono", "Liberation Mono", "FreeMono", "FreeSerif", "Liberation Sans Narrow"]
CJK = ["Noto Sans CJK SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Serif CJK SC"]

COMMON = """
*{box-sizing:border-box} body{margin:0;background:#777}
.scene{position:absolute;overflow:hidden;line-height:1.25} .scene *{white-space:nowrap}
.win{position:absolute;display:flex;flex-direction:column;overflow:hidden}
.bar{display:flex;align-items:center;gap:6px;padding:.3em .6em;flex:none} .bar b{font-weight:inherit} .bar .x{margin-left:auto;opacity:.8}
.menus{display:flex;gap:1.1em;padding:.25em .6em;flex:none} .body{flex:1;padding:.6em .8em;display:flex;flex-direction:column;gap:.45em;min-height:0}
.row{display:flex;align-items:center;gap:.5em;flex:none} .row label{min-width:4em} .stack .row{flex-direction:column;align-items:stretch;gap:.1em}
.row input{flex:1;min-width:0;font:inherit;padding:.15em .4em;width:100%}
.check{display:flex;align-items:center;gap:.45em;flex:none} .check input{margin:0;width:1em;height:1em;flex:none}
.buttons{display:flex;gap:.6em;flex:none;padding:.1em 0} .foot{margin-top:auto} .wide button{flex:1}
button{font:inherit;padding:.2em .9em}
h1{margin:0;font-size:1.7em;line-height:1.2} p{margin:0} ul{margin:0;padding-left:1.4em} .page>*{margin-bottom:.55em} .page input{font:inherit;padding:.2em .4em;display:block}
.page img{display:block} table{border-collapse:collapse} td,th{padding:.25em .6em;text-align:left}
.switch{appearance:none;width:1.8em!important;height:1em;border-radius:1em;background:#bbb;position:relative}
.switch:checked{background:var(--accent,#2a7)} .switch::after{content:"";position:absolute;width:.8em;height:.8em;top:.1em;left:.1em;border-radius:50%;background:#fff}
.switch:checked::after{left:.9em}
"""

FAMILY = {
    "plain": ".plain{background:#fff;color:#000} .plain .win{border:1px solid #999;background:#fff} .plain .bar{border-bottom:1px solid #bbb;font-weight:bold}",
    "bootstrap": """.bootstrap{background:#e9ecef;color:#212529;--accent:#0d6efd} .bootstrap .win{background:#fff;border-radius:8px;border:1px solid #ccd}
.bootstrap .bar{background:#f1f3f5;border-bottom:1px solid #dee2e6;font-weight:600} .bootstrap input:not([type=checkbox]){border:1px solid #ced4da;border-radius:6px;color:#212529}
.bootstrap button{border:1px solid #6c757d;background:#6c757d;color:#fff;border-radius:6px} .bootstrap .main{background:#0d6efd;border-color:#0d6efd}
.bootstrap th{border-bottom:2px solid #333} .bootstrap td{border-bottom:1px solid #dee2e6} .bootstrap tr:nth-child(odd) td{background:#f6f6f8}""",
    "dark": """.dark{background:#15171c;color:#e6e6ea;--accent:#6c8cff} .dark .win{background:#22252d;border:1px solid #3a3f4b;border-radius:6px} .dark .bar{background:#1a1d23}
.dark input:not([type=checkbox]){background:#14161b;border:1px solid #454b59;color:#f0f0f0;border-radius:4px} .dark button{background:#3a4050;border:0;color:#f0f0f0;border-radius:5px}
.dark .main{background:#5b78f6} .dark th{background:#2c303a} .dark td{border-bottom:1px solid #3a3f4b} .dark input[type=checkbox]{accent-color:#6c8cff}""",
    "mac": """.mac{background:linear-gradient(160deg,#6a8fc3,#b08bbd);color:#222;--accent:#34c759} .mac .win{background:#f5f5f5;border-radius:10px;box-shadow:0 6px 18px #0006}
.mac .bar{background:#e4e4e6;justify-content:center;border-bottom:1px solid #c8c8c8;font-weight:600} .mac .bar .x{display:none} .mac .bar::before{content:"";width:9px;height:9px;border-radius:50%;background:#ff5f57;box-shadow:14px 0 #febc2e,28px 0 #28c840;position:absolute;left:10px}
.mac input:not([type=checkbox]){border:1px solid #c5c5c8;border-radius:5px;background:#fff} .mac button{background:#fff;border:1px solid #c5c5c8;border-radius:6px;box-shadow:0 1px 1px #0002}
.mac .main{background:#0a7aff;color:#fff;border-color:#0a6ae0} .mac th{border-bottom:1px solid #aaa;color:#555} .mac table{background:#fff} .mac.page{background:#f7f7f9}""",
    "classic": """.classic{background:#008080;color:#000} .classic .win{background:#c0c0c0;border:2px outset #fff} .classic .bar{background:#000080;color:#fff;font-weight:bold;margin:2px}
.classic input:not([type=checkbox]){border:2px inset #eee;background:#fff;border-radius:0} .classic button{background:#c0c0c0;border:2px outset #fff;border-radius:0;color:#000}
.classic table{background:#fff} .classic td,.classic th{border:1px solid #808080} .classic th{background:#c0c0c0} .classic.page{background:#c0c0c0}""",
    "mobile": """.mobile{background:#f2f2f7;color:#1c1c1e;--accent:#34c759} .mobile .win{background:#f2f2f7} .mobile .bar{background:#f9f9fb;border-bottom:1px solid #ddd;justify-content:center;font-weight:600}
.mobile .bar .x{display:none} .mobile .row{background:#fff;border-radius:9px;padding:.15em .5em} .mobile .row input{border:0;background:transparent;color:#444}
.mobile button{background:#e3e3ea;color:#0a62d8;border:0;border-radius:11px;padding:.4em 1em;font-weight:600} .mobile .main{background:#0a7aff;color:#fff} .mobile .buttons{gap:.5em}
.mobile td{background:#fff;border-bottom:1px solid #e0e0e6} .mobile th{color:#777}""",
    "gnome": """.gnome{background:#3584e4;color:#2e3436;--accent:#3584e4} .gnome .win{background:#fafafa;border-radius:12px;box-shadow:0 2px 10px #0005} .gnome .bar{background:#ebebeb;justify-content:center;font-weight:bold}
.gnome .bar .x{background:#dadada;border-radius:50%;width:1.4em;text-align:center;margin:0 0 0 2em} .gnome .row input{border:0;background:#e6e6e6;border-radius:8px} .gnome button{border:0;background:#e0e0e0;border-radius:8px;font-weight:bold}
.gnome .main{background:#26a269;color:#fff} .gnome table{background:#fff} .gnome td,.gnome th{border:1px solid #dcdcdc} .gnome.page{background:#fff}""",
    "night": """.night{background:#002b36;color:#93a1a1;--accent:#2aa198} .night .win{background:#073642;border:1px solid #586e75} .night .bar{background:#586e75;color:#fdf6e3}
.night input:not([type=checkbox]){background:#002b36;border:1px solid #2aa198;color:#eee8d5} .night button{background:transparent;border:1px solid #b58900;color:#e0b020} .night .main{background:#2aa198;border-color:#2aa198;color:#002b36}
.night th{color:#e0b020;border-bottom:1px solid #b58900} .night td{color:#eee8d5} .night h1{color:#2aa198}""",
    "bold": """.bold{background:#ffd54a;color:#111} .bold .win{background:#fff;border:3px solid #111;box-shadow:5px 5px 0 #111} .bold .bar{background:#ff6b9a;border-bottom:3px solid #111;font-weight:bold}
.bold input:not([type=checkbox]){border:2px solid #111;background:#fff} .bold button{background:#fff;border:2px solid #111;box-shadow:2px 2px 0 #111;font-weight:bold} .bold .main{background:#7cf0c0}
.bold table{background:#fff} .bold td,.bold th{border:2px solid #111} .bold th{background:#9be7ff} .bold.page{background:#fffbe8}""",
    "paper": """.paper{background:#d9d2c0;color:#3b3228;--accent:#8a5a2b} .paper .win{background:#fbf7ec;border:1px solid #b9ab8d} .paper .bar{background:#8a5a2b;color:#fbf7ec}
.paper input:not([type=checkbox]){border:0;border-bottom:1px solid #8a7a5d;background:transparent} .paper button{background:#efe6cf;border:1px solid #8a7a5d;border-radius:3px;color:#3b3228} .paper .main{background:#5d7a3a;color:#fff}
.paper td{border-bottom:1px dotted #8a7a5d} .paper th{border-bottom:2px solid #8a5a2b} .paper.page{background:#fbf7ec}""",
    "material": """.material{background:#eceff1;color:#212121;--accent:#6200ee} .material .win{background:#fff;border-radius:4px;box-shadow:0 3px 8px #0004} .material .bar{background:#6200ee;color:#fff;padding:.55em .8em;font-weight:500}
.material input:not([type=checkbox]){border:0;border-bottom:2px solid #6200ee;background:#f0ecf7;border-radius:4px 4px 0 0} .material button{border:0;background:transparent;color:#6200ee;font-weight:500;border-radius:4px}
.material .main{background:#6200ee;color:#fff;box-shadow:0 2px 4px #0005} .material .check input{accent-color:#6200ee} .material th{color:#666;font-weight:500;border-bottom:1px solid #ccc} .material td{border-bottom:1px solid #e4e4e4}
.material table{background:#fff;box-shadow:0 1px 4px #0004} .material.page button:not(.main){border:1px solid #6200ee} .material h1{font-weight:500;color:#6200ee}""",
}

STYLES = COMMON + "\n".join(FAMILY.values())


def fonts(r, chinese):
    """A font-family value: one Latin face before one Chinese."""
    latin = r.choice(ODD) if r.random() < 0.1 else r.choice(LATIN)
    cjk = r.choice(CJK)
    return f"'{cjk}'" if chinese and r.random() < 0.5 else f"'{latin}','{cjk}'"

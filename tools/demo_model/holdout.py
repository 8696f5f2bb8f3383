"""What training never shows: one rule for each kind of picture, by its facts, kept by the generator (pictures.make), by the pool of other
programs' pictures (render/facts.py) and by the evaluation set, whose pictures all are `unseen`.

An eighth of all texts, windows, tables and pages, a sixth of all charts, a seventh of all sums, and seven pairs of colour and shape.
"""
import words
from words import UNSEEN_PAIRS, held_out


def unseen_line(text):
    """Whether training never shows this line of text: what is short or a known word cannot be kept from it."""
    known = text in words.ZH_WORDS or text.lower() in words.WORDS
    return len(text) > 2 and not known and held_out(text)


def of_window(f):
    parts = [f["title"]] + [b["label"] for b in f["buttons"]] + [c["label"] for c in f["checks"]]
    return held_out("|".join(parts + [x["label"] + "=" + x["value"] for x in f["fields"]]))


def of_page(f):
    return held_out("|".join(name + ":" + ("/".join(t) if isinstance(t, (list, tuple)) else t) for name, t in f["elements"]))


RULES = dict(
    objects=lambda f: any((o["colour"], o["shape"]) in UNSEEN_PAIRS for o in f["objects"]),
    text=lambda f: all(unseen_line(x["text"]) for x in f["lines"]),
    sums=lambda f: held_out(f"{f['a']}{f['op']}{f['b']}", 7),
    chart=lambda f: held_out(str([i["value"] for i in f["items"]]), 6),
    window=of_window,
    table=lambda f: held_out("|".join("/".join(row) for row in f["rows"])),
    page=of_page,
    video=lambda f: (f["colour"], f["shape"]) in UNSEEN_PAIRS,
)
REDRAWN = ("window", "table", "page")  # kinds of which the generator itself keeps nothing back


def unseen(kind, facts):
    """Whether training never shows a picture with these facts."""
    return RULES[kind](facts)

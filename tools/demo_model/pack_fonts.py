#!/usr/bin/env python3
"""Collects this machine's fonts that the generator knows, cut down to the characters it uses, for a machine that has
none; and the names of the vision labels, which take ten seconds to find.

    python3 tools/demo_model/pack_fonts.py --out build/demo_fonts     # then QVL_DEMO_FONTS=build/demo_fonts

Needs fonttools (Debian: python3-fonttools). Every font keeps its file name, by which canvas.py finds it; of a
collection the Simplified Chinese face is taken.
"""
import argparse
import glob
import os
import shutil
import sys

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

import canvas
from batches import tag_names

HERE = os.path.dirname(os.path.abspath(__file__))


def characters():
    """All characters of the generator's sources, and Latin-1 besides."""
    out = {chr(i) for i in range(0x20, 0x100)}
    for path in glob.glob(os.path.join(HERE, "**", "*.py"), recursive=True):
        with open(path, encoding="utf-8") as f:
            out |= set(f.read())
    return "".join(sorted(c for c in out if c >= " "))


def face(path):
    """The font of a file, or of a collection the face for Simplified Chinese (else the first)."""
    if not path.endswith(".ttc"):
        return TTFont(path)
    faces = TTCollection(path, lazy=True).fonts
    named = [f for f in faces if " SC" in (f["name"].getDebugName(1) or "")]
    return (named or faces)[0]


def cut(path, out, text):
    options = subset.Options(hinting=False, layout_features=["kern", "mark", "ccmp"], notdef_outline=True)
    options.drop_tables += ["BASE", "JSTF", "DSIG", "VORG"]
    font = face(path)
    cutter = subset.Subsetter(options)
    cutter.populate(text=text)
    cutter.subset(font)
    font.save(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="a folder; replaced if it is there")
    a = p.parse_args()
    latin, cjk = canvas.fonts()
    text, new = characters(), a.out.rstrip("/") + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    for path in [*latin, *cjk]:
        cut(path, os.path.join(new, os.path.basename(path)), text if path in cjk else "".join(c for c in text if c < "⺀"))
    shutil.rmtree(a.out, ignore_errors=True)
    os.rename(new, a.out)
    tag_names(os.path.join(a.out, "tags.json"))
    total = sum(os.path.getsize(os.path.join(a.out, n)) for n in os.listdir(a.out))
    print(f"{len(latin)} Latin and {len(cjk)} Chinese fonts, {len(text)} characters, {total / 2**20:.1f} MiB in {a.out}")


if __name__ == "__main__":
    sys.exit(main())

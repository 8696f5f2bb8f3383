#!/usr/bin/env python3
"""Holds the code to the folder line of docs/architecture.md: each folder of src/ includes only itself and folders before it.

Usage: check_layers.py [ROOT]    prints every include that points the wrong way; exit 1 if there is one.
"""
import pathlib
import re
import sys

LINE = ["base", "tensor", "ops", "cpu", "vulkan", "weights", "text", "grammar", "media", "model", "cache", "engine", "chat", "serve", "app"]
# Siblings on the line that must stay strangers although one stands before the other.
NEVER = {("weights", "cpu"), ("weights", "ops"), ("text", "tensor"), ("text", "cpu"), ("text", "weights"), ("media", "cpu"),
         ("media", "tensor"), ("media", "weights"), ("media", "text"), ("model", "cpu"), ("model", "text"), ("engine", "text"),
         ("engine", "cpu"), ("engine", "grammar"), ("grammar", "tensor"), ("grammar", "ops"), ("grammar", "cpu"),
         ("grammar", "weights"), ("model", "grammar"), ("media", "grammar"), ("chat", "cpu"), ("serve", "cpu")}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def problems(root):
    src = root / "src"
    for file in sorted(src.rglob("*")):
        if file.suffix not in (".h", ".cc", ".inc"):
            continue
        folder = file.relative_to(src).parts[0]
        if folder not in LINE:
            yield f"{file.relative_to(root)}: the folder {folder} is not on the line"
            continue
        for path in INCLUDE.findall(file.read_text(encoding="utf-8")):
            target = path.split("/")[0]
            if "/" not in path or target not in LINE:
                yield f"{file.relative_to(root)}: \"{path}\" is not rooted at src/"
            elif LINE.index(target) > LINE.index(folder):
                yield f"{file.relative_to(root)}: {folder} may not include {path}: {target} stands below it"
            elif (folder, target) in NEVER:
                yield f"{file.relative_to(root)}: {folder} may not know {target} ({path})"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = list(problems(root))
    print("\n".join(found) if found else "layers: every include points up the line")
    sys.exit(bool(found))


main()

#!/usr/bin/env python3
"""Makes tests/data/text from the reference data: gzipped vectors and merges, and split and NFC vectors of its own.

    python3 tools/make_text_vectors.py --golden ../shared/golden --out tests/data/text

Needs Python's `regex` module, an implementation of the tokenizer's split pattern independent of src/text/split.cc.
"""
import argparse
import gzip
import json
import os
import random
import shutil
import unicodedata

import regex

PATTERN = regex.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_SPACES = "\x1c\x1d\x1e\x1f\u180e\u200b\u2060\ufeff"
APOSTROPHES = ["'s", "'T", "'re", "'VE", "'m", "'lL", "'D", "'\u017f", "'\u017fs", "'r", "'v", "'l", "''", "'", "\u2019s", "'rE", "'\u212a"]
MARKS = [chr(c) for c in range(0x300, 0x370)] + ["\u0591", "\u05b0", "\u064b", "\u093c", "\u0f71", "\u0f72", "\u302a", "\u3099", "\u309a", "\U0001d165", "\U0001d16e"]
JAMO = [chr(c) for c in list(range(0x1100, 0x1113)) + list(range(0x1161, 0x1176)) + list(range(0x11a7, 0x11c3))]


def assigned(c):
    # Only characters old enough for every library's tables.
    return unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs")


ASSIGNED = [c for c in range(0x110000) if assigned(c) and not 0xE000 <= c <= 0xF8FF and c < 0xF0000]
COMPOSED = [c for c in ASSIGNED if unicodedata.normalize("NFD", chr(c)) != chr(c)]


def piece(rng):
    kind = rng.randrange(12)
    if kind < 3:
        return rng.choice(SPACES) * rng.randint(1, 3)
    if kind == 3:
        return rng.choice(["\r\n", "\n", "\r", " \n", "\n "]) * rng.randint(1, 2)
    if kind == 4:
        return rng.choice(APOSTROPHES)
    if kind == 5:
        return rng.choice(NOT_SPACES)
    if kind == 6:
        return "".join(rng.choice("abcXYZ\u00e9\u4f60\u0430") for _ in range(rng.randint(1, 4)))
    if kind == 7:
        return "".join(rng.choice("0129\u0664\u00bd\u2167\u4e00") for _ in range(rng.randint(1, 3)))
    if kind == 8:
        return "".join(rng.choice(".,!?<>|-_\u3002\u2026\U0001f600\u200d") for _ in range(rng.randint(1, 3)))
    if kind == 9:
        return chr(rng.choice(ASSIGNED))
    if kind == 10:
        return rng.choice(MARKS)
    return " "


def nfc_text(rng):
    parts = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.randrange(4)
        if kind == 0:
            parts.append(unicodedata.normalize(rng.choice(["NFD", "NFC"]), chr(rng.choice(COMPOSED))))
        elif kind == 1:
            parts += rng.choices(MARKS, k=rng.randint(1, 4))
        elif kind == 2:
            parts += rng.choices(JAMO, k=rng.randint(1, 4))
        else:
            parts.append(chr(rng.choice(COMPOSED if rng.random() < 0.5 else ASSIGNED)))
    return "".join(parts)


def write_gz(path, data):
    with open(path, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as out:
        out.write(data)


def write_jsonl(path, rows):
    write_gz(path, "".join(json.dumps(r, ensure_ascii=True) + "\n" for r in rows).encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--golden", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--only-random", action="store_true")
    a = parser.parse_args()
    rng = random.Random(a.seed)
    split = []
    for _ in range(a.count):
        text = "".join(piece(rng) for _ in range(rng.randint(1, 10)))
        split.append({"text": text, "pieces": [m.group() for m in PATTERN.finditer(text)]})
        assert "".join(split[-1]["pieces"]) == text
    write_jsonl(os.path.join(a.out, "split.jsonl.gz"), split)
    texts = [nfc_text(rng) for _ in range(a.count)]
    write_jsonl(os.path.join(a.out, "nfc.jsonl.gz"), [{"text": t, "nfc": unicodedata.normalize("NFC", t)} for t in texts])
    if a.only_random:
        return
    for folder, name, target in [("tokenizer", "encode.jsonl", "encode.jsonl.gz"), ("tokenizer", "decode.jsonl", "decode.jsonl.gz"),
                                 ("tokenizer", "stream.jsonl", "stream.jsonl.gz"), ("chat-template", "vectors.jsonl", "chat_template.jsonl.gz"),
                                 ("qwen-tokenizer", "merges.txt", "qwen_merges.txt.gz")]:
        with open(os.path.join(a.golden, folder, name), "rb") as f:
            write_gz(os.path.join(a.out, target), f.read())
    os.makedirs(os.path.join(a.out, "tiny"), exist_ok=True)
    shutil.copyfile(os.path.join(a.golden, "checkpoints/tiny-moe/tokenizer.json"), os.path.join(a.out, "tiny/tokenizer.json"))
    for name in ("instruct", "thinking"):
        shutil.copyfile(os.path.join(a.golden, f"templates/qwen3-vl-{name}.jinja"), os.path.join(a.out, f"qwen3-vl-{name}.jinja"))


main()

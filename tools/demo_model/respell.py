#!/usr/bin/env python3
"""The same model with words spelled letter by letter: its tokenizer keeps whole tokens only for what questions and answers are
made of, and one token for every Chinese character.

    python3 tools/demo_model/respell.py --base OLD --out build/respelled

The first vocabulary was learnt by pair merging, so a word on a picture fell into pieces of two and three letters ("St", "ud", "ent")
and a Chinese character into bytes: the vision tower told the letters, and the language model found the pieces that hold them in
a word of a list only. Digits, a token each, were read where words were not. Now what is read out of a picture is as many
tokens as it has letters.

Only merges say so, and every reader of tokenizer.json knows those: a kept word is built from its left end, letter by letter, so what
another word shares with one is at most its beginning. Tokens that stay keep their numbers and embeddings; fresh ones take the numbers
of those that went, and the mean of the embeddings of what they were made of.
"""
import argparse
import glob
import json
import os
import random
import re
import shutil
from collections import Counter

import torch

import words
from export import COPIED, safetensors
from files import replace
from grow import EMBEDDING
from model import read_weights
from pictures import KINDS, make
from questions import conversations, talk

KEYS = ['"label": "', '"bbox_2d": [', '"point_2d": [', '"button', '"checkbox', '"input']  # of what is answered in JSON; none begins another
FRAME_WORDS, OPENERS = 260, ["The", "There", "What", "Which", "Where", "How"]
SPACE, HAN = "\u0120", re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")


def byte_letters():
    """The letter by which a byte-level vocabulary writes each byte (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


LETTERS = byte_letters()
BYTES = {c: b for b, c in LETTERS.items()}


def written(text):
    """A text as the vocabulary writes it."""
    return "".join(LETTERS[b] for b in text.encode())


def read(token):
    """The text of a token, or None where it is no whole text."""
    try:
        return bytes(BYTES[c] for c in token).decode()
    except UnicodeDecodeError:
        return None


def said(scenes, seed=11):
    """Questions and answers of so many scenes, all kinds alike."""
    r, kinds, out = random.Random(seed), list(KINDS), []
    for i in range(scenes):
        for c in [*conversations(r, make(r, kinds[i % len(kinds)], 192, 256)), talk(r, False)]:
            out += [text for turn in c.turns for text in turn]
    return out


def on_pictures():
    """English words that stand in lower case on pictures and not in answers about other things, and the neighbours of
    characters in Chinese texts of pictures."""
    lists = [v for k, v in vars(words).items() if k.isupper() and isinstance(v, list)]
    pairs = {a + b for texts in lists for text in texts if isinstance(text, str) for a, b in zip(text, text[1:])}
    frame = [*words.COLOURS, *words.SHAPES, *words.ENDS, *(t for d in (words.PLACES, words.SIDES, words.MOVES) for t, _ in d.values())]
    return set(words.WORDS) - {*" ".join(frame).split(), "number", "name"}, pairs


def of_sources():
    """Every character beyond ASCII that the generator may draw or ask with."""
    found = set()
    for path in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "**", "*.py"), recursive=True):
        with open(path, encoding="utf-8") as f:
            found |= {c for c in f.read() if ord(c) > 0x7F and c.isprintable()}
    return found


def kept_texts(old, texts):
    """Texts that are one token, the most useful first of each sort: words of questions and answers with the space before them, characters,
    Chinese words, punctuation. old: the texts of the vocabulary so far."""
    english, pairs = on_pictures()
    counts, characters = Counter(), Counter()
    for text in texts:
        counts.update(re.findall(r" [a-z]{2,}(?![A-Za-z])", text))
        characters.update(c for c in text if HAN.match(c) or ord(c) > 0x7F)
    frame = sorted((w for w in counts if w[1:] not in english), key=lambda w: (-counts[w] * (len(w) - 1), w))[:FRAME_WORDS]
    several = [t for t in old if t and len(t) > 1 and HAN.fullmatch(t) and not any(a + b in pairs for a, b in zip(t, t[1:]))]
    single = sorted({*characters, *of_sources(), *"".join(several), *(t for t in old if t and len(t) == 1 and ord(t) > 0x7F)})
    signs = [t for t in old if t and len(t) > 1 and t.isascii() and not any(c.isalnum() for c in t)]
    return signs, single, several, OPENERS + frame


def chain(token, steps):
    """The pieces, each one step longer, by which a token is built from its left end."""
    at, out = 0, []
    for n in steps:
        at += n
        out.append(token[:at])
    return out


def respell(tokenizer, weights, config, generation, texts):
    """Changes tokenizer.json, config.json, generation_config.json (as objects) and weights. Returns what there is now. texts: questions and answers."""
    from tokenizers import Tokenizer

    model = tokenizer["model"]
    before, number = Tokenizer.from_str(json.dumps(tokenizer)), dict(model["vocab"])
    old = {read(t): t for t in number}
    signs, single, several, whole = kept_texts(old, texts)
    kept_signs, pieces, merges = {written(t) for t in signs}, {}, []
    for a, b in model["merges"]:  # signs are built as they were
        if a + b in kept_signs and all(len(x) == 1 or x in kept_signs for x in (a, b)):
            merges.append((a, b))
            pieces[a + b] = None

    def add(token, steps):
        parts = chain(token, steps)
        for a, b in zip(parts, parts[1:]):
            if b not in pieces:
                pieces[b] = None
                merges.append((a, b[len(a) :]))

    for c in single:
        add(written(c), [1] * len(c.encode()))
    for t in several:
        add(written(t), [len(c.encode()) for c in t])
    for t in whole:
        add(written(t), [1] * len(t.encode()))
    kept = {t: i for t, i in number.items() if len(t) == 1 or t in pieces}
    fresh = [t for t in pieces if t not in kept]
    size, keys = len(kept) + len(fresh), [t for t in KEYS if t not in {t["content"] for t in tokenizer["added_tokens"]}]
    if size < len(number):
        raise SystemExit(f"expected more tokens than the {len(number)} there were, found {size}: their numbers would have holes")
    table, moved = weights[EMBEDDING].float(), size - len(number)
    rows = table.mean(0).repeat(-(-(size + len(tokenizer["added_tokens"]) + len(keys)) // 16) * 16, 1)
    for t, i in kept.items():
        rows[i] = table[i]
    for i, t in zip(sorted({*range(size)} - {*kept.values()}), fresh):
        text = read(t)
        rows[i] = table[before.encode(text, add_special_tokens=False).ids if text else [number[c] for c in t]].mean(0)
        kept[t] = i
    for token in tokenizer["added_tokens"]:  # they follow the vocabulary, as every reader expects
        rows[token["id"] + moved] = table[token["id"]]
        token["id"] += moved
    plain = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    for i, t in enumerate(keys, size + len(tokenizer["added_tokens"])):
        rows[i] = table[before.encode(t, add_special_tokens=False).ids].mean(0)
        tokenizer["added_tokens"].append(dict(id=i, content=t, **plain))
    model["merges"], model["vocab"] = [list(m) for m in merges], dict(sorted(kept.items(), key=lambda item: item[1]))
    weights[EMBEDDING] = rows.to(weights[EMBEDDING].dtype)
    config["text_config"]["vocab_size"] = len(rows)
    for part in (config, config["text_config"], generation):
        move_tokens(part, len(number), moved)
    return f"{size} tokens of text, {len(fresh)} of them fresh: {len(single)} characters, {len(several)} Chinese words, {len(whole)} English words, {len(signs)} signs"


def move_tokens(part, first, by):
    """Adds `by` to the tokens from `first` on that a configuration names."""
    for key, value in part.items():
        if key.endswith("_token_id") and value is not None:
            moved = [v + by if v >= first else v for v in (value if isinstance(value, list) else [value])]
            part[key] = moved if isinstance(value, list) else moved[0]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--base", default="models/demo")
    p.add_argument("--out", required=True, help="a new folder")
    p.add_argument("--scenes", type=int, default=2000, help="whose questions and answers say which words are common")
    a = p.parse_args()
    files = {}
    for name in ("tokenizer.json", "config.json", "generation_config.json"):
        with open(os.path.join(a.base, name), encoding="utf-8") as f:
            files[name] = json.load(f)
    weights = dict(read_weights(a.base))
    print(respell(files["tokenizer.json"], weights, files["config.json"], files["generation_config.json"], said(a.scenes)))
    os.makedirs(a.out)
    for name in {*COPIED, "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json"} - {*files}:
        shutil.copy(os.path.join(a.base, name), os.path.join(a.out, name))
    for name, value in files.items():
        replace(os.path.join(a.out, name), json.dumps(value, ensure_ascii=False, indent=2).encode())
    replace(os.path.join(a.out, "model.safetensors"), safetensors(weights))
    print(f"wrote {a.out}: {sum(w.numel() for w in weights.values()):,} parameters")


if __name__ == "__main__":
    main()

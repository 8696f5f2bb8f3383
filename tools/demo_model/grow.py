#!/usr/bin/env python3
"""A deeper model that computes what the shallower one does, and has words for a diagram's markup, to train on from.

    python3 tools/demo_model/grow.py --base models/demo --out build/grown --vision 10 --language 9

New blocks are copies of their neighbours whose last products are nought, so that at first they add nothing; spread
among the old ones, they learn from the first step on. DeepStack's features keep their places: a vision block whose
output is tapped stays the last before the tap, and the decoder's first layers, behind which the features are added,
stay the first. tests: test_train.py.

The markup of Draw.io is nearly all one text over and over: 95 tokens a box in the small vocabulary, which no row of
training holds. MARKUP's pieces become tokens of their own (25 a box).
"""
import argparse
import json
import os
import re
import shutil

import torch

from export import COPIED, safetensors, write_limits
from files import replace
from model import read_weights

VISION, LANGUAGE = "model.visual.blocks.", "model.language_model.layers."
EMBEDDING = "model.language_model.embed_tokens.weight"
MARKUP = [  # sixteen, so that the vocabulary stays a multiple of 16; none begins another
    '<mxGraphModel><root><mxCell id="0"/><mxCell id="1" parent="0"/>',
    "</root></mxGraphModel>",
    '<mxCell id="',
    '" value="',
    '" style="rounded=0',
    '" style="rounded=1',
    '" style="ellipse',
    '" style="rhombus',
    '" vertex="1" parent="1"><mxGeometry x="',
    '" y="',
    '" width="',
    '" height="',
    '" as="geometry"/></mxCell>',
    '" edge="1" parent="1" source="',
    '" target="',
    '"><mxGeometry relative="1" as="geometry"/></mxCell>',
]
LAST = ("attn.proj.", "mlp.linear_fc2.", "self_attn.o_proj.", "mlp.down_proj.")  # what a block adds comes out of these


def spread(old, new, first=0):
    """For each of `new` blocks the old one it is or follows, as (old index, is it new?). None is put among the first
    `first`."""
    more, places = new - old, old - first
    if more < 0 or places < 1:
        raise SystemExit(f"cannot grow {old} blocks to {new}")
    out = []
    for i in range(old):
        out.append((i, False))
        if i >= first:
            j = i - first
            out += [(i, True)] * ((j + 1) * more // places - j * more // places)
    return out


def grow_blocks(weights, prefix, plan):
    """Replaces the blocks under `prefix` by those of the plan."""
    old = {}
    for name in [n for n in weights if n.startswith(prefix)]:
        index, rest = re.match(r"(\d+)\.(.*)", name[len(prefix) :]).groups()
        old.setdefault(int(index), {})[rest] = weights.pop(name)
    for at, (source, fresh) in enumerate(plan):
        for rest, value in old[source].items():
            nought = fresh and rest.startswith(LAST)
            weights[f"{prefix}{at}.{rest}"] = torch.zeros_like(value) if nought else value.clone()


def grow(weights, config, vision, language):
    """Grown weights and configuration, of the given depths."""
    weights, config = dict(weights), json.loads(json.dumps(config))
    v, t = config["vision_config"], config["text_config"]
    taps = v["deepstack_visual_indexes"]
    plan = spread(v["depth"], vision)
    grow_blocks(weights, VISION, plan)
    grow_blocks(weights, LANGUAGE, spread(t["num_hidden_layers"], language, first=len(taps) - 1))
    v["deepstack_visual_indexes"] = [max(i for i, (source, _) in enumerate(plan) if source == tap) for tap in taps]
    v["depth"], t["num_hidden_layers"] = vision, language
    if "layer_types" in t:
        t["layer_types"] = t["layer_types"][:1] * language
    return weights, config


def add_markup(tokenizer, weights, config):
    """Adds MARKUP's tokens to a tokenizer.json (as an object), and to the weights an embedding of each: the mean of those
    of its pieces. Does nothing where they are there."""
    from tokenizers import Tokenizer

    known = {t["content"] for t in tokenizer["added_tokens"]}
    if known.issuperset(MARKUP):
        return
    first, pieces = config["text_config"]["vocab_size"], Tokenizer.from_str(json.dumps(tokenizer))
    table = weights[EMBEDDING]
    fresh = [table[pieces.encode(text, add_special_tokens=False).ids].float().mean(0).to(table.dtype) for text in MARKUP]
    weights[EMBEDDING] = torch.cat([table, torch.stack(fresh)])
    config["text_config"]["vocab_size"] = first + len(MARKUP)
    plain = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    tokenizer["added_tokens"] += [dict(id=first + i, content=text, **plain) for i, text in enumerate(MARKUP)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--base", default="models/demo")
    p.add_argument("--out", required=True, help="a new folder")
    p.add_argument("--vision", type=int, default=10, help="depth of the vision tower")
    p.add_argument("--language", type=int, default=9, help="layers of the decoder")
    a = p.parse_args()
    with open(os.path.join(a.base, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    with open(os.path.join(a.base, "tokenizer.json"), encoding="utf-8") as f:
        tokenizer = json.load(f)
    weights, config = grow(read_weights(a.base), config, a.vision, a.language)
    add_markup(tokenizer, weights, config)
    os.makedirs(a.out)
    for name in COPIED:
        shutil.copy(os.path.join(a.base, name), os.path.join(a.out, name))
    replace(os.path.join(a.out, "tokenizer.json"), json.dumps(tokenizer, ensure_ascii=False, indent=2).encode())
    write_limits(a.base, a.out)
    with open(os.path.join(a.out, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
    replace(os.path.join(a.out, "model.safetensors"), safetensors(weights))
    print(f"wrote {a.out}: {sum(w.numel() for w in weights.values()):,} parameters")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Checks of the training itself, on the CPU in under a minute: python3 tools/demo_model/test_train.py

Growth keeps the function; respelling keeps texts and tokens; weights go out in parts and come back; a batch comes out of shared memory as it went in; a row
with two pictures; index arrays against searches; a gradient that is not finite; a tiny run that ends by its deadline, is
exported and goes on from its export. Needs torch, numpy, Pillow and tokenizers.
"""
import json
import mmap
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

import sizes
import train
import workers
from batches import Batcher, Drawn, Row, chains, thoughtless
from curriculum import TOP, Curriculum
from export import write_parts
from grow import EMBEDDING, MARKUP, add_markup, grow, spread
from holdout import unseen_line
from model import DemoModel, load_model, read_weights
from optimizer import Flat, orthogonal
from pictures import full_text, make
from questions import Conversation, conversations
from questions_compared import drawio
from questions_reading import ORDINALS
from respell import KEYS, respell, said
from spelling import KEPT_OUT, new_word
from test_model import as_batch, conversation
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from wordings import TEXT, HeldOutWordings, bare, say, skeletons
from words import CALLED, SHAPES

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "..", "models", "demo")


def test_growth():
    config = tiny_config()
    with open(os.path.join(DEMO, "tokenizer.json"), encoding="utf-8") as f:
        tokenizer = json.load(f)
    # as the models before had them
    tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["content"] not in MARKUP + KEYS]
    config["text_config"]["vocab_size"] = len(tokenizer["model"]["vocab"]) + len(tokenizer["added_tokens"])
    torch.manual_seed(1)
    old = DemoModel(config)
    weights, grown = grow(old.state_dict(), config, 5, 4)
    new = DemoModel(grown)
    new.load_state_dict(weights)
    assert grown["vision_config"]["deepstack_visual_indexes"] == [0, 4], grown["vision_config"]
    ids, positions = conversation(config, [5, ("image", 1, 8, 14), 9], np.random.default_rng(1))
    batch = as_batch(ids, positions, pictures=torch.randint(0, 256, (1, 128, 224, 3), dtype=torch.uint8))
    with torch.no_grad():
        assert torch.equal(old.logits(old(batch)[0]), new.logits(new(batch)[0]))
    for _ in range(2):  # the second time it finds nothing to do
        add_markup(tokenizer, weights, grown)
    wider, old_size = DemoModel(grown), config["text_config"]["vocab_size"]
    wider.load_state_dict(weights)
    with torch.no_grad():
        assert torch.allclose(old.logits(old(batch)[0]), wider.logits(wider(batch)[0])[..., :old_size], atol=1e-5)
    assert grown["text_config"]["vocab_size"] == old_size + len(MARKUP)
    words, scene = Tokenizer.from_str(json.dumps(tokenizer)), make(random.Random(2), "diagram", 192, 256, 6)
    text = drawio(scene)
    ids = words.encode(text, add_special_tokens=False).ids
    assert words.decode(ids, skip_special_tokens=True) == text and len(ids) < 60 * len(scene.facts["nodes"])
    assert [s for s, _ in spread(3, 5)] == [0, 1, 1, 2, 2] and spread(2, 3, first=1)[1] == (1, False)


def test_spelling():
    """Words of pictures become letters, and all else stays: texts, the numbers of what is kept, control tokens at the end."""
    texts = said(120)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    words.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    first = words.get_vocab_size()
    words.add_tokens(["<|im_start|>", "<|im_end|>", '<mxCell id="'])
    old, table = words.get_vocab(), torch.randn(first + 3, 8, dtype=torch.float64)
    tokenizer, weights = json.loads(words.to_str()), {EMBEDDING: table.clone()}
    config, generation = dict(text_config=dict(eos_token_id=first + 1), image_token_id=first), dict(eos_token_id=[first + 1, first])
    for _ in range(2):  # the second time only to find that nothing is left to do
        respell(tokenizer, weights, config, generation, texts)
        new = Tokenizer.from_str(json.dumps(tokenizer))
        vocabulary, rows = new.get_vocab(), weights[EMBEDDING]
        assert sorted(vocabulary.values()) == [*range(len(vocabulary))] and len(rows) == config["text_config"]["vocab_size"] >= len(vocabulary)
        assert config["image_token_id"] == vocabulary["<|im_start|>"] and generation["eos_token_id"] == [vocabulary["<|im_end|>"], vocabulary["<|im_start|>"]]
        assert config["text_config"]["eos_token_id"] == vocabulary["<|im_end|>"]
        same = [t for t in old if t in vocabulary]
        assert len(same) > 256 and torch.equal(rows[[vocabulary[t] for t in same]], table[[old[t] for t in same]].float().double())
        for text in texts:
            assert new.decode(new.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text
        for word in ("Student", "Waterfall", '"Monday', "MANAGER"):
            assert len(new.encode(word, add_special_tokens=False).ids) == len(word), word
        assert len(new.encode(" the triangle", add_special_tokens=False).ids) == 2
        assert len(new.encode("图书馆", add_special_tokens=False).ids) == 3


def test_parts():
    with tempfile.TemporaryDirectory() as folder:
        weights = read_weights(DEMO)
        write_parts(weights, DEMO, DEMO, folder)
        assert all(os.path.getsize(os.path.join(folder, n)) <= 16 << 20 for n in os.listdir(folder))
        again = load_model(folder).state_dict()
        assert all(torch.equal(again[k], v) for k, v in weights.items())


def test_shared_memory():
    batcher, r = Batcher(DEMO, 384, tags=["shape:circle", "colour:red"]), random.Random(3)
    batch, slot = batcher.batch(r, Curriculum(), 2, 1, size=(128, 192), level=3, labelled=4), mmap.mmap(-1, 8 << 20)
    fields, size = workers.pack(batch, slot)
    assert {f[0] for f in fields} >= {"ids", "pictures", "videos", "seen", "take", "target", "question", "present", "extra", "extra_present"}
    for name, kind, shape, at in fields:
        assert at + int(np.prod(shape)) * np.dtype(kind).itemsize <= size
        assert np.array_equal(np.frombuffer(slot, kind, int(np.prod(shape)), at).reshape(shape), batch[name])


def test_indexes():
    """The places found in the workers are those that a search in the trainer would find."""
    batcher, r = Batcher(DEMO, 512), random.Random(4)
    batch = batcher.batch(r, Curriculum(), 3, 1, size=(160, 256), level=4)
    ids, labels = batch["ids"].reshape(-1), batch["labels"].reshape(-1)
    images = len(batch["pictures"]) * 5 * 8
    side, frames = batch["videos"].shape[2], batch["videos"].shape[1]
    assert len(batch["seen"]) == images + len(batch["videos"]) * frames // 2 * (side // 32) ** 2
    assert np.array_equal(labels[batch["take"] + 1], batch["target"]) and len(batch["take"]) == (labels >= 0).sum()
    assert np.array_equal(ids[batch["take"] + 1], batch["target"])
    questions = [q for row in batch["asked"] for q in row]
    assert len(batch["question_task"]) == len(questions) and set(batch["question"]) == set(range(len(questions)))


def test_two_pictures():
    r, batcher = random.Random(5), Batcher(DEMO, 512)
    scene = make(r, "pair", 128, 192, 2)
    assert len(Drawn(scene, "objects", 2).pictures) == 2
    row = Row(batcher.tokens, 512)
    after = row.prefix(random.Random(0), scene)
    seen = [p for i, p in zip(row.data["ids"], row.data["positions"]) if i == batcher.tokens.image]
    assert len(seen) == 2 * 4 * 6
    first, second = seen[0][0], seen[24][0]
    assert second == first + 6 + 2 and after == second + 6 + 1  # the longer side, then vision_end and vision_start


def test_chains():
    """One conversation that goes on from another sees its turns, and each counts as a question of its own; a thought ends a chain."""
    batcher, r = Batcher(DEMO, 640), random.Random(7)
    two = [
        Conversation("color", "en", [("What color is the ring?", "The ring is red.")]),
        Conversation("count", "en", [("How many objects?", "<think>\nNothing.\n</think>\n\nThere is 1 object.")], thinking=True),
    ]
    row = Row(batcher.tokens, 640)
    assert row.add(two, row.prefix(r, make(r, "objects", 128, 192, 2))) and row.branches == 1
    answers = []
    for _, _, first, end, _, _ in row.asked:
        answers.append(batcher.tokens.decode([i for i, l in zip(row.data["ids"][first:end], row.data["labels"][first:end]) if l >= 0]))
    assert answers == ["The ring is red.", "Nothing.\n</think>\n\nThere is 1 object."], answers
    assert row.asked[0][3] == row.asked[1][2] and row.asked[1][3] == len(row.data["ids"])
    lengths = set()
    for i in range(60):
        asked = [thoughtless(r, c) for c in conversations(r, make(random.Random(i), "objects", 192, 256, 5))]
        made = chains(r, asked)
        assert [c for chain in made for c in chain] == asked
        assert not any(c.thinking or c.alone for chain in made for c in chain[:-1])
        lengths |= {len(chain) for chain in made}
    assert lengths == {1, 2, 3, 4}


def test_question_weights():
    """An answer of four times the tokens counts twice, and the mean of all tokens is 1."""
    weights = train.question_weights(torch.tensor([0, 1, 1, 1, 1]), 3)
    assert torch.allclose(weights[0], 2 * weights[1]) and abs(weights.mean().item() - 1) < 1e-6


def test_new_words():
    r = random.Random(8)
    made = [new_word(r, chinese=i % 2 == 0) for i in range(4000)]
    assert not {w.lower() for w in made} & KEPT_OUT and len(set(made)) > 3000


def test_full_texts():
    """They hold several words, all on the picture, nothing that is kept out, and are asked for as a whole."""
    r = random.Random(4)
    for size in (*sizes.SMALL, *sizes.LARGE):
        for scene in [full_text(r, *size) for _ in range(4)]:
            lines = scene.facts["lines"]
            assert 1 <= len(lines) <= len(ORDINALS) and not any(unseen_line(x["text"]) for x in lines), lines
            assert all(0 <= x["box"][0] < x["box"][2] <= size[1] and x["box"][3] <= size[0] for x in lines), (size, lines)
            (whole,) = [c for c in conversations(r, scene) if c.task == "ocr_all"]
            assert whole.turns[0][1] == "\n".join(x["text"] for x in lines)
    assert not any(make(r, "text", 192, 256, TOP, test=True).facts.get("full") for _ in range(50))  # the evaluation's are as they were


def test_reuse():
    """A scene is asked about a few times, and never again."""
    batcher, r = Batcher(DEMO, 384), random.Random(6)
    scenes = [batcher.scene(r, Curriculum(), (128, 192), reuse=0.5) for _ in range(120)]
    assert 30 < len({id(s) for s in scenes}) < 90 and max(s.uses for s in scenes) <= 3
    assert all(s.scene.canvas.image is None for s in scenes)


def test_flat():
    layer = torch.nn.Linear(4, 3)
    before = [p.clone() for p in layer.parameters()]
    flat = Flat(layer.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, layer.parameters()))
    layer(torch.ones(2, 4)).sum().backward()
    assert flat.gradient.abs().sum() > 0 and flat.clip(1.0).item() == 0
    assert abs(flat.gradient.norm().item() - 1) < 1e-3
    flat.gradient[0] = float("nan")
    assert flat.clip().item() == 1 and not flat.gradient.any()
    flat.weights += 1
    flat.swap()
    assert torch.equal(layer.weight, before[0]) and torch.equal(flat.mean[:12].view(3, 4), before[0] + 1)


def test_curriculum():
    c = Curriculum()
    assert c.learn({"color": (90, 100)}, {("objects", 2): (80, 100)}) == "objects to level 3"
    assert c.accuracy["color"] == 0.9 and Curriculum(c.state()).levels["objects"] == 3
    assert not c.learn({}, {("objects", 3): (8, 10)})  # too few to tell
    c.at_least(TOP)
    assert set(c.levels.values()) == {TOP}


def test_sizes():
    assert workers.rows_for(60000, (384, 512), 512, 1) < workers.rows_for(60000, (128, 192), 512, 2)
    assert all(sizes.PIXELS[0] <= h * w <= sizes.PIXELS[1] for h, w in (sizes.pick(random.Random(i)) for i in range(50)))


def test_wordings():
    """Every task has wordings in and out of training, and neither draws the other's."""
    assert set(CALLED) == set(SHAPES)
    for name in TEXT:
        for language in ("en", "zh"):
            trained, held = skeletons(name, language), skeletons(name, language, held_out=True)
            assert trained and held and not set(trained) & set(held), (name, language)
    texts = {True: set(), False: set()}
    for held, r in ((True, HeldOutWordings(1)), (False, random.Random(1))):
        for _ in range(4000):
            texts[held].add(say(r, "count", "en"))
    for held in (True, False):
        others = {bare(s) for s in skeletons("count", "en", not held)}
        assert not others & {bare(s) for s in texts[held]}
    for kind in ("objects", "pair", "diagram", "chart"):
        for r in (random.Random(2), HeldOutWordings(2)):
            asked = conversations(r, make(random.Random(3), kind, 192, 256, 5))
            assert len({c.task for c in asked}) >= 4 and all(a and q for c in asked for q, a in c.turns)


def test_pairs():
    """What is said to differ does, and nothing else."""
    for i in range(60):
        f = make(random.Random(i), "pair", 160, 160, 1 + i % 6).facts
        a, b = ({(t["colour"], t["shape"], t["x"], t["y"]) for t in f[k]} for k in ("objects", "others"))
        expected = {"same": (0, 0), "colour": (1, 1), "more": (0, 1), "fewer": (1, 0)}[f["change"]]
        assert (len(a - b), len(b - a)) == expected, f


def tiny_config():
    with open(os.path.join(DEMO, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    config["vision_config"].update(
        hidden_size=32, num_heads=1, depth=3, intermediate_size=48, out_hidden_size=64, deepstack_visual_indexes=[0, 2]
    )
    config["text_config"].update(
        hidden_size=64, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=2, intermediate_size=96
    )
    return config


def run_train(*options):
    began = time.monotonic()
    command = [sys.executable, os.path.join(HERE, "train.py"), "--device", "cpu", "--workers", "1", "--threads", "1"]
    command += ["--budget", "900", "--length", "384", "--valid-pictures", "1", "--log", "1", "--learn", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout, time.monotonic() - began


def test_orthogonal():
    for shape in ((3, 48, 40), (3, 200, 48), (3, 48, 200)):  # squarish, tall and wide
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape), torch.float32))
        assert 0.3 < values.min() and values.max() < 1.3, (shape, values.min(), values.max())


def test_run():
    """A run of a tiny model ends by its deadline with everything written, and its export is a beginning."""
    with tempfile.TemporaryDirectory() as folder:
        base, out, export = (os.path.join(folder, n) for n in ("base", "run", "export"))
        os.makedirs(base)
        shutil.copy(os.path.join(DEMO, "tokenizer.json"), base)
        with open(os.path.join(base, "config.json"), "w", encoding="utf-8") as f:
            json.dump(tiny_config(), f)
        os.makedirs(out)
        with open(os.path.join(out, "tags.json"), "w", encoding="utf-8") as f:
            json.dump(["colour:red", "shape:circle"], f)
        text, seconds = run_train("--out", out, "--config", base, "--export", export, "--deadline", "25", "--reserve", "9", "--labelled", "3")
        assert seconds < 27 and "final step" in text and "Traceback" not in text, text
        assert {"weights.part0", "config.json", "tokenizer.json", "state.json", "log.txt"} == set(os.listdir(export))
        with open(os.path.join(export, "state.json"), encoding="utf-8") as f:
            state = json.load(f)
        assert state["counts"]["step"] > 0 and set(state["curriculum"]["levels"].values()) == {TOP}, state
        more = os.path.join(folder, "more")
        text, _ = run_train("--out", more, "--init", export, "--minutes", "0.05", "--smoke", "1")
        assert "parts: " in text and "chart:6" in text, text


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            began = time.monotonic()
            test()
            print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    print("all good")


if __name__ == "__main__":
    main()

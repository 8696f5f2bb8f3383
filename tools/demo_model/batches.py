"""Rows of tokens from scenes: one picture's prefix, then as many of its conversations as fit, kept apart by the mask
(model.visible).

A row is `length` tokens. Per token: `ids`, `branch` (0: the prefix; each conversation has a number of its own), `doc`
(which picture of the row), `upward` (whether it sees the prefix) and M-RoPE `positions`. Reading a picture once for six
or ten questions is what makes training on a CPU possible at all.

Everything that needs a search is found here, in the processes that draw, and handed on as index arrays (`seen`, `take`,
`present`): on a GPU a search makes the CPU wait. Drawing is what a GPU would wait for, so a process keeps its latest
scenes and asks about each up to three times.
"""
import json
import os
import random
import traceback
from collections import Counter, deque
from dataclasses import replace

import numpy as np

import sizes
from curriculum import KIND_INDEX, LEVELS, TASK_INDEX, TOP
from files import write_json
from pictures import KINDS, make, written
from questions import conversations, talk

try:
    from rendered import Pool
except ImportError:  # pictures drawn by other programs are a help, not a need
    Pool = None

SYSTEMS = [
    "You are a helpful assistant.",
    "你是一个有用的助手。",
    "You are Qwen, a helpful vision assistant.",
    "请简短回答。",
    "Answer briefly.",
]
SLACK = {"box": 2, "hit": 1, "near": 4}  # tokens of an answer with coordinates that may be others
KEPT, ASKED = 40, 3  # scenes a process keeps for each size, and how often one is asked about
CHAINED = 0.35  # share of conversations that go on from the one before, as people ask on about a picture
UNTHOUGHT = 0.06  # share of conversations asked with thinking that need none
NO_THOUGHT = {"en": "Nothing to calculate here.", "zh": "这里不用计算。"}
THOUGHTFUL = ("arith", "count", "count_attr", "chart_diff")  # with thinking there is something to think
LABELLED = dict(written=6, window=1, chart=1.5, objects=1)  # kinds of the pictures that bring labels alone, and their shares
RENDERED = 0.18  # share of pictures from the pool of other programs', of the kinds it has


def tag_names(path, scenes=1200):
    """The labels of the vision stage: those that turn up often enough to be learnt. Kept in the run's folder: the
    head's order depends on it."""
    if not os.path.exists(path):
        r, seen = random.Random(3), Counter()
        for i in range(scenes):
            kind = list(KINDS)[i % len(KINDS)]
            seen.update({t[4] for t in make(r, kind, *sizes.pick(r, 0.1)).tags})
        write_json(path, sorted(t for t, n in seen.items() if n >= 4))
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Tokens:
    """The tokenizer and its control tokens."""

    def __init__(self, folder):
        from tokenizers import Tokenizer

        self.tokenizer, self.cache = Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), {}
        i = self.tokenizer.token_to_id
        self.image, self.video, self.vision_start, self.vision_end = (
            i("<|image_pad|>"),
            i("<|video_pad|>"),
            i("<|vision_start|>"),
            i("<|vision_end|>"),
        )
        self.start, self.end, self.pad, self.newline = (
            i("<|im_start|>"),
            i("<|im_end|>"),
            i("<|endoftext|>"),
            self.encode("\n"),
        )

    def encode(self, text):
        found = self.cache.get(text)
        if found is None:
            found = self.tokenizer.encode(text, add_special_tokens=False).ids
            if len(self.cache) < 200_000:
                self.cache[text] = found
        return found

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)


class Row:
    """A row being filled."""

    FIELDS = ("ids", "labels", "branch", "upward", "doc", "positions")

    def __init__(self, tokens, length):
        self.t, self.length = tokens, length
        self.data = {f: [] for f in self.FIELDS}
        self.branches, self.docs, self.asked, self.level = 0, 0, [], 0

    def room(self):
        return self.length - len(self.data["ids"])

    def put(self, ids, labels, branch, upward, positions):
        d = self.data
        d["ids"] += ids
        d["labels"] += labels
        d["branch"] += [branch] * len(ids)
        d["upward"] += [upward] * len(ids)
        d["doc"] += [self.docs] * len(ids)
        d["positions"] += positions

    def prefix(self, r, scene):
        """System message at times, then the user's turn up to the end of the picture or video. Returns the next
        position."""
        t, ids, positions, following = self.t, [], [], 0

        def text(x):
            nonlocal following
            ids.extend(x)
            positions.extend((following + i,) * 3 for i in range(len(x)))
            following += len(x)

        def picture(pad, gh, gw):
            nonlocal following
            text([t.vision_start])
            ids.extend([pad] * (gh * gw))
            positions.extend((following, following + y, following + x) for y in range(gh) for x in range(gw))
            following += max(gh, gw)
            text([t.vision_end])

        if r.random() < 0.15:
            text([t.start] + t.encode("system\n" + r.choice(SYSTEMS)) + [t.end] + t.newline)
        text([t.start] + t.encode("user\n"))
        if scene.frames is None:
            for _ in scene.parts():
                picture(t.image, scene.height // 32, scene.width // 32)
        else:
            for seconds in scene.times:
                text(t.encode("<%.1f seconds>" % seconds))
                picture(t.video, scene.height // 32, scene.width // 32)
        self.docs += 1
        self.put(ids, [-100] * len(ids), 0, 1, positions)
        return following

    def add(self, chain, base):
        """Conversations, one going on from the other, behind the prefix that ends at position `base`; False where they do
        not fit."""
        t, ids, labels, asked = self.t, [], [], []
        opening, alone, at = [t.start] + t.encode("user\n"), chain[0].alone, len(self.data["ids"])
        for c in chain:
            first = at + len(ids)
            for question, answer in c.turns:
                ask = (
                    (opening if ids or alone else [])
                    + t.encode(question)
                    + [t.end]
                    + t.newline
                    + [t.start]
                    + t.encode("assistant\n")
                )
                if c.thinking:  # the template opens the thought
                    ask, answer = ask + t.encode("<think>\n"), answer.removeprefix("<think>\n")
                reply = t.encode(answer) + [t.end]
                ids += ask + reply + t.newline
                labels += [-100] * len(ask) + reply + [-100] * len(t.newline)
            asked.append((c.task, c.language, first, at + len(ids), c.region, self.level))
        if len(ids) > self.room():
            return False
        self.branches += 1
        start = 0 if alone else base
        self.put(ids, labels, self.branches, 0 if alone else 1, [(start + i,) * 3 for i in range(len(ids))])
        self.asked += asked
        return True

    def finish(self):
        n, d = self.room(), self.data
        for name, filler in zip(self.FIELDS, (self.t.pad, -100, -1, 0, 0, (0, 0, 0))):
            d[name] += [filler] * n
        out = {f: np.array(d[f], np.int32) for f in self.FIELDS}
        out["positions"] = out["positions"].T.copy()
        return out


def thoughtless(r, conversation):
    """Now and then the same question asked with thinking, which begins with a thought that nothing is to be thought about."""
    c = conversation
    if c.thinking or len(c.turns) > 1 or c.task in THOUGHTFUL or r.random() >= UNTHOUGHT:
        return c
    ((question, answer),) = c.turns
    return replace(c, thinking=True, turns=[(question, f"<think>\n{NO_THOUGHT[c.language]}\n</think>\n\n{answer}")])


def chains(r, conversations):
    """Lists of conversations in the order given: some go on from the one before. One with a thought is the last of its
    list, since the template leaves thoughts out of what lies behind; most stay with their language."""
    out = []
    for c in conversations:
        last = out[-1][-1] if out else None
        joins = last and not (last.thinking or last.alone or c.alone) and len(out[-1]) < 4
        if joins and r.random() < (CHAINED if c.language == last.language else CHAINED / 3):
            out[-1].append(c)
        else:
            out.append([c])
    return out


class Drawn:
    """A scene ready to be asked about: its pixels are taken once, and the large picture behind them let go."""

    def __init__(self, scene, kind, level):
        self.scene, self.kind, self.level, self.uses = scene, kind, level, 0
        if scene.frames is None:
            self.pictures = [np.ascontiguousarray(s.pixels) for s in scene.parts()]
            self.tags = [s.tags for s in scene.parts()]
        for s in scene.parts():
            s.canvas.image = s.canvas.draw = None


class Batcher:
    """Batches from one stream of random numbers. `tags`: the names of the vision labels, or None for none."""

    def __init__(self, tokenizer_folder, length=512, tags=None, most=10):
        self.tokens, self.length, self.most = Tokens(tokenizer_folder), length, most
        self.tags = {t: i for i, t in enumerate(tags)} if tags else None
        self.kept, self.faults = {}, 0
        folder = os.environ.get("QVL_DEMO_POOL", "build/demo_pool")
        self.pool = Pool(folder) if Pool and os.path.isdir(folder) else None

    def draw(self, r, curriculum, size, kind, level, test, frames):
        level = level or curriculum.pick_level(r, kind)
        scene = None
        if self.pool and not test and kind != "video" and r.random() < RENDERED:
            scene = self.pool.scene(r, kind, *size)
            level = LEVELS - 1 if scene is not None else level  # has no level: counts for none
        scene = scene if scene is not None else make(r, kind, *size, level, test, frames)
        return Drawn(scene, kind, level)

    def scene(self, r, curriculum, size, kind=None, level=None, test=False, frames=4, reuse=0.0):
        """A fresh scene, or with probability `reuse` one of the latest of this size."""
        kept = self.kept.setdefault((size, kind == "video", frames if kind == "video" else 0), deque(maxlen=KEPT))
        if kept and r.random() < reuse:
            drawn = kept[r.randrange(len(kept))]
        else:
            drawn = self.draw(r, curriculum, size, kind or curriculum.pick_kind(r, video=False), level, test, frames)
            if reuse:
                kept.append(drawn)
        drawn.uses += 1
        if drawn.uses >= ASKED and drawn in kept:
            kept.remove(drawn)
        return drawn

    def row(self, r, curriculum, size, single=False, **how):
        """A row and what is on its pictures. A video's row holds videos only."""
        row, scenes = Row(self.tokens, self.length), []
        while True:
            try:
                drawn = self.scene(r, curriculum, size, **how)
                asked = curriculum.order(r, drawn.kind, conversations(r, drawn.scene))
                asked = [[c] for c in asked] if single else chains(r, [thoughtless(r, c) for c in asked])
                aside = talk(r, how.get("test", False)) if r.random() < 0.3 else None
            except Exception:  # one scene in thousands that cannot be drawn costs that scene, not the batch
                self.faults += 1
                if self.faults <= 3:
                    traceback.print_exc()
                if self.faults > 10_000:
                    raise
                continue
            base, before = row.prefix(r, drawn.scene), row.branches
            row.level = KIND_INDEX[drawn.kind] * LEVELS + drawn.level
            most = len(row.asked) + self.most
            for chain in asked:
                if len(row.asked) < most or single:
                    row.add(chain, base)
            if aside:
                row.add([aside if single else thoughtless(r, aside)], base)
            scenes.append(drawn)
            merged = size[0] * size[1] // 1024
            least = 2 * merged + 70 if how.get("kind") != "video" else how["frames"] // 2 * (merged + 10) + 60
            if single or row.room() < least or row.branches == before:
                return row, scenes

    def labelled(self, r, curriculum, count):
        """`count` small pictures that are not asked about: reading a character is learnt from many pictures and the labels under
        their patches, and without a language model behind it a picture costs a tenth."""
        size, kinds, pictures, tags = sizes.pick(r, 0.0), list(LABELLED), [], []
        while len(pictures) < count:
            kind = r.choices(kinds, list(LABELLED.values()))[0]
            scene = written(r, *size) if kind == "written" else make(r, kind, *size, curriculum.pick_level(r, kind))
            pictures.append(np.ascontiguousarray(scene.pixels))
            tags.append(scene.tags)
        return dict(extra=np.stack(pictures), extra_present=present(tags, self.tags, *size))

    def batch(self, r, curriculum, rows, videos=0, size=None, labelled=0, **how):
        """rows with pictures of one size, `videos` rows of videos of one length and size, and `labelled` pictures without
        questions, as numpy arrays."""
        size, frames = size or sizes.pick(r), r.choice((2, 4, 4, 6, 8))
        side = r.choices(list(sizes.VIDEOS), list(sizes.VIDEOS.values()))[0]
        made, drawn, clips = [], [], []
        for i in range(rows + videos):
            video = i >= rows
            row, scenes = self.row(
                r,
                curriculum,
                (side, side) if video else size,
                **({**how, "kind": "video"} if video else how),
                frames=frames,
            )
            made.append(row)
            (clips if video else drawn).extend(scenes)
        done = [row.finish() for row in made]
        out = {f: np.stack([d[f] for d in done]) for f in Row.FIELDS}
        pictures, tags = [p for d in drawn for p in d.pictures], [t for d in drawn for t in d.tags]
        out["pictures"] = np.stack(pictures) if pictures else None
        out["videos"] = np.stack([d.scene.frames for d in clips]) if clips else None
        out["asked"] = [row.asked for row in made]
        out["present"] = present(tags, self.tags, *size) if self.tags and pictures else None
        out.update(self.indexes(out, made))
        if labelled and self.tags:
            out.update(self.labelled(r, curriculum, labelled))
        return out

    def indexes(self, out, made):
        """seen: places of visual tokens; take: places whose next token counts, with `target`, that token, and
        `question`, the question it belongs to; question_task, question_level, question_slack: of every question."""
        ids, labels = out["ids"], out["labels"].copy()
        labels[:, 0] = -100
        take = np.nonzero(labels.reshape(-1) >= 0)[0]
        number, count, task, level, slack = np.zeros(ids.shape, np.int32), 0, [], [], []
        for i, row in enumerate(made):
            for name, _, first, end, region, at_level in row.asked:
                number[i, first:end] = count
                count += 1
                task.append(TASK_INDEX.get(name, len(TASK_INDEX)))
                level.append(at_level)
                slack.append(sum(SLACK[k] for k in region or ()))
        return dict(
            seen=np.nonzero(((ids == self.tokens.image) | (ids == self.tokens.video)).reshape(-1))[0].astype(np.int32),
            take=(take - 1).astype(np.int32),
            target=labels.reshape(-1)[take].astype(np.int32),
            question=number.reshape(-1)[take],
            question_task=np.array(task, np.int32),
            question_level=np.array(level, np.int32),
            question_slack=np.array(slack, np.int32),
        )


def present(batch_tags, index, height, width):
    """What lies under each 16-pixel patch: the places of the ones in an array [pictures, merged tokens, 4 quadrants,
    tags]."""
    gh, gw, n, out = height // 16, width // 16, len(index), []
    for p, tags in enumerate(batch_tags):
        for x1, y1, x2, y2, name in tags:
            j = index.get(name)
            if j is None:
                continue
            least = 0.25 * min(max(1e-3, (x2 - x1) * (y2 - y1)), 256.0)
            for cy in range(max(0, int(y1 // 16)), min(gh, int(y2 // 16) + 1)):
                tall = min(y2, cy * 16 + 16) - max(y1, cy * 16)
                for cx in range(max(0, int(x1 // 16)), min(gw, int(x2 // 16) + 1)):
                    wide = min(x2, cx * 16 + 16) - max(x1, cx * 16)
                    if tall > 0 and wide > 0 and wide * tall >= least:
                        cell = (p * (gh * gw // 4) + cy // 2 * (gw // 2) + cx // 2) * 4 + cy % 2 * 2 + cx % 2
                        out.append(cell * n + j)
    return np.unique(np.array(out, np.int32))

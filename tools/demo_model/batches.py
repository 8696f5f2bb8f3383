"""Rows of tokens from scenes: one picture's prefix, then as many of its conversations as fit, kept apart by the mask
(model.visible).

A row is `length` tokens. Per token: `ids`, `labels` (-100 where nothing is asked), `branch` (0: the prefix; each
conversation has a number of its own), `doc` (which picture of the row), `upward` (whether it sees the prefix) and
M-RoPE `positions`. Reading a picture once for six or seven questions is what makes training on a CPU possible at all.

Worker processes make batches (`Workers`) and read the curriculum from a file that the trainer rewrites.
"""
import json
import multiprocessing
import os
import random
import signal
import time
from queue import Empty, Full

import numpy as np

from curriculum import Curriculum
from pictures import make
from questions import conversations, talk

SIZES = [
    (160, 160),
    (128, 192),
    (192, 128),
    (192, 192),
    (160, 192),
    (192, 160),
    (128, 256),
    (256, 128),
]  # height, width
VIDEO = 96
SYSTEMS = [
    "You are a helpful assistant.",
    "你是一个有用的助手。",
    "You are Qwen, a helpful vision assistant.",
    "请简短回答。",
    "Answer briefly.",
]


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
        self.branches, self.docs, self.asked = 0, 0, []

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
            picture(t.image, scene.height // 32, scene.width // 32)
        else:
            for seconds in scene.times:
                text(t.encode("<%.1f seconds>" % seconds))
                picture(t.video, VIDEO // 32, VIDEO // 32)
        self.docs += 1
        self.put(ids, [-100] * len(ids), 0, 1, positions)
        return following

    def add(self, conversation, base):
        """One conversation behind the prefix that ends at position `base`; False where it does not fit."""
        t, ids, labels = self.t, [], []
        opening = [t.start] + t.encode("user\n")
        for i, (question, answer) in enumerate(conversation.turns):
            ask = (
                (opening if i or conversation.alone else [])
                + t.encode(question)
                + [t.end]
                + t.newline
                + [t.start]
                + t.encode("assistant\n")
            )
            if conversation.thinking:  # the template opens the thought
                ask, answer = ask + t.encode("<think>\n"), answer.removeprefix("<think>\n")
            reply = t.encode(answer) + [t.end]
            ids += ask + reply + t.newline
            labels += [-100] * len(ask) + reply + [-100] * len(t.newline)
        if len(ids) > self.room():
            return False
        self.branches += 1
        first, start = len(self.data["ids"]), 0 if conversation.alone else base
        self.put(
            ids, labels, self.branches, 0 if conversation.alone else 1, [(start + i,) * 3 for i in range(len(ids))]
        )
        self.asked.append((conversation.task, conversation.language, first, len(self.data["ids"]), conversation.region))
        return True

    def finish(self):
        n, d = self.room(), self.data
        for name, filler in zip(self.FIELDS, (self.t.pad, -100, -1, 0, 0, (0, 0, 0))):
            d[name] += [filler] * n
        out = {f: np.array(d[f], np.int32) for f in self.FIELDS}
        out["positions"] = out["positions"].T.copy()
        return out


class Batcher:
    def __init__(self, tokenizer_folder, length=320):
        self.tokens, self.length = Tokens(tokenizer_folder), length

    def row(self, r, curriculum, size, kind=None, level=None, test=False, frames=4, single=False):
        """A row and its scenes. A video's row holds videos only."""
        row, scenes = Row(self.tokens, self.length), []
        kind = kind or curriculum.pick_kind(r, video=False)
        while True:
            h, w = (VIDEO, VIDEO) if kind == "video" else size
            scene = make(r, kind, h, w, level or curriculum.pick_level(r, kind), test, frames)
            base, before = row.prefix(r, scene), row.branches
            for c in curriculum.order(r, kind, conversations(r, scene)):
                row.add(c, base)
            if r.random() < 0.3:
                row.add(talk(r, test), base)
            scenes.append(scene)
            least = (h // 32) * (w // 32) + 70 if kind != "video" else frames // 2 * (9 + 10) + 60
            if single or row.room() < least or row.branches == before:
                return row, scenes
            kind = kind if kind == "video" else curriculum.pick_kind(r, video=False)

    def batch(self, r, curriculum, rows, videos=0, size=None, **how):
        """rows with pictures of one size and `videos` rows of videos of one length, as numpy arrays."""
        size, frames = size or r.choices(SIZES, (6, 2, 2, 2, 1, 1, 0.7, 0.7))[0], r.choice((2, 4, 4, 6, 8))
        made, pictures, clips = [], [], []
        for i in range(rows + videos):
            row, scenes = self.row(
                r, curriculum, size, **({**how, "kind": "video"} if i >= rows else how), frames=frames
            )
            made.append(row)
            (clips if i >= rows else pictures).extend(scenes)
        done = [row.finish() for row in made]
        out = {f: np.stack([d[f] for d in done]) for f in Row.FIELDS}
        out["asked"] = [row.asked for row in made]
        out["pictures"] = np.stack([s.pixels for s in pictures]) if pictures else None
        out["videos"] = np.stack([s.frames for s in clips]) if clips else None
        out["tags"] = [s.tags for s in pictures]
        return out


def work(seed, folder, length, rows, videos, curriculum_file, kinds, queue):
    """A worker process: batches without end, by the newest curriculum."""
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's: it saves, then stops its workers
    parent, r, batcher, stamp, curriculum = (
        os.getppid(),
        random.Random(seed),
        Batcher(folder, length),
        None,
        Curriculum(kinds=kinds),
    )
    while os.getppid() == parent:
        try:
            now = os.stat(curriculum_file).st_mtime_ns
            if now != stamp:
                with open(curriculum_file, encoding="utf-8") as f:
                    curriculum, stamp = Curriculum(json.load(f), kinds), now
        except FileNotFoundError:
            pass  # not written yet: begin from nothing
        only_video = kinds == ["video"]
        batch = batcher.batch(r, curriculum, 0 if only_video else rows, rows if only_video else videos)
        while os.getppid() == parent:  # a trainer that was killed takes no more
            try:
                queue.put(batch, timeout=5)
                break
            except Full:
                continue
    os._exit(0)  # without waiting for a reader of the queue


class Workers:
    """Batches from `count` processes."""

    def __init__(self, count, folder, length, rows, videos, curriculum_file, kinds=None, seed=None):
        context = multiprocessing.get_context("spawn")  # fork and threads of torch do not agree
        self.queue = context.Queue(2 * count + 2)
        seed = seed if seed is not None else time.time_ns() % 1_000_000_007
        self.processes = [
            context.Process(
                target=work,
                args=(seed + 7919 * i, folder, length, rows, videos, curriculum_file, kinds, self.queue),
                daemon=True,
            )
            for i in range(count)
        ]
        for p in self.processes:
            p.start()

    def next(self):
        while True:
            try:
                return self.queue.get(timeout=60)
            except Empty as e:
                if not all(p.is_alive() for p in self.processes):
                    raise RuntimeError("a process that draws pictures ended; its message is above") from e

    def stop(self):
        for p in self.processes:
            p.terminate()

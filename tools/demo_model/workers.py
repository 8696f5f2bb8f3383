"""Processes that draw, and the memory through which their batches reach the trainer.

A batch travels as one piece of bytes in a slot of anonymous shared memory, and a short description of it through a
queue: nothing large is pickled, and the trainer copies one piece to the GPU. The processes are forked, before torch has
started anything, and read the curriculum from a file that the trainer rewrites.
"""
import json
import mmap
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from queue import Empty
from typing import NamedTuple

import numpy as np

import sizes
from batches import Batcher
from curriculum import Curriculum

SLOT = 96 << 20  # bytes; memory that no batch touches is never taken
LEFT_HERE = ("asked", "labels")  # of use to the validation only


def pack(batch, slot):
    """Writes a batch's arrays into a slot. Returns (name, type, shape, first byte) of each, and the number of bytes."""
    at, fields = 0, []
    for name, x in batch.items():
        if x is None or name in LEFT_HERE:
            continue
        if at + x.nbytes > len(slot):
            raise ValueError(f"a batch of more than {len(slot)} bytes")
        np.frombuffer(slot, x.dtype, x.size, at)[:] = x.reshape(-1)
        fields.append((name, x.dtype.str, x.shape, at))
        at += -(-x.nbytes // 64) * 64
    return fields, at


def rows_for(budget, size, length, pictures_per_row):
    """Rows of a step: a patch costs about half of what a token of the language model does."""
    patches = size[0] * size[1] // 256
    return max(1, round(budget / (length + 0.5 * patches * pictures_per_row)))


class Settings(NamedTuple):
    """What a drawing process is told, besides the curriculum: all of it fixed for the run."""

    folder: str
    tags: list
    length: int
    budget: int
    video_share: float
    kinds: list
    large: float
    reuse: float
    labelled: int


def step_batch(r, batcher, curriculum, s, per_row):
    """One step's batch. per_row: mean pictures in a row by size, learnt as it goes."""
    size = sizes.pick(r, s.large)
    rows = rows_for(s.budget * curriculum.share, size, s.length, per_row.get(size, 1.5))
    videos = rows if s.kinds == ["video"] else int(rows * s.video_share + r.random())  # few rows: not in every step
    batch = batcher.batch(r, curriculum, rows - videos, videos, size, reuse=s.reuse, labelled=s.labelled)
    if rows > videos:
        per_row[size] = 0.7 * per_row.get(size, 1.5) + 0.3 * len(batch["pictures"]) / (rows - videos)
    return batch


def work(seed, settings, curriculum_file, slots, free, full):
    """A drawing process: batches without end, by the newest curriculum. A scene that cannot be drawn is told and left
    out."""
    os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's: it saves, then stops its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent, r, per_row, stamp, faults = os.getppid(), random.Random(seed), {}, None, 0
    batcher, curriculum = Batcher(settings.folder, settings.length, settings.tags), Curriculum(kinds=settings.kinds)
    while os.getppid() == parent:
        try:
            now = os.stat(curriculum_file).st_mtime_ns
            if now != stamp:
                with open(curriculum_file, encoding="utf-8") as f:
                    curriculum, stamp = Curriculum(json.load(f), settings.kinds), now
        except FileNotFoundError:
            pass  # not written yet: begin from nothing
        slot = None
        try:
            began = time.monotonic()
            batch = step_batch(r, batcher, curriculum, settings, per_row)
            took = time.monotonic() - began
            asked = sum(map(len, batch["asked"]))
            slot = take_slot(free, parent)
            fields, size = pack(batch, slots[slot])
        except Exception:
            if slot is not None:
                free.put(slot)
            faults += 1
            if faults <= 3:
                print(f"drawing process {seed}: fault {faults}", file=sys.stderr)
                traceback.print_exc()
            time.sleep(0.05)
            continue
        full.put((slot, fields, size, asked, took))
    os._exit(0)  # without waiting for a reader of the queue


def take_slot(free, parent):
    while True:
        try:
            return free.get(timeout=5)
        except Empty:
            if os.getppid() != parent:  # a trainer that was killed takes no more
                os._exit(0)


class Workers:
    """Batches from `count` forked processes."""

    def __init__(self, count, settings, curriculum_file, seed=None, ahead=2):
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        context = multiprocessing.get_context("fork")
        self.slots = [mmap.mmap(-1, SLOT) for _ in range((1 + ahead) * count + 2)]
        self.free, self.full = context.Queue(), context.Queue()
        seed = seed if seed is not None else time.time_ns() % 1_000_000_007
        self.processes = [
            context.Process(
                target=work,
                args=(seed + 7919 * i, settings, curriculum_file, self.slots, self.free, self.full),
                daemon=True,
            )
            for i in range(count)
        ]
        for p in self.processes:
            p.start()
        for i in range(len(self.slots)):  # after the start: a queue that has been written to has a thread, and forks badly
            self.free.put(i)

    def next(self):
        """(slot, fields, bytes, questions, seconds it took) of the next batch; give the slot back with `release`."""
        while True:
            try:
                return self.full.get(timeout=60)
            except Empty as e:
                if not any(p.is_alive() for p in self.processes):
                    raise RuntimeError("the processes that draw pictures ended; their messages are above") from e

    def release(self, slot):
        self.free.put(slot)

    def stop(self):
        for q in (self.free, self.full):
            q.cancel_join_thread()
        for p in self.processes:
            p.terminate()
        until = time.monotonic() + 3
        for p in self.processes:
            p.join(max(0.0, until - time.monotonic()))

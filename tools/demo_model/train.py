#!/usr/bin/env python3
"""Trains the demo model on generated pictures.

    # on from the shipped checkpoint, grown first, on a GPU (tools/demo_model/gpu.sh does both)
    python3 tools/demo_model/grow.py --base models/demo --out build/grown
    python3 tools/demo_model/train.py --out RUN --init build/grown --minutes 60 --device cuda --export OUT
    # from nothing: first the vision tower alone, then everything
    python3 tools/demo_model/train.py --out RUN --stage vision --config models/demo --minutes 10 --device cuda
    python3 tools/demo_model/train.py --out RUN --stage joint --minutes 60 --device cuda

A run is a folder: state.pt (weights, optimisers, curriculum, counters: all that is needed to go on), curriculum.json
(read by the processes that draw), tags.json and log.txt. Run the same command again and it picks up where it was;
--minutes counts the time over all such runs of a stage. A stage begun in a folder that holds another stage's state
takes that stage's weights. state.pt is replaced by an atomic rename every --save minutes, after each
stage, and on SIGINT or SIGTERM.

--export FOLDER keeps there, after every validation and at the end, what a machine that is lent for minutes should give
back: the better of the weights and their running mean in parts of at most 15 MiB, config.json, tokenizer.json,
state.json and log.txt. Such a folder is an --init for the next run. --deadline SECONDS, counted from the start of the
process, ends the run in time for the last export.

Without the vision stage joint training from nothing stands still: colours at 30 %, shapes at 15 % after 8,000 pictures
(feasibility study).
"""
import time

STARTED = time.monotonic()

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import multiprocessing  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from collections import Counter  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import validation  # noqa: E402
from batches import Tokens, tag_names  # noqa: E402
from curriculum import KIND_INDEX, LEAST, LEVELS, TASK_INDEX, TASKS, TOP, Curriculum  # noqa: E402
from export import write_parts  # noqa: E402
from files import write_json  # noqa: E402
from model import Linear, load_model  # noqa: E402
from optimizer import Flat, optimizers, set_rate  # noqa: E402
from workers import LEFT_HERE, Settings, Workers  # noqa: E402

TOWER = ("model.visual.blocks.", "model.visual.patch_embed.", "model.visual.pos_embed.")  # without what hands on to the language model
LONGEST = 30  # seconds that a step counts for at most: a process that was stopped meanwhile did not train
LET_GO = 0.15  # of the time, at its end, in which the labels' weight in the joint stage falls to nothing
INDEXES = ("ids", "branch", "doc", "seen", "take", "target", "question", "question_task", "question_level", "present", "extra_present")


def fast_bfloat16(device):
    """Whether bfloat16 products gain anything here. On a CPU only a try tells: its own instructions for them may be half as fast as
    float32's, as on an Intel processor whose AMX is switched off."""
    if device == "cuda":
        return True
    a, seconds = torch.randn(2048, 256), {}
    for dtype in (torch.float32, torch.bfloat16):
        x, least = a.to(dtype), math.inf
        for _ in range(6):
            began = time.perf_counter()
            x @ x[:1024].T
            least = min(least, time.perf_counter() - began)
        seconds[dtype] = least
    return seconds[torch.bfloat16] < seconds[torch.float32]


def tag_loss(features, head, present):
    """Binary cross-entropy of the labels under each patch, those present weighed thrice: nearly all are absent. A picture without any,
    as some other programs' are, counts for nothing: not labelled is not absent. Returns the loss and the share of those
    present that was found, as tensors."""
    logits = head(features).float()
    target = torch.zeros_like(logits)
    target.view(-1).index_fill_(0, present, 1.0)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (1 + 2 * target) * target.amax((1, 2), keepdim=True)
    found = ((logits.detach() > 0) & (target > 0)).sum() / target.sum().clamp(min=1)
    return loss.sum() / (4 * features.shape[0] * features.shape[1]), found


def question_weights(question, questions):
    """Weights of the answers' tokens, 1 on average: by the root of the answer's length, between every token the same, with
    which a page's markup outweighs thirty colours, and every answer the same. question: the number of each token's."""
    lengths = torch.zeros(questions, device=question.device).index_add_(0, question, torch.ones_like(question, dtype=torch.float32))
    weights = lengths.clamp(min=1).rsqrt()[question]
    return weights / weights.mean()


def typed(tensors):
    """Index arrays as torch wants them."""
    return {k: v.long() if k in INDEXES else v for k, v in tensors.items()}


def from_numpy(batch, device):
    """A whole batch, as validation holds it, on the device."""
    return typed(
        {k: torch.from_numpy(v).to(device) for k, v in batch.items() if v is not None and k not in LEFT_HERE}
    )


class Loader:
    """Takes batches from the workers to the device: one copy a batch, which the GPU makes while it computes."""

    PINNED = 3

    def __init__(self, workers, device):
        self.workers, self.device, self.buffers, self.turn = workers, device, [None] * self.PINNED, 0

    def next(self):
        """(tensors, questions asked, seconds spent waiting, seconds it took to draw)."""
        t = time.monotonic()
        slot, fields, size, asked, took = self.workers.next()
        waited = time.monotonic() - t
        raw = torch.frombuffer(self.workers.slots[slot], dtype=torch.uint8, count=size)
        data = self.pinned(raw) if self.device == "cuda" else raw.clone()
        self.workers.release(slot)
        views = {}
        for name, kind, shape, at in fields:
            n = int(np.prod(shape)) * np.dtype(kind).itemsize
            views[name] = data[at : at + n].view(torch.from_numpy(np.empty(0, kind)).dtype).view(shape)
        return typed(views), asked, waited, took

    def pinned(self, raw):
        i, self.turn = self.turn, (self.turn + 1) % self.PINNED
        if self.buffers[i] is not None:
            self.buffers[i][1].synchronize()  # its last copy is three steps ago
        if self.buffers[i] is None or len(self.buffers[i][0]) < len(raw):
            self.buffers[i] = (torch.empty(len(raw) * 5 // 4, dtype=torch.uint8, pin_memory=True), torch.cuda.Event())
        memory, event = self.buffers[i]
        memory[: len(raw)].copy_(raw)
        data = memory[: len(raw)].to(self.device, non_blocking=True)
        event.record()
        return data


class Run:
    """A training run: its folder, its state and its log."""

    def __init__(self, a, tags):
        self.a, self.stop, self.tags = a, False, tags
        self.config_folder = a.init or a.config
        state = self.load()
        self.model = load_model(self.config_folder, weights=bool(a.init) and state is None)
        self.model.dtype = torch.bfloat16 if a.bfloat16 else torch.float32
        self.head = Linear(self.model.config["text_config"]["hidden_size"], 4 * len(self.tags))
        # a trained tower gives large features, and a random head on them a huge loss
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.constant_(self.head.bias, -4.5)
        self.counts = dict(step=0, seconds=0.0, pictures=0, questions=0, tokens=0)
        same = state is not None and state["stage"] == a.stage  # the vision stage's levels are all at the top: no beginning
        self.curriculum = Curriculum(state["curriculum"] if same else earlier(a.init), a.kinds)
        self.curriculum.favour = {k: float(v) for k, v in (x.split("=") for x in a.favour)}
        if state:
            self.model.load_state_dict(state["model"])
            self.head.load_state_dict(state["head"])
        self.model.to(a.device)
        self.head.to(a.device)
        if a.keep_tower:
            for name, p in self.model.named_parameters():
                p.requires_grad_(not name.startswith(TOWER))
        self.flat, self.head_flat = Flat(self.model.parameters()), Flat(self.head.parameters())
        self.opts = optimizers(self.model, self.head, a.lr, a.vision_lr, self.model.dtype)
        if state:
            self.flat.mean.copy_(state["mean"])
        if same:
            self.counts = state["counts"]
            self.flat.steps = self.counts["step"]
            for o, s in zip(self.opts, state["optimizers"]):
                bases = [g["base"] for g in o.param_groups]
                o.load_state_dict(s)
                for g, base in zip(o.param_groups, bases):  # the rate asked for now
                    g["base"] = base
        self.budget = 60 * a.minutes  # seconds of training; train() takes off what the deadline does not leave
        self.decode = Tokens(tokenizer_folder(a)).decode
        self.by_task = torch.zeros(len(TASK_INDEX) + 1, 2, device=a.device)
        self.by_level = torch.zeros(len(KIND_INDEX) * LEVELS, 2, device=a.device)
        self.sums = torch.zeros(4, device=a.device)  # loss, answer's loss, labels found, gradients left out
        self.times, self.best = None, ("weights", 0.0)
        self.compiled = a.compile
        if a.compile:
            for block in (*self.model.model.visual.blocks, *self.model.model.language_model.layers):
                block.compile(dynamic=True)
        self.publish()

    def publish(self):
        """Hands the curriculum to the processes that draw. The vision stage has none: it sees pictures of every
        level."""
        if self.a.stage == "vision":
            self.curriculum.at_least(TOP)
        write_json(self.path("curriculum.json"), self.curriculum.state())

    def path(self, name):
        return os.path.join(self.a.out, name)

    def load(self):
        if not os.path.exists(self.path("state.pt")):
            return None
        return torch.load(self.path("state.pt"), map_location="cpu", weights_only=True)

    def save(self):
        state = dict(
            stage=self.a.stage,
            model=self.model.state_dict(),
            head=self.head.state_dict(),
            mean=self.flat.mean,
            optimizers=[o.state_dict() for o in self.opts],
            counts=self.counts,
            curriculum=self.curriculum.state(),
            config=self.config_folder,
        )
        torch.save(state, self.path("state.pt.new"))
        os.replace(self.path("state.pt.new"), self.path("state.pt"))

    def export(self):
        """Writes what goes back from a lent machine: the better of the weights and their mean."""
        if not self.a.export:
            return
        mean = self.best[0] == "mean"
        if mean:
            self.flat.swap()
        try:
            write_parts(self.model.state_dict(), self.config_folder, tokenizer_folder(self.a), self.a.export)
        finally:
            if mean:
                self.flat.swap()
        state = dict(counts=self.counts, curriculum=self.curriculum.state(), exported=self.best, tags=self.tags)
        write_json(os.path.join(self.a.export, "state.json"), state)

    def log(self, text):
        text = f"[{time.monotonic() - STARTED:6.1f}] {text}"
        print(text, flush=True)
        for folder in {self.a.out, self.a.export or self.a.out}:
            with open(os.path.join(folder, "log.txt"), "a", encoding="utf-8") as f:
                f.write(text + "\n")

    def progress(self):
        return min(1.0, self.counts["seconds"] / max(1e-6, self.budget))

    def rate(self, p):
        """The learning rate's factor: a short rise, constant, then a cosine down to 2 % over the rest of the time."""
        down = 1.0 if p < self.a.constant else 0.02 + 0.98 * (1 + math.cos(math.pi * (p - self.a.constant) / (1 - self.a.constant))) / 2
        return min(1, (self.counts["step"] + 1) / self.a.warm) * down

    def mark(self, part, waited=0.0):
        """Adds the time since the last mark, less what was spent waiting for drawn pictures, to a part of the step; only
        in a smoke run, since it waits for the GPU."""
        if self.times is None:
            return
        if self.a.device == "cuda":
            torch.cuda.synchronize()
        now = time.monotonic()
        self.times[part] += now - self.marked - waited
        self.times["waiting"] += waited
        self.marked = now

    def step(self, t):
        """One step on a batch of tensors. Nothing in it waits for the GPU."""
        p = self.progress()
        set_rate(self.opts, self.rate(p))
        loss = self.vision_loss(t) if self.a.stage == "vision" else self.joint_loss(t, p)
        self.mark("forward")
        loss.backward()
        self.mark("backward")
        left_out = self.flat.clip()
        self.head_flat.clip()
        for o in self.opts:
            o.step()
        for flat in (self.flat, self.head_flat):
            flat.gradient.zero_()
        self.flat.average(self.a.mean_decay)
        self.sums += torch.stack([loss.detach(), self.answer, self.found, left_out])
        self.mark("optimiser")
        self.counts["step"] += 1
        self.counts["tokens"] += t["ids"].numel()
        self.counts["pictures"] += sum(len(t[k]) for k in ("pictures", "videos") if k in t)

    def vision_loss(self, t):
        tokens, deep = self.model.model.visual(t["pictures"][:, None], self.model.dtype)
        loss, self.found = tag_loss(tokens, self.head, t["present"])
        for d in deep:  # DeepStack's mergers see no other loss in this stage
            loss = loss + 0.25 * tag_loss(d, self.head, t["present"])[0]
        self.answer = torch.zeros_like(self.found)
        return loss

    def joint_loss(self, t, p):
        hidden, features = self.model(t)
        chosen = hidden.reshape(-1, hidden.shape[-1]).index_select(0, t["take"])
        logits = self.model.logits(chosen).float()
        each = F.cross_entropy(logits, t["target"], reduction="none")
        loss = (each * question_weights(t["question"], len(t["question_task"]))).mean()
        self.answer, self.found = each.detach().mean(), torch.zeros_like(loss.detach())
        self.tally(logits.detach().argmax(-1), t)
        weight = self.a.tag_weight * min(1.0, (1 - p) / LET_GO)
        if weight and "present" in t:
            tags, self.found = tag_loss(features[0], self.head, t["present"])
            loss = loss + weight * tags
        if weight and "extra" in t:
            tokens, _ = self.model.model.visual(t["extra"][:, None], self.model.dtype)
            loss = loss + weight * tag_loss(tokens, self.head, t["extra_present"])[0]
        return loss

    def tally(self, given, t):
        """Counts the questions that were right, by task and by level; one with coordinates may be a digit or two
        off."""
        wrong = (given != t["target"]).float()
        missed = torch.zeros(len(t["question_task"]), device=wrong.device).index_add_(0, t["question"], wrong)
        right = (missed <= t["question_slack"]).float()
        pair = torch.stack([right, torch.ones_like(right)], 1)
        self.by_task.index_add_(0, t["question_task"], pair)
        self.by_level.index_add_(0, t["question_level"], pair)

    def learn(self):
        """Moves the curriculum by what was right since the last time."""
        tasks, levels = self.by_task.tolist(), self.by_level.tolist()
        for counted in (self.by_task, self.by_level):  # what was asked too rarely to tell is counted on
            counted[counted[:, 1] >= LEAST] = 0
        by_level = {(k, v): levels[i * LEVELS + v] for k, i in KIND_INDEX.items() for v in range(1, TOP + 1)}
        changes = self.curriculum.learn({t: tasks[i] for t, i in TASK_INDEX.items()}, by_level)
        self.curriculum.at_least(1 + int((TOP - 1) * min(1.0, self.progress() / self.a.constant)))
        self.publish()
        if changes:
            self.log(f"step {self.counts['step']}: {changes}")

    def validate(self, final=False):
        """Measures the weights and their mean and logs one line with the accuracy of every task. Returns whether there
        was a set to measure on."""
        batches = validation.read_batches(self.path("valid.pickle"))
        if batches is None:
            return False
        began, tallies = time.monotonic(), {}
        with self.eager():
            for name in ("weights", "mean"):
                if name == "mean":
                    self.flat.swap()
                try:
                    tallies[name] = validation.measure(
                        self.model, batches, lambda b: from_numpy(b, self.a.device), self.decode
                    )
                finally:
                    if name == "mean":
                        self.flat.swap()
        name = max(tallies, key=lambda n: tallies[n].mean())
        self.best = (name, round(tallies[name].mean(), 4))
        by_task = " ".join(f"{t}={tallies[name].rate(t):.2f}" for t in sorted(tallies[name].by_task))
        means = ", ".join(f"{n} {tally.mean():.3f}" for n, tally in tallies.items())
        self.log(
            f"{'final' if final else 'valid'} step {self.counts['step']}: {means} ({time.monotonic() - began:.1f} s) {by_task}"
        )
        return True

    def eager(self):
        """Measuring without gradients would compile the blocks once more."""
        if self.compiled:
            return torch.compiler.set_stance("force_eager")
        return torch.no_grad()

    def survive(self, fault):
        """What to do about an exception in a step: tell it, and go on with less."""
        self.log(f"step {self.counts['step']}: {type(fault).__name__}: {str(fault)[:300]}")
        traceback.print_exc()
        for flat in (self.flat, self.head_flat):
            flat.gradient.zero_()
        if isinstance(fault, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            self.curriculum.share = max(0.1, self.curriculum.share / 2)
            self.publish()
        elif self.compiled:
            self.compiled = False
            torch.compiler.set_stance("force_eager")
            self.log("the blocks are no longer compiled")


def earlier(init):
    """The curriculum of an earlier run whose export is --init, or None."""
    path = os.path.join(init or "", "state.json")
    if not init or not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        return {**json.load(f)["curriculum"], "share": 1.0}


def tokenizer_folder(a):
    folder = a.init or a.config
    return folder if os.path.exists(os.path.join(folder, "tokenizer.json")) else a.config


def train(run, workers):
    a, c = run.a, run.counts
    loader, faults = Loader(workers, a.device), 0
    run.log(
        f"{a.stage}: {sum(p.numel() for p in run.model.parameters()):,} parameters, {len(run.tags)} tags, {a.device}, "
        f"{'bfloat16' if a.bfloat16 else 'float32'}, {a.workers} processes draw, from step {c['step']}, "
        f"{c['seconds'] / 60:.1f} of {a.minutes} minutes done"
    )
    left = a.deadline - (time.monotonic() - STARTED) - a.reserve if a.deadline else math.inf
    run.budget = min(run.budget, c["seconds"] + left)
    shown = Shown(run)
    saved = validated = last = time.monotonic()
    while run.progress() < 1 and not run.stop:
        run.mark("other")
        tensors, asked, waited, took = loader.next()
        run.mark("copy", waited)
        if a.smoke and c["step"] >= a.smoke and run.times is None:
            shown.line()
            run.times, run.marked = Counter(), time.monotonic()
        try:
            run.step(tensors)
            c["questions"] += asked
            faults = 0
        except Exception as fault:  # one bad batch must not end a run on a machine lent for minutes
            faults += 1
            if faults > 8:
                raise
            run.survive(fault)
        del tensors
        now = time.monotonic()
        c["seconds"], last = c["seconds"] + min(now - last, LONGEST), now
        shown.add(waited, took)
        if c["step"] % a.learn == 0 and a.stage == "joint":
            run.learn()
        if now - shown.since >= a.log:
            shown.line()
        if a.stage == "joint" and now - validated >= 60 * a.validate and run.validate():
            run.export()
            validated = time.monotonic()
            c["seconds"] += validated - now  # the deadline does not wait for it either
            last = validated
        if now - saved >= 60 * a.save:
            run.save()
            saved = time.monotonic()
    if shown.steps:
        shown.line()


class Shown:
    """What a line of the log says of the steps since the last one."""

    def __init__(self, run):
        self.run = run
        self.reset()

    def reset(self):
        self.since, self.steps, self.waited, self.drawn = time.monotonic(), 0, 0.0, 0.0
        self.before = dict(self.run.counts)

    def add(self, waited, took):
        self.steps, self.waited, self.drawn = self.steps + 1, self.waited + waited, self.drawn + took

    def line(self):
        run, c, n = self.run, self.run.counts, max(1, self.steps)
        loss, answer, found, left_out = (run.sums / n).tolist()  # waits for the GPU, so that the times are true
        run.sums.zero_()
        s = max(1e-6, time.monotonic() - self.since)
        per_second = {k: (c[k] - self.before[k]) / s for k in ("tokens", "pictures", "questions")}
        levels = ",".join(f"{k}:{v}" for k, v in run.curriculum.levels.items())
        run.log(
            f"step {c['step']} {run.progress():.0%} loss {loss:.3f} answer {answer:.3f} recall {found:.2f} | "
            f"{s / n:.3f} s/step, {self.waited / s:.0%} waiting, {per_second['tokens']:.0f} tokens/s, "
            f"{per_second['pictures']:.0f} pictures/s, {per_second['questions']:.0f} questions/s, drawing "
            f"needs {self.drawn / n / run.a.workers:.3f} s/step | {c['pictures']} pictures, levels {levels}"
            + (f" | {left_out * n:.0f} gradients left out" if left_out else "")
        )
        if run.times:
            total = sum(run.times.values())
            run.log("parts: " + ", ".join(f"{k} {v / n * 1000:.1f} ms {v / total:.0%}" for k, v in run.times.items()))
            run.times.clear()
        if run.a.device == "cuda":
            run.log(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB at most")
        self.reset()


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="the run's folder")
    p.add_argument("--stage", choices=("vision", "joint"), default="joint")
    p.add_argument("--init", help="begin with this folder's weights: a checkpoint, or what --export wrote")
    p.add_argument("--config", default="models/demo", help="without --init: config.json and tokenizer.json are here")
    p.add_argument("--export", help="folder for the weights in parts, for the next run or export.py")
    p.add_argument("--minutes", type=float, default=60, help="training time of this stage, over all runs")
    p.add_argument("--deadline", type=float, default=0, help="seconds from the start within which all is written")
    p.add_argument("--reserve", type=float, default=18, help="seconds before the deadline to end training")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument(
        "--precision",
        choices=("auto", "bfloat16", "float32"),
        default="auto",
        help="auto: bfloat16 where it is faster",
    )
    p.add_argument("--compile", action="store_true", help="torch.compile the blocks (half a minute at the start)")
    p.add_argument("--budget", type=int, default=0, help="tokens a step, a patch counting half (0: 60000 or 5000)")
    p.add_argument("--length", type=int, default=512, help="tokens a row")
    p.add_argument("--large", type=float, default=0.5, help="share of the steps with large pictures")
    p.add_argument("--video-share", type=float, default=0.08, help="share of the rows that hold videos")
    p.add_argument("--reuse", type=float, default=0.4, help="share of pictures that were drawn and asked about before")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument(
        "--vision-lr",
        type=float,
        default=0.5,
        help="the vision blocks' rate as a share of --lr (1 in the vision stage)",
    )
    p.add_argument("--keep-tower", action="store_true", help="train only what reads the vision tower: for new tokens, in half the time a step")
    p.add_argument("--warm", type=int, default=100, help="steps until the full rate")
    p.add_argument("--constant", type=float, default=0.6, help="share of the time at the full rate, and with levels that follow the accuracy")
    p.add_argument("--mean-decay", type=float, default=0.999, help="of the running mean of the weights")
    p.add_argument(
        "--tag-weight",
        type=float,
        default=0.1,
        help="weight of the labels' loss in the joint stage, until it fades in the end",
    )
    p.add_argument("--labelled", type=int, default=0, help="further pictures a step for the vision labels alone, without questions")
    p.add_argument("--kinds", nargs="*", choices=list(TASKS), help="only these kinds of pictures")
    p.add_argument("--favour", nargs="*", default=[], metavar="NAME=FACTOR", help="take these kinds or tasks so many times as often")
    p.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="processes that draw")
    p.add_argument("--threads", type=int, default=0, help="torch's threads (0: its own choice)")
    p.add_argument("--log", type=float, default=30, help="seconds between lines of the log")
    p.add_argument("--learn", type=int, default=60, help="steps between moves of the curriculum")
    p.add_argument("--validate", type=float, default=6, help="minutes between validations")
    p.add_argument("--valid-pictures", type=int, default=24, help="pictures of each kind")
    p.add_argument("--save", type=float, default=5, help="minutes between checkpoints")
    p.add_argument("--smoke", type=int, default=0, help="after so many steps, time the parts of a step")
    p.add_argument("--seed", type=int, default=0, help="of fresh weights")
    a = p.parse_args()
    a.budget = a.budget or (60000 if a.device == "cuda" else 5000)
    a.constant = min(a.constant, 0.999)  # the rate falls in the end
    unknown = {f.split("=")[0] for f in a.favour} - {*TASKS, *TASK_INDEX}
    if unknown:
        p.error(f"--favour knows kinds ({', '.join(TASKS)}) and tasks ({', '.join(TASK_INDEX)}), not {', '.join(sorted(unknown))}")
    if a.stage == "vision":
        a.vision_lr, a.video_share = 1.0, 0.0
    elif a.kinds and "video" not in a.kinds:
        a.video_share = 0.0
    return a


def main():
    a = arguments()
    for folder in (a.out, a.export):
        if folder:
            os.makedirs(folder, exist_ok=True)
    tags = tag_names(os.path.join(a.out, "tags.json"))
    kinds = a.kinds or list(TASKS)
    valid = (os.path.join(a.out, "valid.pickle"), tokenizer_folder(a), a.valid_pictures, kinds)
    maker = multiprocessing.get_context("fork").Process(target=validation.write_batches, args=valid, daemon=True)
    if a.stage == "joint" and not os.path.exists(valid[0]):
        maker.start()
    labels = tags if a.stage == "vision" or a.tag_weight else None
    settings = Settings(tokenizer_folder(a), labels, a.length, a.budget, a.video_share, a.kinds, a.large, a.reuse, a.labelled)
    workers = Workers(a.workers, settings, os.path.join(a.out, "curriculum.json"))  # before torch has any threads
    torch.manual_seed(a.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.enable_cudnn_sdp(False)  # plans anew for each size of batch
    if a.threads:
        torch.set_num_threads(a.threads)
    a.bfloat16 = a.precision == "bfloat16" or a.precision == "auto" and fast_bfloat16(a.device)
    run = None
    try:
        run = Run(a, tags)

        def end(signum, frame):
            run.stop = True

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        train(run, workers)
    finally:
        workers.stop()
        if run:
            finish(run)
    return 0


def finish(run):
    """The last validation and export, and the state to go on from."""
    if run.a.stage == "joint" and not run.a.smoke:
        try:
            run.validate(final=True)
        except Exception:  # the weights are worth more than their figures
            traceback.print_exc()
    run.export()
    if run.a.deadline and time.monotonic() - STARTED > run.a.deadline - 5:
        run.log("no time left for state.pt")
        return
    run.save()
    run.log(f"saved {run.path('state.pt')} at step {run.counts['step']}")


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Trains the demo model on generated pictures.

    # from nothing: first the vision tower alone, then everything
    python3 tools/demo_model/train.py --out RUN --stage vision --config models/demo --minutes 10 --device cuda
    python3 tools/demo_model/train.py --out RUN --stage joint --minutes 60 --device cuda
    # on from the shipped checkpoint
    python3 tools/demo_model/train.py --out RUN --stage joint --init models/demo --minutes 60 --device cpu

A run is a folder: state.pt (weights, optimisers, curriculum, counters: all that is needed to go on), curriculum.json
(read by the processes that draw), tags.json and log.txt. Run the same command again and it picks up where it was;
--minutes counts the time over all such runs of a stage. A stage begun in a folder that holds another stage's state
takes that stage's weights and curriculum. state.pt is replaced by an atomic rename every --save minutes, after each
stage, and on SIGINT or SIGTERM.

Without the vision stage joint training stands still: colours at 30 %, shapes at 15 % after 8,000 pictures (feasibility
study).
"""
import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F

import validation
from batches import SIZES, Workers
from curriculum import TASKS, TOP, Curriculum
from model import load_model
from optimizer import optimizers, set_rate
from pictures import KINDS, make

WARM_STEPS = 40


def fast_bfloat16(device):
    """Whether bfloat16 products gain anything here: on CPUs only with their own instructions."""
    if device == "cuda":
        return True
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return any(flag in f.read() for flag in ("amx_bf16", "avx512_bf16"))
    except OSError:
        return False


def write_json(path, data):
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(data, f, ensure_ascii=False)
    os.replace(path + ".new", path)


def tag_names(path, scenes=1200):
    """The labels of the vision stage: those that turn up often enough to be learnt. Kept in the run's folder: the
    head's order depends on it."""
    if not os.path.exists(path):
        r, seen = random.Random(3), Counter()
        for i in range(scenes):
            kind = list(KINDS)[i % len(KINDS)]
            seen.update({t[4] for t in make(r, kind, *r.choice(SIZES)).tags})
        write_json(path, sorted(t for t, n in seen.items() if n >= 4))
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def tag_targets(batch_tags, names, height, width):
    """bool [pictures, merged tokens, 4 quadrants, tags]: what lies under each 16-pixel patch."""
    index, gh, gw = {t: i for i, t in enumerate(names)}, height // 16, width // 16
    out = np.zeros((len(batch_tags), gh * gw // 4, 4, len(names)), np.bool_)
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
                        out[p, cy // 2 * (gw // 2) + cx // 2, cy % 2 * 2 + cx % 2, j] = True
    return torch.from_numpy(out)


def tag_loss(features, head, targets):
    """Binary cross-entropy of the labels, those present weighed thrice: nearly all are absent."""
    logits = head(features).float().view(*targets.shape)
    target = targets.float()
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (1 + 2 * target)
    found = (logits > 0) & targets
    return loss.sum((-1, -2)).mean() / 4, (found.sum() / targets.sum().clamp(min=1)).item()


def to_device(batch, device):
    """The arrays of a batch as tensors."""

    def tensor(x, kind):
        return None if x is None else torch.from_numpy(x).to(device, kind, non_blocking=True)

    out = {k: tensor(batch[k], torch.long) for k in ("ids", "labels", "branch", "doc")}
    out.update(
        upward=tensor(batch["upward"], torch.bool),
        positions=tensor(batch["positions"], torch.float32),
        pictures=tensor(batch["pictures"], torch.uint8),
        videos=tensor(batch["videos"], torch.uint8),
    )
    return out


class Run:
    """A training run: its folder, its state and its log."""

    def __init__(self, a):
        self.a, self.stop = a, False
        os.makedirs(a.out, exist_ok=True)
        self.tags = tag_names(os.path.join(a.out, "tags.json"))
        self.config_folder = a.init or a.config
        state = self.load()
        self.model = load_model(self.config_folder, weights=bool(a.init) and state is None)
        self.head = torch.nn.Linear(self.model.config["text_config"]["hidden_size"], 4 * len(self.tags))
        torch.nn.init.zeros_(
            self.head.weight
        )  # a trained tower gives large features, and a random head on them a huge loss
        torch.nn.init.constant_(self.head.bias, -4.5)
        self.counts = dict(step=0, seconds=0.0, pictures=0, questions=0)
        self.curriculum = Curriculum(kinds=a.kinds)
        if state:
            self.model.load_state_dict(state["model"])
            self.head.load_state_dict(state["head"])
            self.curriculum = Curriculum(state["curriculum"], a.kinds)
        self.model.to(a.device)
        self.head.to(a.device)
        self.opts = optimizers(self.model, self.head, a.lr, a.vision_lr)
        if state and state["stage"] == a.stage:
            self.counts = state["counts"]
            for o, s in zip(self.opts, state["optimizers"]):
                o.load_state_dict(s)
        self.publish()

    def publish(self):
        """Hands the curriculum to the processes that draw. The vision stage has none: it sees pictures of every
        level."""
        everything = Curriculum({"levels": {k: TOP for k in TASKS}}, self.a.kinds)
        write_json(self.path("curriculum.json"), (everything if self.a.stage == "vision" else self.curriculum).state())

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
            optimizers=[o.state_dict() for o in self.opts],
            counts=self.counts,
            curriculum=self.curriculum.state(),
            config=self.config_folder,
        )
        torch.save(state, self.path("state.pt.new"))
        os.replace(self.path("state.pt.new"), self.path("state.pt"))

    def log(self, text):
        print(text, flush=True)
        with open(self.path("log.txt"), "a", encoding="utf-8") as f:
            f.write(text + "\n")

    def progress(self):
        return min(1.0, self.counts["seconds"] / (60 * self.a.minutes))

    def autocast(self):
        return torch.autocast(self.a.device, torch.bfloat16, enabled=self.a.bfloat16)

    def step(self, batch):
        """One step on a batch. Returns what to log, by name."""
        p = self.progress()
        set_rate(
            self.opts, min(1, (self.counts["step"] + 1) / WARM_STEPS) * (1.0 if p < 0.45 else max(0.02, (1 - p) / 0.55))
        )
        with self.autocast():
            loss, shown = self.vision_loss(batch) if self.a.stage == "vision" else self.joint_loss(batch, p)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if torch.isfinite(norm):  # one bad batch must not end a night's training
            for o in self.opts:
                o.step()
        else:
            self.log(f"step {self.counts['step']}: gradient is not finite; the step is left out")
        for o in self.opts:
            o.zero_grad(set_to_none=True)
        self.counts["step"] += 1
        self.counts["pictures"] += sum(len(batch[k]) for k in ("pictures", "videos") if batch[k] is not None)
        self.counts["questions"] += sum(map(len, batch["asked"]))
        return dict(shown, loss=loss.item())

    def vision_loss(self, batch):
        pictures = torch.from_numpy(batch["pictures"]).to(self.a.device)
        targets = tag_targets(batch["tags"], self.tags, *pictures.shape[1:3]).to(self.a.device)
        tokens, deep = self.model.model.visual(pictures[:, None])
        loss, recall = tag_loss(tokens, self.head, targets)
        for d in deep:  # DeepStack's mergers see no other loss in this stage
            loss = loss + 0.25 * tag_loss(d, self.head, targets)[0]
        return loss, dict(recall=recall)

    def joint_loss(self, batch, p):
        tensors = to_device(batch, self.a.device)
        hidden, features = self.model(tensors)
        labels = tensors["labels"][:, 1:]
        chosen = labels >= 0
        logits = self.model.logits(hidden[:, :-1][chosen]).float()
        loss = answer = F.cross_entropy(logits, labels[chosen])
        shown = dict(answer=answer.item(), tokens=(logits.argmax(-1) == labels[chosen]).float().mean().item())
        weight = self.a.tag_weight * max(0.0, 1 - p / 0.6)  # the labels steady the beginning, and then let go
        if weight and batch["pictures"] is not None:
            targets = tag_targets(batch["tags"], self.tags, *batch["pictures"].shape[1:3]).to(self.a.device)
            tags, shown["recall"] = tag_loss(features[0], self.head, targets)
            loss = loss + weight * tags
        return loss, shown

    def validate(self, final=False):
        """Measures, moves the curriculum and logs one line with the accuracy of every task."""
        with torch.no_grad(), self.autocast():
            tally, at_level = validation.measure(self.model, self.config_folder, self.curriculum, self.a, to_device)
        changes = self.curriculum.learn({t: tally.rate(t) for t in tally.by_task}, at_level)
        self.publish()
        by_task = " ".join(f"{t}={tally.rate(t):.2f}" for t in sorted(tally.by_task))
        levels = ",".join(f"{k}:{v}" for k, v in self.curriculum.levels.items())
        self.log(
            f"{'final' if final else 'valid'} step {self.counts['step']} mean {tally.mean():.3f} levels {levels} {by_task}"
            + (f" | {changes}" if changes else "")
        )
        return changes


def train(run):
    a, c = run.a, run.counts
    videos = 0 if a.stage == "vision" or (a.kinds and "video" not in a.kinds) else a.video_rows
    workers = Workers(a.workers, run.config_folder, a.length, a.rows, videos, run.path("curriculum.json"), a.kinds)
    run.log(
        f"{a.stage}: {sum(p.numel() for p in run.model.parameters()):,} parameters, {len(run.tags)} tags, {a.device}, "
        f"{'bfloat16' if a.bfloat16 else 'float32'}, from step {c['step']}, {c['seconds'] / 60:.1f} of {a.minutes} minutes done"
    )
    if a.stage == "joint" and a.init and c["step"] == 0:
        for _ in range(
            TOP - 1
        ):  # a model that knows something already is placed first, not led through the easy levels again
            if "level" not in run.validate():
                break
    shown, steps, waited = Counter(), 0, 0.0
    saved = validated = logged = last = time.monotonic()
    try:
        while run.progress() < 1 and not run.stop:
            t = time.monotonic()
            batch = workers.next()
            waited += time.monotonic() - t
            shown.update(run.step(batch))
            steps += 1
            now = time.monotonic()
            c["seconds"] += now - last
            last = now
            if now - logged >= a.log:
                means = " ".join(f"{k} {v / steps:.3f}" for k, v in sorted(shown.items()))
                run.log(
                    f"step {c['step']} {c['seconds'] / 60:.1f} min {means} | {(now - logged) / steps:.2f} s/step, {waited / (now - logged):.0%} "
                    f"waiting, {c['pictures']} pictures, {c['questions']} questions"
                )
                shown, steps, waited, logged = Counter(), 0, 0.0, now
            if a.stage == "joint" and now - validated >= 60 * a.validate:
                run.validate()
                validated = logged = last = time.monotonic()
            if now - saved >= 60 * a.save:
                run.save()
                saved = time.monotonic()
        if a.stage == "joint" and not run.stop:
            run.validate(final=True)
    finally:
        workers.stop()
        run.save()
        run.log(f"saved {run.path('state.pt')} at step {c['step']}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="the run's folder")
    p.add_argument("--stage", choices=("vision", "joint"), default="joint")
    p.add_argument("--init", help="begin with this checkpoint's weights, such as models/demo")
    p.add_argument(
        "--config", default="models/demo", help="without --init: config.json and tokenizer.json come from here"
    )
    p.add_argument("--minutes", type=float, default=60, help="training time of this stage, over all runs")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument(
        "--precision",
        choices=("auto", "bfloat16", "float32"),
        default="auto",
        help="auto: bfloat16 where the hardware has it",
    )
    p.add_argument("--rows", type=int, default=16, help="rows of pictures a step")
    p.add_argument("--video-rows", type=int, default=2, help="rows of videos a step")
    p.add_argument("--length", type=int, default=320, help="tokens a row")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument(
        "--vision-lr",
        type=float,
        default=0.3,
        help="the vision blocks' rate as a share of --lr (1 in the vision stage)",
    )
    p.add_argument(
        "--tag-weight",
        type=float,
        default=0.1,
        help="weight of the labels' loss in the joint stage, fading by 60 %% of it",
    )
    p.add_argument("--kinds", nargs="*", choices=list(TASKS), help="only these kinds of pictures")
    p.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="processes that draw")
    p.add_argument("--threads", type=int, default=0, help="torch's threads (0: its own choice)")
    p.add_argument("--log", type=float, default=30, help="seconds between lines of the log")
    p.add_argument("--validate", type=float, default=6, help="minutes between validations")
    p.add_argument(
        "--valid-pictures", type=int, default=24, help="pictures of each kind, and again at the curriculum's level"
    )
    p.add_argument("--save", type=float, default=5, help="minutes between checkpoints")
    p.add_argument("--seed", type=int, default=0, help="of fresh weights")
    a = p.parse_args()
    a.bfloat16 = a.precision == "bfloat16" or a.precision == "auto" and fast_bfloat16(a.device)
    if a.stage == "vision":
        a.vision_lr = 1.0
    return a


def main():
    a = arguments()
    torch.manual_seed(a.seed)
    if a.threads:
        torch.set_num_threads(a.threads)
    run = Run(a)

    def end(signum, frame):
        run.stop = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    train(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())

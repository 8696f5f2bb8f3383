#!/usr/bin/env python3
"""Holds tools/demo_model/model.py to transformers' forward: python3 tools/demo_model/test_model.py models/demo

Three checks in float32, each to 1e-3 of the logits: a picture with a question, two pictures of an odd shape with text
between them and a video, and several branches packed behind one picture against each branch alone. Needs torch and
transformers.
"""
import sys

import numpy as np
import torch

from model import load_model

TOLERANCE = 1e-3


def conversation(config, parts, rng):
    """ids, M-RoPE positions [3, tokens] and grids of a row; parts: int (so many words) or ("image" | "video", t, gh,
    gw)."""
    ids, positions, following = [], [], 0

    def put(token, at):
        ids.append(token)
        positions.append(at)

    for part in parts:
        if isinstance(part, int):
            for _ in range(part):
                put(int(rng.integers(0, 1900)), (following,) * 3)
                following += 1
            continue
        kind, frames, gh, gw = part
        for _ in range(frames):
            put(config["vision_start_token_id"], (following,) * 3)
            following += 1
            for y in range(gh // 2):
                for x in range(gw // 2):
                    put(config[kind + "_token_id"], (following, following + y, following + x))
            following += max(gh, gw) // 2
            put(config["vision_end_token_id"], (following,) * 3)
            following += 1
    return ids, positions


def as_batch(ids, positions, **more):
    n = len(ids)
    batch = dict(
        ids=torch.tensor([ids]),
        positions=torch.tensor(positions).T[None],
        branch=torch.zeros(1, n, dtype=torch.long),
        upward=torch.ones(1, n),
        doc=torch.ones(1, n, dtype=torch.long),
        pictures=None,
        videos=None,
    )
    batch.update(more)
    return batch


def report(name, a, b):
    worst = (a - b).abs().max().item()
    print(f"{name}: largest difference {worst:.2e} of logits up to {b.abs().max().item():.1f}")
    return worst < TOLERANCE


def main(folder):
    from transformers import Qwen3VLForConditionalGeneration
    from model import patchify

    theirs = Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    ours, rng, good = load_model(folder).eval(), np.random.default_rng(7), True
    cases = {
        "a picture": ([9, ("image", 1, 10, 10), 12], (160, 160)),
        "two wide pictures": ([3, ("image", 1, 8, 14), 5, ("image", 1, 8, 14), 8], (128, 224)),
        "a video": ([3, ("video", 3, 6, 6), 6], (96, 96)),
    }
    with torch.no_grad():
        for name, (parts, (h, w)) in cases.items():
            ids, positions = conversation(ours.config, parts, rng)
            video = any(not isinstance(p, int) and p[0] == "video" for p in parts)
            count = sum(p[1] for p in parts if not isinstance(p, int))
            frames = torch.from_numpy(rng.integers(0, 256, (count, 2 if video else 1, h, w, 3), dtype=np.uint8))
            pixels = patchify(frames).reshape(-1, 1536)
            grid = torch.tensor([[3, h // 16, w // 16]] if video else [[1, h // 16, w // 16]] * count)
            kwargs = (
                dict(pixel_values_videos=pixels, video_grid_thw=grid)
                if video
                else dict(pixel_values=pixels, image_grid_thw=grid)
            )
            want = theirs(
                input_ids=torch.tensor([ids]), position_ids=torch.tensor(positions).T[:, None], **kwargs
            ).logits
            batch = as_batch(
                ids,
                positions,
                videos=frames.reshape(1, -1, h, w, 3) if video else None,
                pictures=None if video else frames[:, 0],
            )
            good &= report(name, ours.logits(ours(batch)[0]), want)
        good &= packed(ours, rng)
    print("equal" if good else "DIFFERENT")
    return 0 if good else 1


def packed(model, rng):
    """Three branches behind one picture in a row equal each branch behind the picture alone."""
    prefix, start = conversation(model.config, [4, ("image", 1, 10, 10)], rng)
    base, picture = start[-1][0] + 1, torch.from_numpy(rng.integers(0, 256, (1, 160, 160, 3), dtype=np.uint8))
    branches = [[int(x) for x in rng.integers(0, 1900, n)] for n in (5, 11, 7)]
    ids, positions, branch = list(prefix), list(start), [0] * len(prefix)
    for i, b in enumerate(branches):
        ids += b
        positions += [(base + j,) * 3 for j in range(len(b))]
        branch += [i + 1] * len(b)
    row = model.logits(model(as_batch(ids, positions, branch=torch.tensor([branch]), pictures=picture))[0])[0]
    good, at = True, len(prefix)
    for i, b in enumerate(branches):
        alone = model.logits(
            model(as_batch(prefix + b, start + [(base + j,) * 3 for j in range(len(b))], pictures=picture))[0]
        )[0]
        good &= report(f"branch {i + 1} of 3, packed", row[at : at + len(b)], alone[len(prefix) :])
        at += len(b)
    return good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "models/demo"))

#!/usr/bin/env python3
"""A training run to a Hugging Face checkpoint that any engine loads.

    python3 tools/demo_model/export.py --run RUN --out NEW                 # writes and checks
    python3 tools/demo_model/export.py --run RUN --out models/demo --engine build/release/qwen3vl
    python3 tools/demo_model/export.py --parts OUT --out models/demo       # from what train.py --export wrote

Writes model.safetensors (bfloat16), config.json, generation_config.json, preprocessor_config.json,
video_preprocessor_config.json, processor_config.json, the tokenizer's files and chat_template.jinja; config.json comes
and tokenizer.json from the folder the run began with, the limits of pictures from sizes.py, the rest from --base. Then checks that transformers loads the folder with
every weight in place and that its logits equal the trainer's forward (unless
--no-check), and with --engine that `qwen3vl chat` in float32 gives the same greedy answers as transformers on generated
pictures.

The folder is written beside --out and renamed at the end, so that a served folder is never half new.
"""
import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

import torch

import sizes
from files import replace

PART = 15 << 20  # bytes of a file of weights: some machines give back only small files
COPIED = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
]


def safetensors(tensors):
    """The bytes of a file: name -> tensor, as bfloat16. Names are sorted, offsets aligned to 8 bytes by padding the
    header: the format's own rules."""
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        data = tensors[name].detach().to(torch.bfloat16).cpu().contiguous().view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def write_parts(state, config_folder, tokenizer_folder, out):
    """weights.part0, weights.part1, ... with the configuration and the tokenizer: enough to go on from (train.py
    --init) or to make a checkpoint of (--parts)."""
    data = safetensors(state)
    for i in range(0, len(data), PART):
        replace(os.path.join(out, f"weights.part{i // PART}"), data[i : i + PART])
    for name, folder in (("config.json", config_folder), ("tokenizer.json", tokenizer_folder)):
        shutil.copy(os.path.join(folder, name), os.path.join(out, name))


def write_limits(base, out):
    """The processor's files, with the sizes of picture that were trained."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        with open(os.path.join(base, name), encoding="utf-8") as f:
            data = json.load(f)
        data.get("image_processor", data)["size"] = dict(shortest_edge=sizes.PIXELS[0], longest_edge=sizes.PIXELS[1])
        if "video_processor" in data:
            limits = dict(shortest_edge=sizes.VIDEO_PIXELS[0], longest_edge=sizes.VIDEO_PIXELS[1])
            data["video_processor"]["size"] = limits
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            json.dump(data, f, indent=2)
            f.write("\n")


def write_ends(folder):
    """generation_config.json ends answers by the numbers that the folder's tokenizer.json has, which may not be those of where it came from."""
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        number = {t["content"]: t["id"] for t in json.load(f)["added_tokens"]}
    path = os.path.join(folder, "generation_config.json")
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    data.update(eos_token_id=[number["<|im_end|>"], number["<|endoftext|>"]], pad_token_id=number["<|endoftext|>"])
    replace(path, (json.dumps(data, indent=2) + "\n").encode())


def write_folder(weights, config_folder, base, out):
    """The checkpoint's files in a new folder `out`."""
    os.makedirs(out)
    for name in COPIED:
        shutil.copy(os.path.join(base, name), os.path.join(out, name))
    for name in ("config.json", "tokenizer.json"):  # growth may have added to either
        if os.path.exists(os.path.join(config_folder, name)):
            shutil.copy(os.path.join(config_folder, name), os.path.join(out, name))
    write_ends(out)
    write_limits(base, out)
    if os.path.isdir(os.path.join(base, "samples")):  # the page's example pictures travel with the demo model
        shutil.copytree(os.path.join(base, "samples"), os.path.join(out, "samples"))
    with open(os.path.join(out, "processor_config.json"), encoding="utf-8") as f:
        video = json.load(f)["video_processor"]
    with open(os.path.join(out, "video_preprocessor_config.json"), "w", encoding="utf-8") as f:
        json.dump(video, f, indent=1)  # transformers 5 keeps it in processor_config.json only; other engines look here
    replace(os.path.join(out, "model.safetensors"), safetensors(weights))


def check_transformers(folder):
    """Loads with every weight in place, and computes what the trainer computes."""
    from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

    theirs, info = Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    missing = [k for k in info["missing_keys"] if k != "lm_head.weight"] + list(info["unexpected_keys"])
    if missing:
        raise SystemExit(f"transformers misses or does not know: {missing[:5]}")
    AutoProcessor.from_pretrained(folder)
    import test_model

    if test_model.main(folder):
        raise SystemExit("the forward differs from transformers'")
    print(f"transformers loads {sum(p.numel() for p in theirs.parameters()):,} parameters")


def sample_questions(out, count):
    """Generated pictures and a question each, in the form of an evaluation set, below `out`. Returns the rows."""
    from PIL import Image
    from pictures import KINDS, make
    from questions import conversations

    r, rows = random.Random(99), []
    for i in range(count):
        kind = sorted(set(KINDS) - {"pair"})[i % (len(KINDS) - 1)]
        scene = make(r, kind, 160, 160, level=3, test=True)
        c = r.choice([c for c in conversations(r, scene) if not c.thinking])
        name = f"{kind}-{i}.png"
        Image.fromarray(scene.pixels).save(os.path.join(out, name))
        rows.append(
            dict(
                id=name,
                picture=name,
                task=c.task,
                language=c.language,
                thinking=False,
                questions=[c.turns[0][0]],
                expected=[c.turns[0][1]],
                region=c.region,
            )
        )
    return rows


def check_engine(folder, program, count):
    """`qwen3vl chat` in float32 against transformers' greedy answers."""
    from sides import MAX_TOKENS, Transformers

    side, differing = Transformers(folder), 0
    with tempfile.TemporaryDirectory() as pictures:
        for row in sample_questions(pictures, count):
            picture = os.path.join(pictures, row["picture"])
            want = side.converse(row, [picture])[0].strip()
            done = subprocess.run(
                [
                    program,
                    "chat",
                    "--model",
                    folder,
                    "--precision",
                    "float32",
                    "--image",
                    picture,
                    "--prompt",
                    row["questions"][0],
                    "--temperature",
                    "0",
                    "--max-tokens",
                    str(MAX_TOKENS),
                    "--json",
                ],
                capture_output=True,
                text=True,
                timeout=120,
            )
            if done.returncode:
                raise SystemExit(f"{program}: {done.stderr.strip()}")
            got = answer_of(done.stdout).strip()
            differing += got != want
            print(
                f"  {'same' if got == want else 'DIFFERENT'}: {row['questions'][0]!r} -> {got!r}"
                + ("" if got == want else f", transformers {want!r}")
            )
    if differing > count // 8:  # a step whose two best logits nearly tie may go either way; more than that is a fault
        raise SystemExit(f"{differing} of {count} answers differ")


def answer_of(text):
    """The answer in `qwen3vl chat --json`'s object."""
    data = json.loads(text)
    if "choices" in data:
        return data["choices"][0]["message"]["content"] or ""
    return data.get("content") or data.get("answer") or data.get("text") or ""


def weights_of(a):
    """The weights by name, and the folder of their config.json."""
    from model import load_model, read_weights

    if a.parts:
        return read_weights(a.parts), a.parts
    state = torch.load(os.path.join(a.run, "state.pt"), map_location="cpu", weights_only=True)
    weights = state["model"]
    if a.mean:  # in the order of the parameters: see optimizer.Flat
        at = 0
        for name, p in load_model(state["config"], weights=False).named_parameters():
            weights[name] = state["mean"][at : at + p.numel()].view(p.shape)
            at += p.numel()
    return weights, state["config"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", help="a folder of train.py")
    source.add_argument("--parts", help="a folder of train.py --export")
    p.add_argument("--mean", action="store_true", help="with --run: the running mean of the weights")
    p.add_argument("--out", required=True, help="the checkpoint's folder; replaced if it is there")
    p.add_argument("--base", default="models/demo", help="configuration and tokenizer come from here")
    p.add_argument("--no-check", action="store_true", help="write only")
    p.add_argument("--engine", help="the program qwen3vl, to compare answers with transformers")
    p.add_argument("--pictures", type=int, default=8, help="how many answers to compare")
    a = p.parse_args()
    weights, config_folder = weights_of(a)
    new, old = a.out.rstrip("/") + ".new", a.out.rstrip("/") + ".old"
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    write_folder(weights, config_folder, a.base, new)
    if not a.no_check:
        check_transformers(new)
    if a.engine:
        check_engine(new, a.engine, a.pictures)
    if os.path.isdir(a.out):
        os.rename(a.out, old)
    os.rename(new, a.out)
    shutil.rmtree(old, ignore_errors=True)
    print(f"wrote {a.out}")


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes tests/data/golden, the part of the reference data that a clone brings with it.

    python3 tools/make_compact_golden.py --golden ../shared/golden --out tests/data/golden

Same layout as the full folder, so that `conformance tests/data/golden` runs. Numbers are copied, never computed, and
files that another folder of tests/data has are links to it. What is left out:
- the checkpoint tiny-dense: tiny-untied and tiny-moe cover both model types, one file and shards, both chat templates;
- in each remaining checkpoint one of the two forms of the tokenizer, so that both are read;
- of each case the tensors that its JSON pins by sha256 (pixel values, resized pixels) and the logits of all but the last position;
  the values between the layers in all but two cases of each checkpoint;
- tables that tests/data/media and tests/data/text hold already (sizes, frame sampling, resizing, decoding, tokenizer, templates).
"""
import argparse
import filecmp
import json
import os
import shutil
import struct

# Chosen for what they cover: each kind of input, each shape of grid; small files first.
CASES = {
    "tiny-moe": ["img_exif5_jpg", "img_tiny_png", "mix_image_video", "text_short", "text_think_history", "tool_image", "video_odd"],
    "tiny-untied": ["img_tiny_png", "text_multi", "text_short", "video_short"],
}
# These keep the values between the layers too: of the vision tower, of the decoder.
DETAILED = {"img_tiny_png": ("vision.", "image_"), "text_short": ("embeds", "hidden.", "final_norm", "router.")}
TOKENIZER = {"tiny-moe": ["vocab.json", "merges.txt", "tokenizer_config.json"], "tiny-untied": ["tokenizer.json"]}
MODEL = ["config.json", "generation_config.json", "preprocessor_config.json", "video_preprocessor_config.json",
         "chat_template.jinja"]
# By far the largest; the wide and the high grids that remain cover the same arithmetic.
LARGE_GRIDS = ["t1h48w48", "t1h62w10", "t1h16w24"]


def read_safetensors(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    metadata = header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}, metadata


def write_safetensors(path, tensors, metadata=None):
    """Tensors by falling element size and then by name, as the safetensors library lays them out."""
    width = {"F32": 4, "I32": 4, "U8": 1}
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    order = sorted(tensors, key=lambda name: (-width[tensors[name][0]], name))
    for name in order:
        dtype, shape, data = tensors[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            f.write(tensors[name][2])


def copy(golden, out, path):
    """Copies a file, or links to the same one where another folder of tests/data has it."""
    target = os.path.join(out, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    for held in (os.path.join(out, "..", path), os.path.join(out, "../text/tiny", os.path.basename(path))):
        if os.path.isfile(held) and filecmp.cmp(held, os.path.join(golden, path), shallow=False):
            os.symlink(os.path.relpath(held, os.path.dirname(target)), target)
            return
    # The reference data may be read-only; the copy is not.
    shutil.copyfile(os.path.join(golden, path), target)


def kept(case, tensor):
    if tensor == "logits" or any(part in tensor for part in ("_pixel_", "_resized_u8")):
        return False
    return tensor.startswith(DETAILED.get(case, ("last_",))) or tensor in ("last_logits", "position_ids") or tensor.endswith("_embeds")


def media_of(case):
    for message in case["messages"]:
        if not isinstance(message.get("content"), list):
            continue
        for part in message["content"]:
            for key in ("image_url", "image", "video_url", "video"):
                if key in part:
                    url = part[key]["url"] if isinstance(part[key], dict) else part[key]
                    yield key.startswith("video"), url


def write_cases(golden, out, checkpoint, names, pictures, videos):
    folder = f"cases/{checkpoint}"
    for name in names:
        copy(golden, out, f"{folder}/{name}.json")
        tensors, metadata = read_safetensors(f"{golden}/{folder}/{name}.safetensors")
        write_safetensors(f"{out}/{folder}/{name}.safetensors", {k: v for k, v in tensors.items() if kept(name, k)}, metadata)
        with open(f"{golden}/{folder}/{name}.json", encoding="utf-8") as f:
            for is_video, url in media_of(json.load(f)):
                if not url.startswith("data:"):
                    (videos if is_video else pictures).add(url)


def write_media(golden, out, pictures, videos):
    for url in sorted(pictures):
        copy(golden, out, url)
    with open(f"{golden}/media/videos.json", encoding="utf-8") as f:
        known = json.load(f)
    index = {}
    for name in sorted(os.path.basename(url) for url in videos):
        index[name] = {k: v for k, v in known[name].items() if k != "frame_sha256"}
        frames = f"media/frames/{os.path.splitext(name)[0]}"
        for frame in sorted(os.listdir(f"{golden}/{frames}")):
            copy(golden, out, f"{frames}/{frame}")
    with open(f"{out}/media/videos.json", "w", encoding="utf-8") as f:
        json.dump(index, f, indent=1)
        f.write("\n")


def write_tables(golden, out):
    copy(golden, out, "positions/rope_index.jsonl")
    tensors, metadata = read_safetensors(f"{golden}/positions/vision_grid.safetensors")
    write_safetensors(f"{out}/positions/vision_grid.safetensors",
                      {k: v for k, v in tensors.items() if not any(large in k for large in LARGE_GRIDS)}, metadata)
    # Of the 64 distributions the first two of each kind.
    os.makedirs(f"{out}/sampling", exist_ok=True)
    seen = {}
    with open(f"{golden}/sampling/vectors.jsonl", encoding="utf-8") as f, \
            open(f"{out}/sampling/vectors.jsonl", "w", encoding="utf-8") as to:
        for line in f:
            kind = json.loads(line)["kind"]
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] <= 2:
                to.write(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", required=True, help="the full reference data")
    parser.add_argument("--out", required=True, help="is replaced, but for its README.md")
    args = parser.parse_args()
    for part in ("cases", "checkpoints", "media", "positions", "sampling"):
        shutil.rmtree(os.path.join(args.out, part), ignore_errors=True)
    pictures, videos = set(), set()
    for checkpoint, names in CASES.items():
        weights = [f for f in sorted(os.listdir(f"{args.golden}/checkpoints/{checkpoint}")) if ".safetensors" in f]
        for name in MODEL + TOKENIZER[checkpoint] + weights:
            copy(args.golden, args.out, f"checkpoints/{checkpoint}/{name}")
        write_cases(args.golden, args.out, checkpoint, names, pictures, videos)
    write_media(args.golden, args.out, pictures, videos)
    write_tables(args.golden, args.out)
    total = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(args.out) for f in files
                if not os.path.islink(os.path.join(d, f)))
    print(f"{args.out}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

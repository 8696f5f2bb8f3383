#!/usr/bin/env python3
"""Times Hugging Face transformers on Qwen3-VL-2B's true shape with made weights, the same work as `qwen3vl bench`.

Usage: transformers_2b.py [--dtype bfloat16|float32] [--prompt 512] [--generate 16] [--image 1024x768] [--limit 400]
Prints a line for each figure: test, tokens, milliseconds, tokens/s. Needs torch and transformers (Debian: python3-torch,
python3-transformers). Stops by itself after --limit seconds.
"""
import argparse
import signal
import sys
import time

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

TEXT = dict(vocab_size=151936, hidden_size=2048, intermediate_size=6144, num_hidden_layers=28, num_attention_heads=16,
            num_key_value_heads=8, head_dim=128, rms_norm_eps=1e-6, max_position_embeddings=262144, tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=5e6, mrope_section=[24, 20, 20], mrope_interleaved=True))
VISION = dict(depth=24, hidden_size=1024, intermediate_size=4096, num_heads=16, deepstack_visual_indexes=[5, 11, 17],
              out_hidden_size=2048, patch_size=16, temporal_patch_size=2, spatial_merge_size=2, num_position_embeddings=2304)
IMAGE_PAD, VISION_START, VISION_END = 151655, 151652, 151653


def build(dtype):
    torch.set_default_dtype(dtype)
    torch.nn.init.normal_ = lambda t, *a, **k: t  # made weights follow: the library's own take a minute
    torch.nn.init.trunc_normal_ = lambda t, *a, **k: t
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=TEXT, vision_config=VISION, tie_word_embeddings=True)).eval()
    torch.set_default_dtype(torch.float32)
    tile = (torch.randn(1 << 22) * 0.02).to(dtype)
    for name, p in model.named_parameters():
        flat = p.data.view(-1)
        if name.endswith("bias"):
            flat.zero_()
        elif "norm" in name:
            flat.fill_(1)
        else:
            for i in range(0, flat.numel(), tile.numel()):
                flat[i:i + tile.numel()].copy_(tile[:min(tile.numel(), flat.numel() - i)])
    return model


def say(test, tokens, seconds):
    print(f"{test:8s} {tokens:8d} {seconds * 1e3:12.1f} {tokens / seconds:12.2f}", flush=True)


@torch.inference_mode()
def text(model, a):
    ids = torch.randint(1000, 100000, (1, a.prompt))
    start = time.perf_counter()
    out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
    middle = time.perf_counter()
    say("prefill", a.prompt, middle - start)
    for _ in range(a.generate):
        out = model(input_ids=out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values, use_cache=True)
    say("decode", a.generate, time.perf_counter() - middle)


@torch.inference_mode()
def picture(model, a):
    width, height = (int(x) // 16 for x in a.image.split("x"))
    patches = torch.rand(width * height, 1536, dtype=model.dtype) * 2 - 1
    grid = torch.tensor([[1, height, width]])
    n = width * height // 4
    encoded = []
    hook = model.model.visual.register_forward_hook(lambda *_: encoded.append(time.perf_counter()))
    ids = torch.tensor([[17] * 4 + [VISION_START] + [IMAGE_PAD] * n + [VISION_END] + [17] * 14])
    start = time.perf_counter()
    model(input_ids=ids, pixel_values=patches, image_grid_thw=grid, mm_token_type_ids=(ids == IMAGE_PAD).int(), use_cache=True,
          logits_to_keep=1)
    end = time.perf_counter()
    hook.remove()
    say("image", n, encoded[0] - start)
    say("ttft", n + 20, end - start)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--generate", type=int, default=16)
    p.add_argument("--image", default="1024x768")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--limit", type=int, default=400)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"transformers {a.dtype}: cut off at {a.limit} s"))
    signal.alarm(a.limit)
    model = build(getattr(torch, a.dtype))
    print(f"transformers, torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {a.dtype}, {a.threads} threads")
    text(model, a)
    picture(model, a)


main()

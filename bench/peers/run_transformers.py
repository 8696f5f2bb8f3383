#!/usr/bin/env python3
"""Times Hugging Face transformers on Qwen3-VL's true shapes with made weights: the same work as `qwen3vl bench`.

  run_transformers.py SIZE [--dtype float32] [--tests prefill,decode,picture] [--prompts 512] [--generate 8]
                      [--picture 1024x768] [--threads 2] [--limit 300]

Prints a line of JSON for each figure: {"test", "tokens", "seconds"}, first one that tells versions. Tests: prefill; decode
(after a prompt of 16); image (the tower alone) and ttft (the picture and 20 tokens to the first token, without decoding and
resizing the picture). Eager mode, scaled-dot-product attention. Needs torch and transformers (Debian: python3-torch,
python3-transformers). Ends by itself after --limit seconds.
"""
import argparse
import contextlib
import io
import json
import signal
import sys
import time

import torch

with contextlib.redirect_stdout(io.StringIO()):  # it prints notes
    import transformers
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
    from transformers.initialization import no_init_weights

from shapes import CONTEXT, HEAD_DIM, MERGE, MROPE_SECTION, PATCH, POSITIONS, RMS_EPS, ROPE_THETA, SIZES, TEMPORAL, VOCAB

VISION_START, VISION_END, IMAGE_PAD = 151652, 151653, 151655
TEXT_TOKENS, BEFORE = 20, 5


def config(size):
    s, v = SIZES[size], SIZES[size]["tower"]
    text = dict(vocab_size=VOCAB, hidden_size=s["hidden"], intermediate_size=s["ffn"], num_hidden_layers=s["layers"],
                num_attention_heads=s["heads"], num_key_value_heads=s["kv_heads"], head_dim=HEAD_DIM, rms_norm_eps=RMS_EPS,
                max_position_embeddings=CONTEXT, tie_word_embeddings=s["tied"],
                rope_parameters=dict(rope_type="default", rope_theta=ROPE_THETA, mrope_section=MROPE_SECTION,
                                     mrope_interleaved=True))
    vision = dict(depth=v["depth"], hidden_size=v["hidden"], intermediate_size=v["ffn"], num_heads=v["heads"],
                  deepstack_visual_indexes=v["deepstack"], out_hidden_size=s["hidden"], patch_size=PATCH,
                  temporal_patch_size=TEMPORAL, spatial_merge_size=MERGE, num_position_embeddings=POSITIONS)
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=s["tied"])


def build(size, dtype):
    torch.set_default_dtype(dtype)
    with no_init_weights():  # the library's own first values take a minute
        model = Qwen3VLForConditionalGeneration(config(size)).eval()
    torch.set_default_dtype(torch.float32)
    model.tie_weights()
    values = (torch.randn(1 << 22, generator=torch.Generator().manual_seed(1)) * 0.02).to(dtype)
    for name, p in model.named_parameters():
        flat = p.data.view(-1)
        if "norm" in name or name.endswith("bias"):
            flat.fill_(0 if name.endswith("bias") else 1)
            continue
        for i in range(0, flat.numel(), values.numel()):
            part = flat[i:i + values.numel()]
            part.copy_(values[:part.numel()])
    return model


def say(**figure):
    print(json.dumps(figure), flush=True)


def prompt(count):
    return torch.randint(1000, 100000, (1, count), generator=torch.Generator().manual_seed(2))


def prefill(model, a):
    for count in a.prompts:
        ids = prompt(count)
        start = time.perf_counter()
        model(input_ids=ids, use_cache=True, logits_to_keep=1)
        say(test="prefill", tokens=count, seconds=time.perf_counter() - start)


def decode(model, a):
    out = model(input_ids=prompt(16), use_cache=True, logits_to_keep=1)
    start = time.perf_counter()
    for _ in range(a.generate):
        out = model(input_ids=out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values, use_cache=True)
    say(test="decode", tokens=a.generate, seconds=time.perf_counter() - start)


def picture(model, a):
    width, height = (int(x) // PATCH for x in a.picture.split("x"))
    patches = torch.rand(width * height, 3 * TEMPORAL * PATCH ** 2).to(model.dtype) * 2 - 1
    tokens = width * height // MERGE ** 2
    ids = prompt(tokens + TEXT_TOKENS)
    ids[0, BEFORE - 1] = VISION_START
    ids[0, BEFORE:BEFORE + tokens] = IMAGE_PAD
    ids[0, BEFORE + tokens] = VISION_END
    times = {}
    tower = model.model.visual
    hooks = [tower.register_forward_pre_hook(lambda *_: times.update(begin=time.perf_counter())),
             tower.register_forward_hook(lambda *_: times.update(end=time.perf_counter()))]
    start = time.perf_counter()
    model(input_ids=ids, pixel_values=patches, image_grid_thw=torch.tensor([[1, height, width]]),
          mm_token_type_ids=(ids == IMAGE_PAD).int(), use_cache=True, logits_to_keep=1)
    end = time.perf_counter()
    for hook in hooks:
        hook.remove()
    say(test="image", tokens=tokens, seconds=times["end"] - times["begin"])
    say(test="ttft", tokens=tokens + TEXT_TOKENS, seconds=end - start)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("size", choices=[s for s in SIZES if "experts" not in SIZES[s]])
    p.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    p.add_argument("--tests", default="prefill,decode,picture")
    p.add_argument("--prompts", default="512", type=lambda s: [int(x) for x in s.split(",")])
    p.add_argument("--generate", default=8, type=int)
    p.add_argument("--picture", default="1024x768")
    p.add_argument("--threads", default=2, type=int)
    p.add_argument("--limit", default=300, type=int)
    a = p.parse_args()
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"cut off after {a.limit} s"))
    signal.alarm(a.limit)
    torch.set_num_threads(a.threads)
    say(version=f"torch {torch.__version__}, transformers {transformers.__version__}, "
                f"{torch.backends.cpu.get_cpu_capability()}, oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}")
    model = build(a.size, getattr(torch, a.dtype))
    with torch.inference_mode():
        model(input_ids=prompt(16), logits_to_keep=1)  # touches the weights
        for test in a.tests.split(","):
            {"prefill": prefill, "decode": decode, "picture": picture}[test](model, a)


if __name__ == "__main__":
    main()

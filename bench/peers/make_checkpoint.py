#!/usr/bin/env python3
"""Makes a checkpoint folder in Qwen3-VL's true shapes with made weights, for serving a real size without a download.

  make_checkpoint.py SIZE FOLDER        2b, 4b or 8b; a folder that stands is kept. Python's own library only.

One safetensors file in bfloat16: norm weights 1, biases 0, all others of a normal distribution with deviation 0.02 that repeats
itself after a million values. The tokenizer, and so its vocabulary and control tokens, is the demo model's.
"""
import json
import pathlib
import random
import shutil
import struct
import sys

from shapes import CONTEXT, HEAD_DIM, MERGE, MROPE_SECTION, PATCH, POSITIONS, RMS_EPS, ROPE_THETA, SIZES, TEMPORAL, VOCAB

DEMO = pathlib.Path(__file__).resolve().parents[2] / "models/demo"


def text_tensors(s):
    hidden, q, kv = s["hidden"], s["heads"] * HEAD_DIM, s["kv_heads"] * HEAD_DIM
    yield "model.language_model.embed_tokens.weight", (VOCAB, hidden)
    yield "model.language_model.norm.weight", (hidden,)
    if not s["tied"]:
        yield "lm_head.weight", (VOCAB, hidden)
    for i in range(s["layers"]):
        p = f"model.language_model.layers.{i}."
        yield p + "input_layernorm.weight", (hidden,)
        yield p + "post_attention_layernorm.weight", (hidden,)
        for name, shape in (("q_proj", (q, hidden)), ("k_proj", (kv, hidden)), ("v_proj", (kv, hidden)), ("o_proj", (hidden, q)),
                            ("q_norm", (HEAD_DIM,)), ("k_norm", (HEAD_DIM,))):
            yield f"{p}self_attn.{name}.weight", shape
        for name, shape in (("gate_proj", (s["ffn"], hidden)), ("up_proj", (s["ffn"], hidden)), ("down_proj", (hidden, s["ffn"]))):
            yield f"{p}mlp.{name}.weight", shape


def tower_tensors(s):
    v, p = s["tower"], "model.visual."
    d, wide = v["hidden"], v["hidden"] * MERGE ** 2

    def linear(name, out, inputs):
        yield name + ".weight", (out, inputs)
        yield name + ".bias", (out,)

    def norm(name, width):
        yield name + ".weight", (width,)
        yield name + ".bias", (width,)

    yield p + "patch_embed.proj.weight", (d, 3, TEMPORAL, PATCH, PATCH)
    yield p + "patch_embed.proj.bias", (d,)
    yield p + "pos_embed.weight", (POSITIONS, d)
    for i in range(v["depth"]):
        b = f"{p}blocks.{i}."
        yield from norm(b + "norm1", d)
        yield from norm(b + "norm2", d)
        for name, out, inputs in (("attn.qkv", 3 * d, d), ("attn.proj", d, d), ("mlp.linear_fc1", v["ffn"], d), ("mlp.linear_fc2", d, v["ffn"])):
            yield from linear(b + name, out, inputs)
    for name, width in [("merger", d)] + [(f"deepstack_merger_list.{i}", wide) for i in range(len(v["deepstack"]))]:
        yield from norm(f"{p}{name}.norm", width)
        yield from linear(f"{p}{name}.linear_fc1", wide, wide)
        yield from linear(f"{p}{name}.linear_fc2", s["hidden"], wide)


def config(s):
    demo = json.loads((DEMO / "config.json").read_text())
    v = s["tower"]
    demo["tie_word_embeddings"] = s["tied"]
    demo["text_config"].update(
        hidden_size=s["hidden"], intermediate_size=s["ffn"], num_hidden_layers=s["layers"], num_attention_heads=s["heads"],
        num_key_value_heads=s["kv_heads"], head_dim=HEAD_DIM, vocab_size=VOCAB, max_position_embeddings=CONTEXT, rms_norm_eps=RMS_EPS,
        tie_word_embeddings=s["tied"], rope_parameters=dict(mrope_interleaved=True, mrope_section=MROPE_SECTION, rope_theta=ROPE_THETA,
                                                            rope_type="default"))
    demo["vision_config"].update(
        depth=v["depth"], hidden_size=v["hidden"], intermediate_size=v["ffn"], num_heads=v["heads"], num_position_embeddings=POSITIONS,
        out_hidden_size=s["hidden"], deepstack_visual_indexes=v["deepstack"], patch_size=PATCH, spatial_merge_size=MERGE,
        temporal_patch_size=TEMPORAL)
    return demo


def count(shape):
    n = 1
    for x in shape:
        n *= x
    return n


def bfloat16(value):
    return struct.pack("<f", value)[2:]


def write_weights(path, tensors):
    header, at = {}, 0
    for name, shape in tensors:
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + 2 * count(shape)]}
        at += 2 * count(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    chance = random.Random(1)
    stretch = b"".join(bfloat16(chance.gauss(0, 0.02)) for _ in range(1 << 20))
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            left = 2 * count(shape)
            if len(shape) == 1:
                file.write(bfloat16(0 if name.endswith(".bias") else 1) * count(shape))
                continue
            begin = 2 * chance.randrange(1 << 20)
            while left > 0:
                left -= file.write(stretch[begin:begin + left])
                begin = 0


def make(size, folder):
    folder = pathlib.Path(folder)
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "preprocessor_config.json", "generation_config.json"):
        shutil.copy(DEMO / name, folder)
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    processor["size"] = {"shortest_edge": 65536, "longest_edge": 16777216}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    s = SIZES[size]
    (folder / "config.json").write_text(json.dumps(config(s), indent=1))
    part = folder / "model.safetensors.part"
    write_weights(part, list(text_tensors(s)) + list(tower_tensors(s)))
    part.rename(folder / "model.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("2b", "4b", "8b"):
        sys.exit(__doc__)
    make(*sys.argv[1:])

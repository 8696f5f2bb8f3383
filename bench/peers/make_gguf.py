#!/usr/bin/env python3
"""Makes GGUF files in Qwen3-VL's true shapes with made weights, for timing llama.cpp without a download.

  make_gguf.py SIZE FOLDER --text q4_0|q4_k_m|q8_0 --tokenizer tokenizer.json     ->  FOLDER/SIZE-TYPE.gguf
  make_gguf.py SIZE FOLDER --tower q8_0|f16                                       ->  FOLDER/SIZE-tower-TYPE.gguf

SIZE: 2b, 4b, 8b, 30b-a3b. A file that stands is kept. Needs numpy and Debian's python3-gguf. Which tensor of a q4_0 or
q4_k_m file has more bits is llama-quantize's rule. Quantised values are random bits under one scale, which gives weights of
mean about 0 and deviation 0.02; the time of a product does not depend on them. Any Qwen2 tokenizer.json serves, the demo
model's too: it is filled up to the true vocabulary.
"""
import argparse
import json
import os

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

from shapes import CONTEXT, HEAD_DIM, MERGE, MROPE_SECTION, PATCH, POSITIONS, RMS_EPS, ROPE_THETA, SIZES, VOCAB

BASE = {"q4_0": T.Q4_0, "q4_k_m": T.Q4_K, "q8_0": T.Q8_0, "f16": T.F16}
FILE_TYPE = {"q4_0": gguf.LlamaFileType.MOSTLY_Q4_0, "q4_k_m": gguf.LlamaFileType.MOSTLY_Q4_K_M,
             "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "f16": gguf.LlamaFileType.MOSTLY_F16}
DEVIATION = 0.02
TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def half(value):
    return np.float16(value).tobytes()


def blocks(kind, count, rng):
    """count blocks of a quantised type: random bits, one scale. Layouts: ggml-common.h."""
    def random(width):
        return rng.integers(0, 256, (count, width), dtype=np.uint8)

    def same(data):
        return np.tile(np.frombuffer(data, np.uint8), (count, 1))

    if kind == T.Q4_0:  # d, 32 nibbles: d (q - 8)
        parts = [same(half(DEVIATION / 4.6)), random(16)]
    elif kind == T.Q8_0:  # d, 32 int8
        parts = [same(half(DEVIATION / 74)), random(32)]
    elif kind == T.Q4_K:  # d, dmin, eight 6-bit scales and minima (all 32 here), 256 nibbles: 32 (d q - dmin)
        d = DEVIATION / (32 * 4.6)
        parts = [same(half(d)), same(half(7.5 * d)), same(bytes([160] * 8 + [0] * 4)), random(128)]
    elif kind == T.Q6_K:  # low 4 bits, high 2 bits, 16 int8 scales, d: 16 d (q - 32)
        parts = [random(128), random(64), same(bytes([16] * 16)), same(half(DEVIATION / (16 * 18.5)))]
    else:
        raise ValueError(kind)
    return np.concatenate(parts, 1)


class Values:
    """Bytes of any type and length: one stretch a type, begun at another block for every tensor."""

    def __init__(self):
        self.rng = np.random.default_rng(1)
        self.stretches = {}

    def stretch(self, kind):
        if kind not in self.stretches:
            if kind in (T.F32, T.F16):
                x = self.rng.standard_normal(1 << 21, dtype=np.float32) * np.float32(DEVIATION)
                made = x.astype(np.float16 if kind == T.F16 else np.float32).view(np.uint8).reshape(-1, 64)
            else:
                made = blocks(kind, 1 << 16, self.rng)
                assert made.shape[1] == gguf.GGML_QUANT_SIZES[kind][1], kind
            self.stretches[kind] = made
        return self.stretches[kind]

    def take(self, kind, size):
        stretch = self.stretch(kind)
        return np.resize(np.roll(stretch, int(self.rng.integers(len(stretch))), 0).ravel(), size)


def text_tensors(size, kind):
    """(name, shape, type, constant or None) of the language model."""
    s = SIZES[size]
    hidden, q, kv, layers = s["hidden"], s["heads"] * HEAD_DIM, s["kv_heads"] * HEAD_DIM, s["layers"]
    base = BASE[kind]
    head = base if kind == "q8_0" else T.Q6_K
    yield "token_embd.weight", (VOCAB, hidden), head if s["tied"] else base, None
    if not s["tied"]:
        yield "output.weight", (VOCAB, hidden), head, None
    yield "output_norm.weight", (hidden,), T.F32, 1
    for i in range(layers):
        p, eighth = f"blk.{i}.", layers // 8
        sensitive = i < eighth or i >= 7 * layers // 8 or (i - eighth) % 3 == 2
        more = T.Q6_K if kind == "q4_k_m" and sensitive else base
        for name, shape, of in (("attn_norm", (hidden,), T.F32), ("attn_q", (q, hidden), base), ("attn_k", (kv, hidden), base),
                                ("attn_v", (kv, hidden), more), ("attn_output", (hidden, q), base),
                                ("attn_q_norm", (HEAD_DIM,), T.F32), ("attn_k_norm", (HEAD_DIM,), T.F32),
                                ("ffn_norm", (hidden,), T.F32)):
            yield f"{p}{name}.weight", shape, of, 1 if of == T.F32 else None
        if "experts" in s:
            e, f = s["experts"], s["expert_ffn"]
            yield p + "ffn_gate_inp.weight", (e, hidden), T.F32, None
            yield p + "ffn_gate_exps.weight", (e, f, hidden), base, None
            yield p + "ffn_up_exps.weight", (e, f, hidden), base, None
            yield p + "ffn_down_exps.weight", (e, hidden, f), more, None
        else:
            yield p + "ffn_gate.weight", (s["ffn"], hidden), base, None
            yield p + "ffn_up.weight", (s["ffn"], hidden), base, None
            yield p + "ffn_down.weight", (hidden, s["ffn"]), more, None


def tower_tensors(size, kind):
    hidden, v = SIZES[size]["hidden"], SIZES[size]["tower"]
    d, wide = v["hidden"], v["hidden"] * MERGE ** 2
    base = BASE[kind]

    def linear(name, out, inputs):
        fits = inputs % gguf.GGML_QUANT_SIZES[base][0] == 0
        yield name + ".weight", (out, inputs), base if fits else T.F16, None
        yield name + ".bias", (out,), T.F32, 0

    def norm(name, width):
        yield name + ".weight", (width,), T.F32, 1
        yield name + ".bias", (width,), T.F32, 0

    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):  # the two frames of a patch
        yield name, (d, 3, PATCH, PATCH), T.F16 if kind == "f16" else T.F32, None
    yield "v.patch_embd.bias", (d,), T.F32, 0
    yield "v.position_embd.weight", (POSITIONS, d), T.F32, None
    for i in range(v["depth"]):
        p = f"v.blk.{i}."
        for name in ("ln1", "ln2"):
            yield from norm(p + name, d)
        for name, out, inputs in (("attn_qkv", 3 * d, d), ("attn_out", d, d), ("ffn_up", v["ffn"], d), ("ffn_down", d, v["ffn"])):
            yield from linear(p + name, out, inputs)
    yield from norm("v.post_ln", d)
    yield from linear("mm.0", wide, wide)
    yield from linear("mm.2", hidden, wide)
    for i in v["deepstack"]:
        yield from norm(f"v.deepstack.{i}.norm", wide)
        yield from linear(f"v.deepstack.{i}.fc1", wide, wide)
        yield from linear(f"v.deepstack.{i}.fc2", hidden, wide)


def add_text_metadata(w, size, tokenizer):
    s = SIZES[size]
    w.add_block_count(s["layers"])
    w.add_context_length(CONTEXT)
    w.add_embedding_length(s["hidden"])
    w.add_feed_forward_length(s["ffn"])
    w.add_head_count(s["heads"])
    w.add_head_count_kv(s["kv_heads"])
    w.add_key_length(HEAD_DIM)
    w.add_value_length(HEAD_DIM)
    w.add_layer_norm_rms_eps(RMS_EPS)
    w.add_rope_freq_base(ROPE_THETA)
    w.add_rope_dimension_sections(MROPE_SECTION + [0])
    w.add_num_deepstack_layers(len(s["tower"]["deepstack"]))
    if "experts" in s:
        w.add_expert_count(s["experts"])
        w.add_expert_used_count(s["experts_used"])
        w.add_expert_feed_forward_length(s["expert_ffn"])
    add_tokenizer(w, tokenizer)


def add_tokenizer(w, file):
    with open(file, encoding="utf-8") as f:
        t = json.load(f)
    tokens, types = [f"[UNUSED{i}]" for i in range(VOCAB)], [gguf.TokenType.UNUSED] * VOCAB
    for text, i in t["model"]["vocab"].items():
        tokens[i], types[i] = text, gguf.TokenType.NORMAL
    ids = {a["content"]: a["id"] for a in t["added_tokens"]}
    for text, i in ids.items():
        tokens[i], types[i] = text, gguf.TokenType.CONTROL
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]])
    w.add_bos_token_id(ids["<|endoftext|>"])
    w.add_eos_token_id(ids["<|im_end|>"])
    w.add_pad_token_id(ids["<|endoftext|>"])
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)


def add_tower_metadata(w, size):
    v = SIZES[size]["tower"]
    w.add_clip_has_vision_encoder(True)
    w.add_clip_projector_type("qwen3vl_merger")
    w.add_vision_use_gelu(True)
    w.add_vision_projection_dim(SIZES[size]["hidden"])
    w.add_vision_image_size(int(POSITIONS ** 0.5) * PATCH)
    w.add_vision_patch_size(PATCH)
    w.add_vision_spatial_merge_size(MERGE)
    w.add_vision_embedding_length(v["hidden"])
    w.add_vision_feed_forward_length(v["ffn"])
    w.add_vision_block_count(v["depth"])
    w.add_vision_head_count(v["heads"])
    w.add_vision_attention_layernorm_eps(RMS_EPS)
    w.add_vision_image_mean([0.5] * 3)
    w.add_vision_image_std([0.5] * 3)
    w.add_vision_is_deepstack_layers([i in v["deepstack"] for i in range(v["depth"])])


def byte_count(shape, kind):
    elements, width = gguf.GGML_QUANT_SIZES[kind]
    assert shape[-1] % elements == 0, (shape, kind)
    return int(np.prod(shape)) // elements * width


def write(path, architecture, model_type, kind, tensors, add_metadata):
    if os.path.exists(path):
        return
    w = gguf.GGUFWriter(path + ".part", architecture)
    w.add_type(model_type)
    w.add_name("Qwen3-VL's shapes, made weights")
    w.add_file_type(FILE_TYPE[kind])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_metadata(w)
    for name, shape, of, _ in tensors:
        w.add_tensor_info(name, shape, np.dtype(np.float32), byte_count(shape, of), raw_dtype=of)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    values = Values()
    for _, shape, of, constant in tensors:
        w.write_tensor_data(values.take(of, byte_count(shape, of)) if constant is None else np.full(shape, constant, np.float32))
    w.close()
    os.rename(path + ".part", path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("size", choices=SIZES)
    p.add_argument("folder")
    p.add_argument("--text", choices=["q4_0", "q4_k_m", "q8_0"])
    p.add_argument("--tower", choices=["q8_0", "f16"])
    p.add_argument("--tokenizer")
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    if a.text:
        if not a.tokenizer:
            p.error("--text needs --tokenizer")
        write(f"{a.folder}/{a.size}-{a.text}.gguf", "qwen3vlmoe" if "experts" in SIZES[a.size] else "qwen3vl", "model", a.text,
              list(text_tensors(a.size, a.text)), lambda w: add_text_metadata(w, a.size, a.tokenizer))
    if a.tower:
        write(f"{a.folder}/{a.size}-tower-{a.tower}.gguf", "clip", "mmproj", a.tower, list(tower_tensors(a.size, a.tower)),
              lambda w: add_tower_metadata(w, a.size))


if __name__ == "__main__":
    main()

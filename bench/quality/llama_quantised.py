#!/usr/bin/env python3
"""Rounds a Qwen3-VL model as llama.cpp does, and writes the result as a model folder that our `quality` program reads.

  llama_quantised.py MODEL OUT [--type Q4_K_M|Q4_0|Q5_K_M|Q8_0|...|BF16|F32] [--vision Q8_0|F32] [--keep-gguf]

MODEL is a dense Qwen3-VL folder in Hugging Face's layout. Its language model becomes a GGUF file in float32 (arch
qwen3vl, as llama.cpp's converter writes it: rows of q and k are not permuted, norms are F32), llama-quantize rounds that
file to --type with its own choice of types for each tensor and no importance matrix, and gguf's dequantise reads it
back. The matrices of the vision tower are rounded to --vision as in an mmproj file: norms, biases, patch and position
embedding stay F32. OUT gets config, tokenizer and template of MODEL and float32 weights of exactly the rounded values;
a product with them is what llama.cpp would give if it did not round activations (it does, to 8 bits).

Prints the type of every matrix kind and the bits a weight (bytes of all matrices x 8 / weights) of both parts. --type
F32 or BF16 is the check of the round trip: the divergence from a bfloat16 MODEL must be 0.

Needs numpy, the gguf module and llama-quantize in PATH (Debian: python3-numpy, python3-gguf, llama.cpp-tools), for
example in a chroot:

  cp bench/quality/llama_quantised.py ROOT/tmp/; cp -r models/demo ROOT/tmp/
  chroot ROOT python3 /tmp/llama_quantised.py /tmp/demo /tmp/demo-q4_k_m
  build/release/quality demo,float32 demo,int4,float32 ROOT/tmp/demo-q4_k_m,float32
"""
import argparse
import collections
import json
import os
import re
import shutil
import struct
import subprocess
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

TEXT = "model.language_model."
VISION = "model.visual."
TEXT_NAMES = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
LAYER_NAMES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
               "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
               "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
               "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
VISION_F32 = ("patch_embed.", "pos_embed.")  # the converter keeps these, and all vectors


# ---- safetensors ----------------------------------------------------------------------------------------------------

def read_safetensors(path):
    """{name: float32 array} of a file of F32, F16 or BF16 tensors."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, t in header.items():
        raw = data[slice(*t["data_offsets"])]
        if t["dtype"] == "BF16":
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16}[t["dtype"]]).astype(np.float32)
        tensors[name] = values.reshape(t["shape"])
    return tensors


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + 4 * x.size]}
        at += 4 * x.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for x in tensors.values():
            f.write(np.ascontiguousarray(x, np.float32).tobytes())


def read_model(folder):
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            tensors.update(read_safetensors(os.path.join(folder, name)))
    return tensors


def write_model(folder, source, tensors):
    """Everything of the source folder but its weights, and these weights."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(source):
        path = os.path.join(source, name)
        if os.path.isfile(path) and ".safetensors" not in name:
            shutil.copy(path, folder)
    write_safetensors(os.path.join(folder, "model.safetensors"), tensors)


# ---- the language model through llama-quantize ----------------------------------------------------------------------

def gguf_name(name):
    if name == "lm_head.weight":
        return "output.weight"
    name = name.removeprefix(TEXT)
    if name in TEXT_NAMES:
        return TEXT_NAMES[name]
    layer, part = re.fullmatch(r"layers\.(\d+)\.(.+)\.weight", name).groups()
    return f"blk.{layer}.{LAYER_NAMES[part]}.weight"


def add_metadata(w, config):
    t = config["text_config"]
    rope = t.get("rope_parameters") or t["rope_scaling"]
    w.add_type("model")
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_block_count(t["num_hidden_layers"])
    w.add_context_length(t["max_position_embeddings"])
    w.add_embedding_length(t["hidden_size"])
    w.add_feed_forward_length(t["intermediate_size"])
    w.add_head_count(t["num_attention_heads"])
    w.add_head_count_kv(t["num_key_value_heads"])
    w.add_key_length(t["head_dim"])
    w.add_value_length(t["head_dim"])
    w.add_layer_norm_rms_eps(t["rms_norm_eps"])
    w.add_rope_freq_base(rope.get("rope_theta", t.get("rope_theta")))
    w.add_rope_dimension_sections(rope["mrope_section"] + [0])
    w.add_num_deepstack_layers(len(config["vision_config"]["deepstack_visual_indexes"]))


def add_tokenizer(w, folder, vocabulary):
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        t = json.load(f)
    tokens = [f"[PAD{i}]" for i in range(vocabulary)]
    types = [gguf.TokenType.UNUSED] * vocabulary
    for text, i in t["model"]["vocab"].items():
        tokens[i], types[i] = text, gguf.TokenType.NORMAL
    for a in t["added_tokens"]:
        tokens[a["id"]] = a["content"]
        types[a["id"]] = gguf.TokenType.CONTROL if a["special"] else gguf.TokenType.USER_DEFINED
    ids = {a["content"]: a["id"] for a in t["added_tokens"]}
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]])
    w.add_eos_token_id(ids["<|im_end|>"])
    w.add_pad_token_id(ids["<|endoftext|>"])
    w.add_add_bos_token(False)


def write_gguf(path, model, config, tensors):
    w = gguf.GGUFWriter(path, "qwen3vl")
    add_metadata(w, config)
    add_tokenizer(w, model, config["text_config"]["vocab_size"])
    for name, x in tensors.items():
        w.add_tensor(gguf_name(name), x)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def llama_quantise(source, out, kind):
    done = subprocess.run(["llama-quantize", source, out, kind], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"llama-quantize failed:\n{done.stdout}{done.stderr}")


class Bits:
    """Bytes and weights of the matrices of one part, and which types each kind of matrix got."""

    def __init__(self):
        self.bytes = self.weights = 0
        self.types = collections.defaultdict(collections.Counter)

    def add(self, name, kind, count):
        block, width = gguf.GGML_QUANT_SIZES[kind]
        self.bytes += count // block * width
        self.weights += count
        self.types[re.sub(r"\.\d+\.", ".N.", name)][kind.name] += 1

    def print(self, title):
        print(f"{title}: {8 * self.bytes / self.weights:.4f} bits a weight ({self.bytes} bytes, {self.weights} weights)")
        for name, types in sorted(self.types.items()):
            print(f"  {name:40} " + ", ".join(f"{n} x {kind}" for kind, n in sorted(types.items())))


def round_text(model, config, tensors, kind, scratch, keep):
    plain, rounded = scratch + ".source.gguf", f"{scratch}.{kind.lower()}.gguf"
    write_gguf(plain, model, config, tensors)
    llama_quantise(plain, rounded, kind)
    found = {t.name: t for t in gguf.GGUFReader(rounded).tensors}
    bits, out = Bits(), {}
    for name, x in tensors.items():
        t = found[gguf_name(name)]
        out[name] = gguf.quants.dequantize(t.data, t.tensor_type).reshape(x.shape).astype(np.float32)
        if x.ndim > 1:
            bits.add(t.name, t.tensor_type, x.size)
    os.remove(plain)
    if not keep:
        os.remove(rounded)
    return out, bits


# ---- the vision tower as in an mmproj file --------------------------------------------------------------------------

def round_vision(tensors, kind):
    bits, out = Bits(), {}
    for name, x in tensors.items():
        short = name.removeprefix(VISION)
        own = T.F32 if x.ndim == 1 or short.startswith(VISION_F32) else kind
        out[name] = x if own == T.F32 else gguf.quants.dequantize(gguf.quants.quantize(x, own), own).reshape(x.shape)
        if x.ndim > 1:
            bits.add(short, own, x.size)
    return out, bits


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("out")
    p.add_argument("--type", default="Q4_K_M")
    p.add_argument("--vision", default="Q8_0", choices=["Q8_0", "F32"])
    p.add_argument("--keep-gguf", action="store_true", help="leave the rounded file as OUT.TYPE.gguf")
    a = p.parse_args()

    with open(os.path.join(a.model, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    tensors = read_model(a.model)
    vision = {n: x for n, x in tensors.items() if n.startswith(VISION)}
    text = {n: x for n, x in tensors.items() if n not in vision}
    kind = a.type.upper()
    text, text_bits = round_text(a.model, config, text, kind, a.out.rstrip("/"), a.keep_gguf)
    vision, vision_bits = round_vision(vision, T[a.vision])
    write_model(a.out, a.model, {**text, **vision})
    text_bits.print(f"language model {kind}")
    vision_bits.print(f"vision tower {a.vision}")


if __name__ == "__main__":
    main()

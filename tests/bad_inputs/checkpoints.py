"""A tiny Qwen3-VL checkpoint of half a megabyte, written by code, with the demo model's tokenizer and template."""

import json
import os
import pathlib
import random
import shutil
import struct

from program import ROOT

DEMO = ROOT / "models/demo"
HIDDEN, INNER, HEAD, WIDTH, VISION_INNER, POSITIONS, PATCH = 64, 64, 64, 32, 32, 256, 1536
VOCAB = json.loads((DEMO / "config.json").read_text())["text_config"]["vocab_size"]


def config():
    out = json.loads((DEMO / "config.json").read_text())
    out["text_config"].update(hidden_size=HIDDEN, intermediate_size=INNER, head_dim=HEAD, num_attention_heads=1,
                              num_key_value_heads=1, num_hidden_layers=1)
    out["vision_config"].update(depth=1, hidden_size=WIDTH, intermediate_size=VISION_INNER, num_heads=1,
                                deepstack_visual_indexes=[0], out_hidden_size=HIDDEN, num_position_embeddings=POSITIONS)
    return out


def shapes():
    text, vision = "model.language_model.", "model.visual."
    layer, block = text + "layers.0.", vision + "blocks.0."
    out = {text + "embed_tokens.weight": [VOCAB, HIDDEN], text + "norm.weight": [HIDDEN],
           layer + "input_layernorm.weight": [HIDDEN], layer + "post_attention_layernorm.weight": [HIDDEN],
           layer + "self_attn.q_norm.weight": [HEAD], layer + "self_attn.k_norm.weight": [HEAD],
           layer + "mlp.gate_proj.weight": [INNER, HIDDEN], layer + "mlp.up_proj.weight": [INNER, HIDDEN],
           layer + "mlp.down_proj.weight": [HIDDEN, INNER],
           vision + "patch_embed.proj.weight": [WIDTH, 3, 2, 16, 16], vision + "patch_embed.proj.bias": [WIDTH],
           vision + "pos_embed.weight": [POSITIONS, WIDTH]}
    for name in ("q", "k", "v", "o"):
        out[layer + f"self_attn.{name}_proj.weight"] = [HEAD, HIDDEN]
    linears = {block + "attn.qkv": (3 * WIDTH, WIDTH), block + "attn.proj": (WIDTH, WIDTH),
               block + "mlp.linear_fc1": (VISION_INNER, WIDTH), block + "mlp.linear_fc2": (WIDTH, VISION_INNER)}
    norms = {block + "norm1": WIDTH, block + "norm2": WIDTH}
    for merger, width in ((vision + "merger.", WIDTH), (vision + "deepstack_merger_list.0.", 4 * WIDTH)):
        linears[merger + "linear_fc1"] = (4 * WIDTH, 4 * WIDTH)
        linears[merger + "linear_fc2"] = (HIDDEN, 4 * WIDTH)
        norms[merger + "norm"] = width
    for name, (rows, columns) in linears.items():
        out[name + ".weight"], out[name + ".bias"] = [rows, columns], [rows]
    for name, width in norms.items():
        out[name + ".weight"], out[name + ".bias"] = [width], [width]
    return out


def product(shape):
    out = 1
    for size in shape:
        out *= size
    return out


def bf16(values):
    return b"".join(struct.pack("<f", v)[2:] for v in values)


def tensors():
    chance = random.Random(7)
    out = {}
    for name, shape in shapes().items():
        one = len(shape) == 1 and name.endswith("weight")
        out[name] = ("BF16", shape, bf16(1.0 if one else chance.gauss(0, 0.05) for _ in range(product(shape))))
    return out


def header_of(parts):
    header, offset = {}, 0
    for name, (dtype, shape, data) in parts.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    return header, b"".join(data for _, _, data in parts.values())


def file_bytes(header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


class Checkpoint:
    """The good one; copies of it share every file that they do not change."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tensors = tensors()
        good = self.folder / "good"
        good.mkdir(parents=True)
        for name in ("chat_template.jinja", "generation_config.json", "preprocessor_config.json", "tokenizer.json",
                     "tokenizer_config.json"):
            shutil.copyfile(DEMO / name, good / name)
        (good / "config.json").write_text(json.dumps(config()))
        header, data = header_of(self.tensors)
        (good / "model.safetensors").write_bytes(file_bytes(header, data))
        self.good = good

    def copy(self, name, changes):
        """changes: file name -> new bytes, None: left out, a callable(path): makes it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for source in self.good.iterdir():
            if source.name not in changes:
                os.link(source, folder / source.name)
        for file, content in changes.items():
            if callable(content):
                content(folder / file)
            elif content is not None:
                (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

"""The demo model for training: Qwen3VLForConditionalGeneration's forward, with its parameter names, in plain torch.

    model = load_model("models/demo")                   # config.json + model.safetensors
    hidden, features = model(batch)                     # batch: see tools/demo_model/batches.py
    logits = model.logits(hidden)

Why not transformers' own: a training row here holds pictures with several question branches each, which needs a mask
and positions that its forward does not take; and a row's pictures share one size, so that the vision tower runs as one
dense batch. tools/demo_model/test_model.py holds the two forwards equal to 1e-3 in float32, plain and packed.

Precision: parameters are float32; `model.dtype` (float32 or bfloat16) is what products and the residual stream are
computed in. Norms and softmax statistics stay in float32 inside their kernels. CPU and CUDA. Read the architecture beside this code in docs: the vision tower has
learnt position embeddings (bilinearly resampled) and 2-D rotary ones, gelu-tanh MLPs and 2x2 mergers; the decoder has
query/key norms, interleaved M-RoPE and DeepStack.
"""
import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PATCH, MERGE, TIME = 16, 2, 2
PIECE = 160  # queries
SAFETENSORS = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def patchify(frames):
    """uint8 [n, 1 or 2, H, W, 3] -> float [n, patches, 1536] in merge-block order, as the image processor lays patches
    out."""
    n, t, h, w, _ = frames.shape
    gh, gw = h // PATCH, w // PATCH
    x = frames.float() / 127.5 - 1
    if t == 1:  # a still picture is its own second frame
        x = x.expand(n, TIME, h, w, 3)
    x = x.reshape(n, TIME, gh // 2, 2, PATCH, gw // 2, 2, PATCH, 3).permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return x.reshape(n, gh * gw, 3 * TIME * PATCH * PATCH)


def merge_order(gh, gw):
    """Row and column of every patch, in merge-block order."""
    rows = torch.arange(gh).view(gh // 2, 1, 2, 1).expand(gh // 2, gw // 2, 2, 2).reshape(-1)
    cols = torch.arange(gw).view(1, gw // 2, 1, 2).expand(gh // 2, gw // 2, 2, 2).reshape(-1)
    return rows, cols


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


def attend(q, k, v, mask):
    """Attention over [n, heads, tokens, width]; mask [n, 1, tokens, tokens] is added to the scores and lets no token see later ones, or
    None (all see all)."""
    if q.is_cuda or q.dtype == torch.float32 and mask is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if q.dtype == torch.float32:  # a piece of the queries needs the keys up to its end alone: three eighths less to do
        ends = [(at, min(q.shape[-2], at + PIECE)) for at in range(0, q.shape[-2], PIECE)]
        return torch.cat([F.scaled_dot_product_attention(q[..., a:b, :], k[..., :b, :], v[..., :b, :], attn_mask=mask[..., a:b, :b]) for a, b in ends], -2)
    # In bfloat16 the backward of scaled_dot_product_attention took two thirds of a step on CPUs; two products do not.
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, -1) @ v  # sums in float32 inside, without a copy of the scores


class Linear(nn.Linear):
    """A product in the type of its input. torch.autocast would do it too, but takes norms and sums to float32, and on a
    GPU a model this narrow spends its time on reading and writing those."""

    def forward(self, x):
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


class LayerNorm(nn.LayerNorm):
    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class VisionAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, Linear(width, 3 * width), Linear(width, width)

    def forward(self, x, cos, sin):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        y = attend(rotate(q, cos, sin), rotate(k, cos, sin), v, None)
        return self.proj(y.transpose(1, 2).reshape(n, tokens, width))


class VisionMlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.linear_fc1, self.linear_fc2 = Linear(width, inner), Linear(inner, width)

    def forward(self, x):
        return self.linear_fc2(F.gelu(self.linear_fc1(x), approximate="tanh"))


class VisionBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(c["hidden_size"], 1e-6), LayerNorm(c["hidden_size"], 1e-6)
        self.attn = VisionAttention(c["hidden_size"], c["num_heads"])
        self.mlp = VisionMlp(c["hidden_size"], c["intermediate_size"])

    def forward(self, x, cos, sin):
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class Merger(nn.Module):
    """Four neighbouring patches to one token of the decoder's width; DeepStack's mergers norm after the merge, the main
    one before."""

    def __init__(self, c, after):
        super().__init__()
        width = 4 * c["hidden_size"]
        self.after, self.width = after, width
        self.norm = LayerNorm(width if after else c["hidden_size"], 1e-6)
        self.linear_fc1, self.linear_fc2 = Linear(width, width), Linear(width, c["out_hidden_size"])

    def forward(self, x):
        n = x.shape[0]
        x = self.norm(x.reshape(n, -1, self.width)) if self.after else self.norm(x).reshape(n, -1, self.width)
        return self.linear_fc2(F.gelu(self.linear_fc1(x)))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv3d(3, c["hidden_size"], (TIME, PATCH, PATCH), (TIME, PATCH, PATCH))

    def forward(self, patches):  # patches come cut out: the convolution is one product
        kernel, bias = self.proj.weight.flatten(1).to(patches.dtype), self.proj.bias.to(patches.dtype)
        return F.linear(patches, kernel, bias)


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, self.grids = c, {}
        self.patch_embed = PatchEmbed(c)
        self.pos_embed = nn.Embedding(c["num_position_embeddings"], c["hidden_size"])
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c["depth"]))
        self.merger = Merger(c, after=False)
        self.deepstack_merger_list = nn.ModuleList(Merger(c, after=True) for _ in c["deepstack_visual_indexes"])

    def grid(self, gh, gw, device):
        """Position-embedding corners and weights, and rotary cos and sin, for a grid of gh x gw patches."""
        key = (gh, gw, str(device))
        if key not in self.grids:
            side = int(self.c["num_position_embeddings"] ** 0.5)
            rows, cols = merge_order(gh, gw)
            y, x = torch.linspace(0, side - 1, gh)[rows], torch.linspace(0, side - 1, gw)[cols]
            y0, x0 = y.int().long(), x.int().long()
            y1, x1 = (y0 + 1).clamp(max=side - 1), (x0 + 1).clamp(max=side - 1)
            dy, dx = y - y0, x - x0
            corners = torch.stack([y0 * side + x0, y0 * side + x1, y1 * side + x0, y1 * side + x1])
            weights = torch.stack([(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx])
            quarter = self.c["hidden_size"] // self.c["num_heads"] // 2
            inverse = 1.0 / (10000.0 ** (torch.arange(0, quarter, 2).float() / quarter))
            angles = torch.cat((rows[:, None] * inverse, cols[:, None] * inverse), -1).repeat(1, 2)
            self.grids[key] = tuple(t.to(device) for t in (corners, weights, angles.cos(), angles.sin()))
        return self.grids[key]

    def forward(self, frames, dtype=torch.float32):
        """uint8 [n, 1 or 2, H, W, 3] -> tokens [n, merged, width] and the DeepStack features, a list of the same
        shape."""
        corners, weights, cos, sin = self.grid(frames.shape[2] // PATCH, frames.shape[3] // PATCH, frames.device)
        x = self.patch_embed(patchify(frames).to(dtype)) + (self.pos_embed(corners) * weights[:, :, None]).sum(0).to(dtype)
        cos, sin = cos.to(dtype), sin.to(dtype)
        deep, taps = [], list(self.c["deepstack_visual_indexes"])
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin)
            if i in taps:
                deep.append(self.deepstack_merger_list[taps.index(i)](x))
        return self.merger(x), deep


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, self.d, self.nh, self.nk = (
            c["hidden_size"],
            c["head_dim"],
            c["num_attention_heads"],
            c["num_key_value_heads"],
        )
        self.q_proj = Linear(width, self.nh * self.d, bias=False)
        self.k_proj = Linear(width, self.nk * self.d, bias=False)
        self.v_proj = Linear(width, self.nk * self.d, bias=False)
        self.o_proj = Linear(self.nh * self.d, width, bias=False)
        self.q_norm, self.k_norm = RmsNorm(self.d, c["rms_norm_eps"]), RmsNorm(self.d, c["rms_norm_eps"])

    def forward(self, x, cos, sin, mask):
        n, tokens, _ = x.shape
        v = self.v_proj(x).view(n, tokens, self.nk, self.d).transpose(1, 2)
        q = rotate(self.q_norm(self.q_proj(x).view(n, tokens, self.nh, self.d)).transpose(1, 2), cos, sin)
        k = rotate(self.k_norm(self.k_proj(x).view(n, tokens, self.nk, self.d)).transpose(1, 2), cos, sin)
        group = self.nh // self.nk
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        return self.o_proj(attend(q, k, v, mask).transpose(1, 2).reshape(n, tokens, -1))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        self.post_attention_layernorm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn, self.mlp = Attention(c), Mlp(c)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Language(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RmsNorm(c["hidden_size"], c["rms_norm_eps"])
        half, sections = c["head_dim"] // 2, c["rope_parameters"]["mrope_section"]
        axis = torch.zeros(half, dtype=torch.long)  # interleaved M-RoPE: frequency i turns with time, row or column
        for dim in (1, 2):
            axis[dim : 3 * sections[dim] : 3] = dim
        self.register_buffer("axis", axis, persistent=False)
        exponents = torch.arange(0, c["head_dim"], 2).float() / c["head_dim"]
        self.register_buffer("inverse", 1.0 / c["rope_parameters"]["rope_theta"] ** exponents, persistent=False)

    def angles(self, positions):
        """positions [n, 3, tokens] -> cos and sin [n, 1, tokens, head_dim], float32."""
        turns = positions.float()[..., None] * self.inverse
        index = self.axis.view(1, 1, 1, -1).expand(turns.shape[0], 1, turns.shape[2], -1)
        turns = torch.gather(turns, 1, index).repeat(1, 1, 1, 2)
        return turns.cos(), turns.sin()


class Inner(nn.Module):
    """The `model.` of the parameter names."""

    def __init__(self, config):
        super().__init__()
        self.visual, self.language_model = Vision(config["vision_config"]), Language(config["text_config"])


class DemoModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.model, self.dtype = config, Inner(config), torch.float32
        for name, p in self.named_parameters():  # norms keep their ones, biases begin at nought
            if p.ndim >= 2:
                nn.init.normal_(p, std=config["text_config"].get("initializer_range", 0.02))
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, batch):
        """Last hidden states [rows, tokens, width], and the visual features of pictures and of video frames as a list.

        batch: tensors ids, branch, upward, doc [rows, tokens], positions [rows, 3, tokens], pictures uint8 [n, H, W, 3]
        or None, videos uint8 [n, frames, H, W, 3] or None. Visual tokens of all rows take the features in order,
        pictures before videos; `seen` (optional) are their places in ids.view(-1): looking for them here would make the
        CPU wait for the GPU.
        """
        language = self.model.language_model
        ids = batch["ids"]
        features, deep = [], []
        for frames in self.frames(batch):
            tokens, taps = self.model.visual(frames, self.dtype)
            features.append(tokens)
            deep.append(taps)
        x = language.embed_tokens(ids).to(self.dtype)
        rows, tokens, width = x.shape
        at = batch.get("seen")
        if at is None:
            visual = (ids == self.config["image_token_id"]) | (ids == self.config["video_token_id"])
            at = visual.view(-1).nonzero().view(-1)
        if features:
            flat = torch.cat([f.reshape(-1, width) for f in features]).to(x.dtype)
            x = x.view(-1, width).index_copy(0, at, flat).view(rows, tokens, width)
        cos, sin = (t.to(self.dtype) for t in language.angles(batch["positions"]))
        seen = visible(batch)
        mask = torch.zeros(seen.shape, dtype=self.dtype, device=seen.device)
        mask.masked_fill_(~seen, torch.finfo(self.dtype).min)
        for i, layer in enumerate(language.layers):
            x = layer(x, cos, sin, mask)
            if deep and i < len(deep[0]):
                flat = torch.cat([d[i].reshape(-1, width) for d in deep]).to(x.dtype)
                x = x.view(-1, width).index_add(0, at, flat).view(rows, tokens, width)
        return language.norm(x), features

    @staticmethod
    def frames(batch):
        """The vision tower's inputs: pictures as [n, 1, H, W, 3], videos as pairs of frames [n, 2, H, W, 3]."""
        if batch.get("pictures") is not None:
            yield batch["pictures"][:, None]
        if batch.get("videos") is not None:
            n, t, h, w, _ = batch["videos"].shape
            yield batch["videos"].reshape(n * t // TIME, TIME, h, w, 3)

    def logits(self, hidden):
        return F.linear(hidden, self.model.language_model.embed_tokens.weight.to(hidden.dtype))


def visible(batch):
    """bool [rows, 1, tokens, tokens]: a token sees earlier ones of its document that are of its own branch or, if
    `upward`, the prefix's."""
    branch, doc, upward = batch["branch"], batch["doc"], batch["upward"].bool()
    same = branch[:, :, None] == branch[:, None, :]
    prefix = (branch[:, None, :] == 0) & upward[:, :, None]
    causal = torch.ones(branch.shape[1], branch.shape[1], dtype=torch.bool, device=branch.device).tril()
    return ((same | prefix) & (doc[:, :, None] == doc[:, None, :]) & causal)[:, None]


def load_model(folder, weights=True):
    """A float32 model from a Hugging Face folder; with weights=False freshly initialised by its config.json."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        model = DemoModel(json.load(f))
    if weights:
        model.load_state_dict(read_weights(folder))
    return model


def read_weights(folder):
    """Name -> float32 tensor of a folder's model.safetensors, or of the weights.part0, weights.part1, ... that a run
    wrote."""
    path = os.path.join(folder, "model.safetensors")
    if os.path.exists(path):
        return read_safetensors([path])
    names = [n for n in os.listdir(folder) if n.startswith("weights.part")]
    if not names:
        raise FileNotFoundError(f"neither model.safetensors nor weights.part0 in {folder}")
    return read_safetensors([os.path.join(folder, n) for n in sorted(names, key=lambda n: int(n[12:]))])


def read_safetensors(paths):
    """Name -> float32 tensor of one file, given whole or in parts. The format is a length, a JSON header and the bytes;
    reading it here spares a dependency."""
    data = bytearray()
    for path in paths:
        with open(path, "rb") as f:
            data += f.read()
    (size,) = struct.unpack("<Q", data[:8])
    header, data = json.loads(data[8 : 8 + size]), data[8 + size :]
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(
            data, dtype=SAFETENSORS[x["dtype"]], count=int(np.prod(x["shape"])), offset=x["data_offsets"][0]
        )
        .view(x["shape"])
        .float()
        for name, x in header.items()
    }

"""Rows of model files: a tiny good checkpoint, damaged in one way at a time, and the program started on it."""

import json
import os
import random
import re
import shutil
import struct

import program
from checkpoints import VOCAB, Checkpoint, config, file_bytes, header_of, product
from program import Failure, Server, child_environment, die_with_parent, run_program  # noqa: F401

NORM = "model.language_model.norm.weight"
EMBED = "model.language_model.embed_tokens.weight"
WEIGHTS = "model.safetensors"


def good_parts(checkpoint):
    header, data = header_of(checkpoint.tensors)
    return json.loads(json.dumps(header)), data


def with_header(change):
    """The good file with its header changed."""
    def make(checkpoint):
        header, data = good_parts(checkpoint)
        changed = change(header)
        return {WEIGHTS: file_bytes(header if changed is None else changed, data)}
    return make


def entry(**fields):
    return with_header(lambda header: header[NORM].update(fields))


def header_text(change):
    def make(checkpoint):
        header, data = good_parts(checkpoint)
        return {WEIGHTS: file_bytes(change(json.dumps(header).encode()), data)}
    return make


def whole_file(change):
    return lambda checkpoint: {WEIGHTS: change((checkpoint.good / WEIGHTS).read_bytes())}


def each(*makers):
    """(label, maker) pairs."""
    return lambda checkpoint: [(label, make(checkpoint)) for label, make in makers]


def extra_tensor(name, dtype, shape, data):
    def make(checkpoint):
        parts = dict(checkpoint.tensors)
        parts[name] = (dtype, shape, data)
        return {WEIGHTS: file_bytes(*header_of(parts))}
    return make


def zero_size_tensor(checkpoint):
    """Begins and ends where another tensor begins."""
    header, data = good_parts(checkpoint)
    at = header[NORM]["data_offsets"][0]
    header["extra"] = {"dtype": "F32", "shape": [0, 7], "data_offsets": [at, at]}
    return {WEIGHTS: file_bytes(header, data)}


def without(name):
    def make(checkpoint):
        parts = {k: v for k, v in checkpoint.tensors.items() if k != name}
        return {WEIGHTS: file_bytes(*header_of(parts))}
    return make


def replaced(name, dtype, shape, data):
    def make(checkpoint):
        parts = dict(checkpoint.tensors)
        parts[name] = (dtype, shape, data)
        return {WEIGHTS: file_bytes(*header_of(parts))}
    return make


def not_numbers(checkpoint):
    parts = {name: (dtype, shape, b"\xc0\x7f" * product(shape)) for name, (dtype, shape, _) in checkpoint.tensors.items()}
    return {WEIGHTS: file_bytes(*header_of(parts))}


def overlapping(header):
    a, b = header[NORM], header["model.language_model.layers.0.input_layernorm.weight"]
    a["data_offsets"] = list(b["data_offsets"])


def hole(checkpoint):
    header, data = good_parts(checkpoint)
    for tensor in header.values():
        tensor["data_offsets"] = [n + 2 for n in tensor["data_offsets"]]
    return {WEIGHTS: file_bytes(header, b"\0\0" + data)}


def many_tensors(checkpoint):
    del checkpoint
    one = ',"%07d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    text = "{" + "".join(one % i for i in range(1_600_000))[1:] + "}"
    return {WEIGHTS: file_bytes(text.encode(), b"")}


def sharded(change=None, cut=0, drop=None):
    """Two shards and their index."""
    def make(checkpoint):
        names = list(checkpoint.tensors)
        halves = [names[:len(names) // 2], names[len(names) // 2:]]
        files, index = {WEIGHTS: None}, {}
        for i, half in enumerate(halves):
            file = f"model-0000{i + 1}-of-00002.safetensors"
            files[file] = file_bytes(*header_of({n: checkpoint.tensors[n] for n in half}))
            index.update({n: file for n in half})
        if cut:
            files["model-00002-of-00002.safetensors"] = files["model-00002-of-00002.safetensors"][:-cut]
        if drop:
            del files[drop]
        whole = {"metadata": {}, "weight_map": index}
        files["model.safetensors.index.json"] = json.dumps(change(whole, files) if change else whole)
        return files
    return make


def shard_at(path):
    def change(whole, files):
        del files
        whole["weight_map"] = {name: path for name in whole["weight_map"]}
        return whole
    return sharded(change)


def tensor_in_both(whole, files):
    first, second = sorted(f for f in files if f.startswith("model-"))
    files[second] = files[first]
    return whole


def configured(*path_and_value, section=None, file="config.json"):
    """config.json with one field changed; the value "DELETE" takes it away."""
    *path, value = path_and_value

    def make(checkpoint):
        del checkpoint
        out = config()
        place = out
        for step in path[:-1]:
            place = place[step]
        if value == "DELETE":
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return {file: json.dumps(out)}
    return make


def text(key, *values):
    return each(*((f"{key} {v}", configured("text_config", key, v)) for v in values))


def vision(key, *values):
    return each(*((f"{key} {v}", configured("vision_config", key, v)) for v in values))


def written(file, *contents):
    return lambda checkpoint: [(repr(c)[:40], {file: c}) for c in contents]


def tokenizer(change):
    def make(checkpoint):
        whole = json.loads((checkpoint.good / "tokenizer.json").read_text())
        change(whole)
        return {"tokenizer.json": json.dumps(whole)}
    return make


def vocabulary(name, token_id):
    return tokenizer(lambda t: t["model"]["vocab"].update({name: token_id}))


def special_file(kind):
    def make_path(path):
        {"fifo": lambda: os.mkfifo(path), "folder": lambda: path.mkdir(), "zero": lambda: path.symlink_to("/dev/zero"),
         "random": lambda: path.symlink_to("/dev/random"), "loop": lambda: path.symlink_to(path.name),
         "gone": lambda: path.symlink_to("nowhere")}[kind]()
    return make_path


def special(file, *kinds):
    return lambda checkpoint: [(f"{file} {kind}", {file: special_file(kind)}) for kind in kinds]


def template(*sources):
    return lambda checkpoint: [(s[:40], {"chat_template.jinja": s}) for s in sources]


def cuts_of(file, step):
    def make(checkpoint):
        data = (checkpoint.good / file).read_bytes()
        return [(f"{n} of {len(data)}", {file: data[:n]}) for n in range(step, len(data) - 1, step)]
    return make


def nested_config(checkpoint):
    del checkpoint
    return {"config.json": '{"a":' * 100000 + "1" + "}" * 100000}


RECIPES = {
    "MOD-001": lambda c: [(f"{n} bytes", {WEIGHTS: (c.good / WEIGHTS).read_bytes()[:n]}) for n in (0, 1, 7, 8)],
    "MOD-002": cuts_of(WEIGHTS, 40_000),
    "MOD-003": whole_file(lambda b: b"\xff" * 8 + b[8:]),
    "MOD-004": each(*((hex(n), whole_file(lambda b, n=n: struct.pack("<Q", n) + b[8:])) for n in (0, 1 << 63, 1 << 32, 100_000_001))),
    "MOD-005": whole_file(lambda b: struct.pack("<Q", len(b) - 7) + b[8:]),
    "MOD-006": whole_file(lambda b: struct.pack("<Q", len(b) - 8) + b[8:]),
    "MOD-007": each(("not JSON", header_text(lambda t: b"{not json" + b" " * len(t))), ("a list", header_text(lambda t: b"[]")),
                    ("half of it", header_text(lambda t: t[:-20])), ("a zero byte", header_text(lambda t: t + b"\0")),
                    ("two documents", header_text(lambda t: t + b"{}"))),
    "MOD-008": header_text(lambda t: b" " + t),
    "MOD-009": header_text(lambda t: t.replace(b"norm.weight", b"n\xffrm.weight", 1)),
    "MOD-010": header_text(lambda t: t[:-1] + b"," + t[1:]),
    "MOD-011": entry(shape=[4194305, 4194305, 211106198978564]),
    "MOD-012": entry(shape=[-1]),
    "MOD-013": each(("1.5", entry(shape=[1.5])), ("2^64", entry(shape=[2**64]))),
    "MOD-013b": each(("string", entry(shape=["x"])), ("null", entry(shape=None)), ("number", entry(shape=64)),
                     ("nested", entry(shape=[[64]]))),
    "MOD-014": entry(shape=[1] * 70000),
    "MOD-015": each(("F13", entry(dtype="F13")), ("bf16", entry(dtype="bf16")), ("empty", entry(dtype=""))),
    "MOD-015b": replaced(NORM, "I32", [64], bytes(256)),
    "MOD-016": entry(dtype="F32"),
    "MOD-017": entry(data_offsets=[8, 4]),
    "MOD-017b": each(("three", entry(data_offsets=[0, 1, 2])), ("one", entry(data_offsets=[0])), ("none", entry(data_offsets=[]))),
    "MOD-017c": each(("negative", entry(data_offsets=[-2, 4])), ("floats", entry(data_offsets=[0.0, 128.0]))),
    "MOD-018": entry(data_offsets=[0, 1 << 40]),
    "MOD-019": with_header(overlapping),
    "MOD-020": hole,
    "MOD-021": zero_size_tensor,
    "MOD-022": whole_file(lambda b: b + b"\0"),
    "MOD-023": each(("a list", with_header(lambda h: h.update(__metadata__=[]))), ("a number", with_header(lambda h: h.update(__metadata__={"a": 1})))),
    "MOD-024": sharded(cut=1000),
    "MOD-024b": sharded(cut=1),
    "MOD-025": many_tensors,
    "MOD-026": without("model.visual.pos_embed.weight"),
    "MOD-027": replaced("model.language_model.layers.0.mlp.up_proj.weight", "BF16", [32, 128], bytes(8192)),
    "MOD-028": replaced("model.visual.patch_embed.proj.weight", "BF16", [32, 1536], bytes(32 * 1536 * 2)),
    "MOD-029": extra_tensor("model.unknown.weight", "F32", [3], bytes(12)),
    "MOD-031": each(("up", shard_at("../x.safetensors")), ("back", shard_at("a\\b.safetensors")), ("dots", shard_at("..")), ("empty", shard_at(""))),
    "MOD-032": shard_at("/etc/passwd"),
    "MOD-033": sharded(drop="model-00002-of-00002.safetensors"),
    "MOD-034": sharded(tensor_in_both),
    "MOD-034b": each(("not JSON", lambda c: {**sharded()(c), "model.safetensors.index.json": "{"}),
                     ("no map", lambda c: {**sharded()(c), "model.safetensors.index.json": "{}"}),
                     ("numbers", lambda c: {**sharded()(c), "model.safetensors.index.json": '{"weight_map":{"a":1}}'}),
                     ("one too many", sharded(lambda w, f: (w["weight_map"].update(more=sorted(x for x in f if x.startswith("model-"))[0]), w)[1])),
                     ("one too few", sharded(lambda w, f: (w["weight_map"].popitem(), w)[1]))),
    "MOD-034c": sharded(),
    "MOD-035": special("model.safetensors.index.json", "folder"),
    "MOD-035b": special(WEIGHTS, "fifo", "folder", "zero", "random", "loop", "gone"),
    "MOD-036": lambda c: [("missing", {"config.json": None}), ("empty", {"config.json": ""}), ("[]", {"config.json": "[]"}),
                          ("null", {"config.json": "null"}), ("{}", {"config.json": "{}"}), ("cut", {"config.json": '{"model_type":'}),
                          ("no UTF-8", {"config.json": b'{"model_type":"\xff"}'}), ("zero byte", {"config.json": json.dumps(config()) + "\0x"})],
    "MOD-036b": special("config.json", "fifo", "folder", "zero", "loop", "gone"),
    "MOD-036c": nested_config,
    "MOD-037": text("hidden_size", 0, -1, 2**31, 2**63, 64.5, "64", None, [64]),
    "MOD-038": text("num_attention_heads", 0, -1, 2**31),
    "MOD-038b": text("num_key_value_heads", 0, 2, -1),
    "MOD-039": vision("num_heads", 0, 3, 32),
    "MOD-040": text("head_dim", 0, 1, -64, 63, 2**20),
    "MOD-041": text("vocab_size", VOCAB - 1, 4096),
    "MOD-041b": text("vocab_size", 0, -1, 2**31),
    "MOD-042": text("num_hidden_layers", 0, -1, 2**31),
    "MOD-042b": text("num_hidden_layers", 2, 1000),
    "MOD-043": text("rope_parameters", {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 2, 3]},
                    {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [12, 10]}, {"rope_type": "llama3", "rope_theta": 1e4},
                    {"rope_type": "default", "rope_theta": 0}, {"rope_type": "default", "rope_theta": "x"}, None, 5),
    "MOD-044": vision("patch_size", 0, -1, 2**31),
    "MOD-044b": vision("spatial_merge_size", 0, 3000),
    "MOD-045": vision("deepstack_visual_indexes", [5], [-1], [0, 0], "x"),
    "MOD-045b": vision("num_position_embeddings", 0, 255, 2**40),
    "MOD-046": text("rms_norm_eps", 0, -1, 5, "x"),
    "MOD-047": text("max_position_embeddings", 2**40, 0, -1),
    "MOD-047b": each(("model_type", configured("model_type", "llama")), ("image_token_id", configured("image_token_id", VOCAB)),
                     ("image_token_id", configured("image_token_id", -1)), ("the same ids", configured("image_token_id", 2035)),
                     ("no text_config", configured("text_config", "DELETE")), ("no vision_config", configured("vision_config", "DELETE")),
                     ("hidden_act", configured("text_config", "hidden_act", "gelu")), ("quantised", configured("quantization_config", {"quant_method": "awq"}))),
    "MOD-047c": written("generation_config.json", "[]", "{", '{"eos_token_id":99999}', '{"temperature":"x"}', '{"top_p":-1}', '{"top_k":-5}'),
    "MOD-047d": written("preprocessor_config.json", "[]", "{", '{"patch_size":0}', '{"merge_size":-1}', '{"image_mean":[0.1,0.5,0.5]}',
                        '{"size":{"shortest_edge":5,"longest_edge":4}}', '{"min_pixels":1e99}'),
    "MOD-048": lambda c: [("missing", {"tokenizer.json": None}), ("{}", {"tokenizer.json": "{}"}), ("empty", {"tokenizer.json": ""}),
                          ("[]", {"tokenizer.json": "[]"}), ("null", {"tokenizer.json": "null"})],
    "MOD-048b": cuts_of("tokenizer.json", 20_000),
    "MOD-048c": special("tokenizer.json", "fifo", "folder", "zero", "loop"),
    "MOD-049": each(("2^31", vocabulary("zzz", 2**31)), ("-1", vocabulary("zzz", -1)), ("twice", vocabulary("zzz", 5)),
                    ("1.5", vocabulary("zzz", 1.5)), ("2^64", vocabulary("zzz", 2**64)), ("string", vocabulary("zzz", "7"))),
    "MOD-050": tokenizer(lambda t: t["model"]["merges"].insert(0, "qqqq wwww")),
    "MOD-050b": each(("number", tokenizer(lambda t: t["model"]["merges"].insert(0, 5))), ("one word", tokenizer(lambda t: t["model"]["merges"].insert(0, "a"))),
                     ("three", tokenizer(lambda t: t["model"]["merges"].insert(0, ["a", "b", "c"])))),
    "MOD-051": tokenizer(lambda t: (t["model"]["vocab"].update({"<0x-1>": t["model"]["vocab"].pop("!")}))),
    "MOD-052": each(("type", tokenizer(lambda t: t["model"].update(type="Unigram"))), ("model", tokenizer(lambda t: t.update(model=None))),
                    ("vocab", tokenizer(lambda t: t["model"].update(vocab=[]))), ("no vocab", tokenizer(lambda t: t["model"].update(vocab={})))),
    "MOD-053": tokenizer(lambda t: t["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex="(a+)+")),
    "MOD-054": each(("past the vocabulary", tokenizer(lambda t: t["added_tokens"][0].update(id=2**31 - 1))), ("-1", tokenizer(lambda t: t["added_tokens"][0].update(id=-1))),
                    ("empty", tokenizer(lambda t: t["added_tokens"][0].update(content="")))),
    "MOD-055": tokenizer(lambda t: t["added_tokens"].append({**t["added_tokens"][0], "id": VOCAB, "content": "<|more|>"})),
    "MES-057": template("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    "MES-058": template("{{ " + "(" * 10000 + "1" + ")" * 10000 + " }}"),
    "MES-058b": template("{% if x %}" * 5000 + "{% endif %}" * 5000),
    "MES-059": template('{{ "a"*10**9 }}', '{{ "a" * 1000000 }}', "{{ 2 ** 99999 }}"),
    "MES-060": template('{{ "".__class__ }}', '{{ x.__globals__ }}', '{{ ""["__class__"] }}'),
    "MES-061": template('{% include "/etc/passwd" %}', '{% import "x" as y %}', '{% extends "x" %}'),
    "MES-062": template("{% if x", "{{ x", "{% if x %}", "{% endfor %}", "{# x"),
}


def failed_cleanly(row, done, limit_seconds, rss_limit_mb):
    """Exit code, one line with the code at its end, in time, without much memory."""
    if done.code < 0:
        raise Failure(f"ended by signal {-done.code}: {done.err[-1500:]}")
    if done.code != int(row["expect"].removeprefix("exit ")):
        raise Failure(f"exit {done.code}, expected {row['expect']}: {done.err[-1500:]}")
    lines = [line for line in done.err.splitlines() if line.startswith("qwen3vl: ")]
    if len(lines) != 1 or not done.err.rstrip().endswith(lines[0]):
        raise Failure(f"expected one line of error at the end: {done.err[-1500:]!r}")
    code = re.search(r"\((\w+)\)$", lines[0])
    if not code or row["error.code"] not in ("*", code.group(1)) or code.group(1) == "internal_error":
        raise Failure(f"expected the code {row['error.code']}: {lines[0]}")
    if len(lines[0]) > 1200:
        raise Failure(f"a message of {len(lines[0])} characters")
    if re.search(r"(?<![0-9a-z])0x[0-9a-f]{6,}|\.cc\b|terminate called|std::", lines[0]):
        raise Failure(f"tells something internal: {lines[0]}")
    if done.seconds > limit_seconds:
        raise Failure(f"took {done.seconds:.1f} s")
    if done.rss_mb > rss_limit_mb:
        raise Failure(f"took {done.rss_mb:.0f} MB, at most {rss_limit_mb:.0f}")


def load(binary, folder, slack):
    return run_program(binary, ["chat", "--model", folder, "--prompt", "x", "--json", "--max-tokens", "2", "--temperature", "0"],
                       timeout=30 * slack)


class ModelRows:
    def __init__(self, binary, slack, report, folder):
        self.binary, self.slack, self.report, self.folder = binary, slack, report, folder
        self.checkpoint = Checkpoint(folder / "models")
        self.good = load(binary, self.checkpoint.good, slack)
        if self.good.code != 0:
            raise Failure(f"the good checkpoint does not load: {self.good.err}")

    def check(self, row):
        cases = RECIPES[row["id"]](self.checkpoint)
        for label, changes in cases if isinstance(cases, list) else [("", cases)]:
            self.report.inputs += 1
            folder = self.checkpoint.copy("case", changes)
            done = load(self.binary, folder, self.slack)
            try:
                if row["expect"] == "ok":
                    if done.code != 0 or json.loads(done.out)["answer"] != json.loads(self.good.out)["answer"]:
                        raise Failure(f"exit {done.code}, expected the good answer: {done.err[-1500:]}")
                else:
                    big = 200 if row["id"] == "MOD-025" else 0  # a header of 90 MB, mapped
                    failed_cleanly(row, done, 2.0 * self.slack, self.good.rss_mb + 64 * max(1, self.slack / 4) + big)
            except Failure as failure:
                raise Failure(f"{failure} ({label})" if label else str(failure)) from None


def nan_weights(rows):
    """The server stays up, every request ends with 500 nan_logits."""
    folder = rows.checkpoint.copy("nan", not_numbers(rows.checkpoint))
    server = Server(rows.binary, log_path=rows.folder / "nan.log", slack=rows.slack, model=folder)
    try:
        for body in ({"messages": [{"role": "user", "content": "x"}]}, {"messages": [{"role": "user", "content": "x"}], "temperature": 0}):
            reply = server.post(body)
            if (reply.status, reply.code()) != (500, "nan_logits"):
                raise Failure(f"{reply.status} {reply.code()}, expected 500 nan_logits")
            program.check_error_object(reply)
        stream = server.post({"messages": [{"role": "user", "content": "x"}], "stream": True})
        if b"nan_logits" not in stream.body:
            raise Failure(f"the stream does not tell: {stream.body[-300:]!r}")
        if server.get("/health").status != 200 or not server.alive():
            raise Failure("the server is gone")
        server.stop()
    finally:
        server.process.kill()


def cut_while_running(rows):
    """Weights are copied when they are packed: the file may vanish under a running server."""
    folder = rows.checkpoint.copy("cut", {WEIGHTS: (rows.checkpoint.good / WEIGHTS).read_bytes()})
    server = Server(rows.binary, log_path=rows.folder / "cut.log", slack=rows.slack, model=folder)
    body = {"messages": [{"role": "user", "content": "x"}], "temperature": 0, "max_tokens": 8}
    try:
        before = server.post(body).json()["choices"]
        os.truncate(folder / WEIGHTS, 100)
        if server.post(body).json()["choices"] != before:
            raise Failure("another answer after the model's file was cut")
        os.unlink(folder / WEIGHTS)
        if server.post(body).json()["choices"] != before or server.stop() != 0:
            raise Failure("another answer after the model's file was removed")
    finally:
        server.process.kill()


def quantised(rows, folder, *flags):
    return run_program(rows.binary, ["chat", "--model", folder, "--prompt", "x", "--max-tokens", "4", "--temperature", "0",
                                     "--quantize", "int4", *flags], timeout=30 * rows.slack)


def packed_cache(*damages):
    """Whatever happened to the file of quantised weights: a warning, the same answer, and a sound file in its place."""
    def run(rows):
        for damage in damages:
            rows.report.inputs += 1
            folder = rows.checkpoint.copy("packed", {WEIGHTS: (rows.checkpoint.good / WEIGHTS).read_bytes()})
            cache = rows.folder / "packed-cache"
            shutil.rmtree(cache, ignore_errors=True)
            flags = ("--packed-cache", cache)
            good = quantised(rows, folder, *flags)
            files = list(cache.iterdir())
            if good.code != 0 or len(files) != 1:
                raise Failure(f"exit {good.code}, {len(files)} files kept: {good.err[-800:]}")
            damage(files[0], folder)
            again, kept = quantised(rows, folder, *flags), quantised(rows, folder, *flags)
            if "(cache_invalid)" not in again.err:
                raise Failure(f"the damage is not told: {again.err[-800:]}")
            if "weights from" not in kept.err or "(cache_invalid)" in kept.err:
                raise Failure(f"it was not made again: {kept.err[-800:]}")
            for done in (again, kept):
                if done.code != 0 or done.out != good.out:
                    raise Failure(f"exit {done.code}, another answer: {done.err[-800:]}")
            if list(cache.iterdir()) != files or files[0].is_symlink():
                raise Failure(f"left in the cache: {list(cache.iterdir())}")
    return run


def change_bytes(change):
    def damage(file, _):
        data = bytearray(file.read_bytes())
        file.write_bytes(bytes(change(data) or data))
    return damage


def flip(place):
    def change(data):
        data[place % len(data)] ^= 16
    return change_bytes(change)


def newer_source(_, folder):
    later = (folder / WEIGHTS).stat().st_mtime + 10
    os.utime(folder / WEIGHTS, (later, later))


def to_symlink(file, _):
    file.unlink()
    file.symlink_to("/etc/passwd")


def to_zeros(file, _):
    size = file.stat().st_size
    file.unlink()
    with open(file, "wb") as out:
        out.truncate(size)


def old_version(data):
    data[8] = 0


def other_model(rows):
    """A sound file, but of another model's weights."""
    header, data = good_parts(rows.checkpoint)
    other = rows.checkpoint.copy("packed-other", {WEIGHTS: file_bytes(header, data[:-64] + bytes(64))})

    def damage(file, _):
        cache = rows.folder / "packed-cache-other"
        shutil.rmtree(cache, ignore_errors=True)
        quantised(rows, other, "--packed-cache", cache)
        shutil.copy(next(cache.iterdir()), file)
    packed_cache(damage)(rows)


def nan_quantised(rows):
    """A weight that is no number has no level."""
    done = quantised(rows, rows.checkpoint.copy("nan", not_numbers(rows.checkpoint)))
    failed_cleanly({"expect": "exit 3", "error.code": "model_not_finite"}, done, 2.0 * rows.slack, 1e9)
    if "tensor model." not in done.err and "tensor lm_head" not in done.err:
        raise Failure(f"the tensor is not named: {done.err[-500:]}")


def damaged(file, count, bytes_from=0, bytes_to=None):
    """Random damage: the model loads or is refused with exit 3 and one line; nothing else."""
    def run(rows):
        chance, whole = random.Random(11), (rows.checkpoint.good / file).read_bytes()
        end = min(bytes_to or len(whole), len(whole))
        for n in range(count):
            bad = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                bad[chance.randrange(bytes_from, end)] = chance.randrange(256)
            rows.report.inputs += 1
            done = load(rows.binary, rows.checkpoint.copy("case", {file: bytes(bad)}), rows.slack)
            # Exit 1: numbers that load, and then are not numbers.
            last = done.err.strip().splitlines()[-1] if done.err.strip() else ""
            fine = done.code == 0 or (done.code == 3 and re.search(r"\(\w+\)$", last)) or \
                (done.code == 1 and last.endswith(("(nan_logits)", "(context_length_exceeded)"))) or (done.code == 5 and last.endswith("(memory_budget)"))
            if not fine:
                raise Failure(f"damage {n}: exit {done.code}: {done.err[-1500:]}")
    return run


SPECIAL = {
    "MOD-030": nan_weights,
    "MOD-085": other_model,
    "MOD-086": packed_cache(change_bytes(old_version)),
    "MOD-087": packed_cache(newer_source),
    "MOD-088": packed_cache(lambda file, _: file.write_bytes(b"")),
    "MOD-089": packed_cache(to_symlink),
    "MOD-091": packed_cache(to_zeros),
    "MOD-091b": packed_cache(change_bytes(lambda data: data[:-1]), change_bytes(lambda data: data[:len(data) // 2]), flip(5000), flip(-5000)),
    "MOD-091c": nan_quantised,
    "MOD-092": cut_while_running,
    "MOD-093": damaged(WEIGHTS, 60, 0, 3000),
    "MOD-094": damaged("config.json", 60),
    "MOD-095": damaged("tokenizer.json", 40),
    "MOD-096": damaged("tokenizer_config.json", 20),
    "MOD-097": damaged("chat_template.jinja", 20),
    "MOD-098": damaged("preprocessor_config.json", 20),
}
RECIPES.update({name: None for name in SPECIAL})


def run(binary, slack, group, report, folder):
    rows = ModelRows(binary, slack, report, folder)
    for row in group:
        special_row = SPECIAL.get(row["id"])
        report.row(row, (lambda: special_row(rows)) if special_row else (lambda: rows.check(row)))

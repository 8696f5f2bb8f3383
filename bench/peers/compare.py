#!/usr/bin/env python3
"""Runs the same work through qwen3vl, llama.cpp and transformers, one after the other in every round, on Qwen3-VL's true
shapes with made weights; prints the ratios and writes every sample as JSON. plot.py draws its pictures from that file.

  bench/peers/compare.py [--root FOLDER] [--sizes 2b,4b] [--tests prefill,decode,long,picture] [--rounds 2] ...

Tests: prefill (512 tokens), decode (32), long (a prompt of 2048), picture (1024x768 and 20 tokens of text to the first token).
The first two run in every round, the long ones in the first --long-rounds. The best sample of each program counts: other work
on a machine only ever makes a run slower.

FOLDER holds a Debian system with llama.cpp-tools, python3-gguf, python3-torch and python3-transformers, which is entered with
chroot (needs root); / is this system. The GGUF files are made there once, in opt/qvl-peers. Peers' settings: llama-bench with
the better of flash attention on and off, repacking on; llama-server with a Q8_0 tower and flash attention; transformers with
scaled-dot-product attention in float32, where the processor multiplies bfloat16 also in that. Only Python's own library here.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import time

import llama

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
FOLDER = "/opt/qvl-peers"  # inside the root
BILLIONS = {"2b": 2.1, "4b": 4.4, "8b": 8.8, "30b-a3b": 31.1}
NAMES = {"q4_0": "Q4_0", "q4_k_m": "Q4_K_M", "q8_0": "Q8_0"}


def words(text):
    return text.replace(",", " ").split()


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--root", default="/")
    p.add_argument("--binary", default=str(PROJECT / "build/release/qwen3vl"))
    p.add_argument("--sizes", default="2b,4b", type=words)
    p.add_argument("--tests", default="prefill,decode,long,picture", type=words)
    p.add_argument("--peers", default="qwen3vl,llama.cpp,transformers", type=words)
    p.add_argument("--rounds", default=2, type=int)
    p.add_argument("--long-rounds", default=1, type=int, help="rounds of long and picture")
    p.add_argument("--formats", default="int4", type=words, help="of qwen3vl: int4, int8, none (bfloat16)")
    p.add_argument("--types", default="q4_0,q4_k_m", type=words, help="of llama.cpp; long and picture take the faster one")
    p.add_argument("--dtypes", type=words, help="of transformers (default: float32, bfloat16 where the processor has it)")
    p.add_argument("--torch-sizes", default="2b", type=words, help="sizes that transformers runs: it is slow")
    p.add_argument("--flash", default="better", choices=["on", "off", "better"], help="flash attention of llama-bench")
    p.add_argument("--threads", default=len(os.sched_getaffinity(0)), type=int)
    p.add_argument("--prompt", default=512, type=int)
    p.add_argument("--long", default=2048, type=int)
    p.add_argument("--generate", default=32, type=int)
    p.add_argument("--torch-generate", default=4, type=int)
    p.add_argument("--image", default="1024x768")
    p.add_argument("--limit", default=300, type=int, help="seconds for one run of one program")
    p.add_argument("--out", default="peers.json")
    p.add_argument("--onednn", default="", help="path of bench_onednn: int8 products beside qwen3vl's int4 ones")
    return p.parse_args()


class Machine:
    """Who else used the processor during a run."""

    def __enter__(self):
        self.start = self.ticks()
        return self

    def __exit__(self, *_):
        busy, own, wall = (b - a for a, b in zip(self.start, self.ticks()))
        self.seconds = wall
        self.others = max(0.0, busy - own) / (wall * os.cpu_count()) * 100

    @staticmethod
    def ticks():  # busy and stolen seconds of all cores; of our own ended children; of the clock
        v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK"), used.ru_utime + used.ru_stime, time.time()


class Compare:
    def __init__(self, a):
        self.a = a
        self.inside = ["chroot", a.root] if a.root != "/" else []
        self.outside = pathlib.Path(a.root.rstrip("/") + FOLDER)
        self.samples, self.commands, self.versions, self.roofs, self.products = [], {}, {}, [], []
        self.flash = {}  # of llama-bench by size
        self.width, self.height = map(int, a.image.split("x"))

    # ---- preparation

    def prepare(self):
        self.outside.joinpath("logs").mkdir(parents=True, exist_ok=True)
        for file in ("shapes.py", "make_gguf.py", "run_transformers.py"):
            shutil.copy(HERE / file, self.outside)
        shutil.copy(PROJECT / "models/demo/tokenizer.json", self.outside)
        if "llama.cpp" in self.a.peers:
            for size in self.a.sizes:
                for kind in self.a.types:
                    self.make(size, "--text", kind, "--tokenizer", f"{FOLDER}/tokenizer.json")
                if "picture" in self.a.tests:
                    self.make(size, "--tower", "q8_0")
            out = subprocess.run(self.inside + ["llama-bench", "--version"], capture_output=True, text=True)
            self.versions["llama.cpp"] = " ".join((out.stdout + out.stderr).split())

    def make(self, size, *arguments):
        subprocess.run(self.python("make_gguf.py", size, f"{FOLDER}/models", *arguments), check=True)

    def python(self, script, *arguments):
        return self.inside + ["env", "PYTHONDONTWRITEBYTECODE=1", "python3", f"{FOLDER}/{script}", *arguments]

    def model(self, size, kind):
        return f"{FOLDER}/models/{size}-{kind}.gguf"

    def log(self, name):
        return str(self.outside / "logs" / f"{name}.log")

    def fits(self, gigabytes, what):
        free = int(next(x for x in open("/proc/meminfo") if x.startswith("MemAvailable")).split()[1]) / 1e6
        if gigabytes > free:
            print(f"# {what} left out: needs about {gigabytes:.0f} GB of memory, {free:.0f} GB are free", flush=True)
        return gigabytes <= free

    # ---- one run

    def add(self, machine, size, peer, variant, figures, command):
        """figures: {(test, tokens): value}, tokens/s or, for image and ttft, seconds."""
        self.commands[f"{peer} {variant} {size}"] = " ".join(command)
        for (test, tokens), value in figures.items():
            unit = "s" if test in ("image", "ttft") else "tokens/s"
            self.samples.append(dict(round=self.round, size=size, peer=peer, variant=variant, test=test, tokens=tokens, value=value,
                                     unit=unit, others_percent=round(machine.others, 1)))
            print(f"{self.round}  {size:8s} {peer:13s} {variant:12s} {test:8s} {tokens:6d} {value:10.2f} {unit}"
                  f"   (others {machine.others:.0f} %)", flush=True)
        self.save()

    def attempt(self, what, run):
        try:
            run()
        except (subprocess.SubprocessError, OSError, RuntimeError, ValueError, KeyError) as e:
            print(f"# {what} failed: {str(e)[:300]}", flush=True)  # the others go on

    def qwen3vl(self, size, tests):
        for form in self.a.formats:
            self.attempt(f"qwen3vl {form} {size}", lambda form=form: self.one_qwen3vl(size, tests, form))

    def one_qwen3vl(self, size, tests, form):
        a, name = self.a, f"made:qwen3-vl-{size}"
        lengths = [a.prompt] * ("prefill" in tests) + [a.long] * ("long" in tests)
        kinds = ["prefill"] * bool(lengths) + ["decode"] * ("decode" in tests) + ["image", "ttft"] * ("picture" in tests)
        command = [a.binary, "bench", "--model", name, "--quantize", form, "--threads", str(a.threads), "--tests", ",".join(kinds),
                   "-p", ",".join(map(str, lengths or [1])), "-n", str(a.generate), "--image", a.image, "--reps", "1", "--json"]
        with Machine() as machine, open(self.log(f"qwen3vl-{form}-{size}"), "w") as errors:
            ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=a.limit)
        if ended.returncode != 0:
            raise RuntimeError(open(errors.name).read().strip().splitlines()[-1])
        result = json.loads(ended.stdout)
        self.versions["qwen3vl"] = result["backend"]
        rows = result.pop("rows")
        self.roofs.append({"round": self.round, "size": size, "format": form, **result,
                           "shares": {f"{r['test']} {r['tokens']}": r["roof_share"] for r in rows}})
        self.add(machine, size, "qwen3vl", "bfloat16" if form == "none" else form,
                 {(r["test"], r["tokens"]): r["ms"] / 1e3 if r["test"] in ("image", "ttft") else r["tok_s"] for r in rows}, command)

    def llama_cpp(self, size, tests):
        a = self.a
        if not self.fits(BILLIONS[size] * 0.75 + 1.5, f"llama.cpp {size}"):
            return
        if size not in self.flash and ("prefill" in tests or "decode" in tests or "long" in tests):
            self.flash[size] = a.flash
            if a.flash == "better":
                self.flash[size] = "on"
                self.attempt("flash attention on and off", lambda: self.flash.update({size: llama.better_flash(
                    self.inside, self.model(size, a.types[0]), self.log(f"flash-{size}"), a.threads, a.limit)}))
        lengths = [a.prompt] if "prefill" in tests else []
        for kind in a.types if lengths or "decode" in tests else []:
            self.attempt(f"llama.cpp {kind} {size}",
                         lambda kind=kind: self.llama_text(size, kind, lengths, a.generate if "decode" in tests else 0))
        if "long" in tests:
            self.attempt(f"llama.cpp long {size}", lambda: self.llama_text(size, self.best_type(size), [a.long], 0))
        if "picture" in tests:
            self.attempt(f"llama.cpp picture {size}", lambda: self.llama_picture(size))

    def best_type(self, size):
        """The type that prefills faster by what was measured until now."""
        speed = {s["variant"]: s["value"] for s in self.samples if (s["peer"], s["size"], s["test"]) == ("llama.cpp", size, "prefill")}
        return max(self.a.types, key=lambda kind: speed.get(NAMES[kind], 0))

    def llama_text(self, size, kind, lengths, generate):
        with Machine() as machine:
            command, figures = llama.text(self.inside, self.model(size, kind), self.log(f"llama-{size}-{kind}"), threads=self.a.threads,
                                          prompts=lengths, generate=generate, flash=self.flash[size], limit=self.a.limit)
        self.add(machine, size, "llama.cpp", NAMES[kind], figures, command)

    def llama_picture(self, size):
        kind = self.best_type(size)
        with Machine() as machine:
            command, first, encoded, tokens = llama.picture(
                self.inside, self.model(size, kind), self.model(size, "tower-q8_0"), self.log(f"llama-{size}-picture"),
                threads=self.a.threads, width=self.width, height=self.height, flash="on", limit=self.a.limit)
        figures = {("ttft", tokens): first}
        if encoded is not None:
            figures["image", tokens - llama.TEXT_TOKENS] = encoded
        self.add(machine, size, "llama.cpp", f"{NAMES[kind]}+Q8_0", figures, command)

    def transformers(self, size, tests):
        flags = open("/proc/cpuinfo").read()
        dtypes = self.a.dtypes or ["float32"] + ["bfloat16"] * ("amx_bf16" in flags or "avx512_bf16" in flags)
        if size in self.a.torch_sizes:
            for dtype in dtypes:
                if self.fits(BILLIONS[size] * (4 if dtype == "float32" else 2) * 1.1 + 2, f"transformers {dtype} {size}"):
                    self.attempt(f"transformers {dtype} {size}", lambda dtype=dtype: self.one_transformers(size, tests, dtype))

    def one_transformers(self, size, tests, dtype):
        a = self.a
        lengths = [a.prompt] * ("prefill" in tests) + [a.long] * ("long" in tests)
        kinds = ["prefill"] * bool(lengths) + ["decode"] * ("decode" in tests) + ["picture"] * ("picture" in tests)
        command = self.python("run_transformers.py", size, "--dtype", dtype, "--tests", ",".join(kinds), "--prompts",
                              ",".join(map(str, lengths or [1])), "--generate", str(a.torch_generate), "--picture", a.image,
                              "--threads", str(a.threads), "--limit", str(a.limit))
        with Machine() as machine, open(self.log(f"transformers-{dtype}-{size}"), "w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
            try:
                out, _ = process.communicate(timeout=a.limit + 5)
            except subprocess.TimeoutExpired:  # what it had printed until then counts
                process.kill()
                out, _ = process.communicate()
                print(f"# transformers {dtype} {size}: cut off after {a.limit} s", flush=True)
        figures = {}
        for row in map(json.loads, out.splitlines()):
            if "version" in row:
                self.versions["transformers"] = row["version"]
            else:
                seconds = row["test"] in ("image", "ttft")
                figures[row["test"], row["tokens"]] = row["seconds"] if seconds else row["tokens"] / row["seconds"]
        self.add(machine, size, "transformers", dtype, figures, command)

    def run(self):
        for self.round in range(1, self.a.rounds + 1):
            for size in self.a.sizes:
                tests = [t for t in self.a.tests if self.round <= self.a.long_rounds or t not in ("long", "picture")]
                for peer in self.a.peers:
                    {"qwen3vl": self.qwen3vl, "llama.cpp": self.llama_cpp, "transformers": self.transformers}[peer](size, tests)
                if self.a.onednn:
                    self.attempt("oneDNN", lambda size=size: self.onednn(size))

    def onednn(self, size):
        out = subprocess.run([self.a.onednn, size, str(self.a.threads)], capture_output=True, text=True, timeout=self.a.limit, check=True)
        self.products += [{"round": self.round, "size": size, **json.loads(line)} for line in out.stdout.splitlines()]

    # ---- results

    def best(self):
        """{(size, test, tokens): {(peer, variant): best value}}; prompts with a picture may differ by a token or two."""
        out = {}
        for s in self.samples:
            row = out.setdefault((s["size"], s["test"], None if s["unit"] == "s" or s["test"] == "decode" else s["tokens"]), {})
            who, better = (s["peer"], s["variant"]), min if s["unit"] == "s" else max
            row[who] = better(row[who], s["value"]) if who in row else s["value"]
        return out

    def table(self):
        rows = []
        for (size, test, tokens), values in self.best().items():
            ours = {k: v for k, v in values.items() if k[0] == "qwen3vl"}
            better = min if test in ("image", "ttft") else max
            mine = better(ours.values()) if ours else None
            for (peer, variant), value in sorted(values.items(), key=lambda x: x[1], reverse=better is max):
                ratio = None if mine is None else mine / value if better is max else value / mine
                rows.append(dict(size=size, test=test, tokens=tokens, peer=peer, variant=variant, value=value, ratio=ratio))
        return rows

    def print_table(self):
        print(f"\n| size | test | program | best of {self.a.rounds} | qwen3vl is faster by |\n|---|---|---|---|---|")
        for r in self.table():
            unit = "s" if r["test"] in ("image", "ttft") else "tokens/s"
            ratio = "" if r["ratio"] is None or r["peer"] == "qwen3vl" else f"{r['ratio']:.2f}"
            print(f"| {r['size']} | {r['test']} {r['tokens'] or ''} | {r['peer']} {r['variant']} | {r['value']:.2f} {unit} | {ratio} |")
        for p in self.products:
            print("#", json.dumps(p))

    def save(self):
        info = open("/proc/cpuinfo").read()
        fields = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in info.splitlines() if ":" in line}
        sets = [f for f in ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
                if f in fields.get("flags", "").split()]
        commit = subprocess.run(["git", "-C", str(PROJECT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        result = dict(date=datetime.datetime.now().isoformat(timespec="seconds"), commit=commit,
                      machine=dict(cpu=fields.get("model name"), sets=sets, cores=os.cpu_count(), threads=self.a.threads,
                                   memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
                                   kernel=platform.release()),
                      versions=self.versions, flash_attention=self.flash, commands=self.commands, qwen3vl=self.roofs, table=self.table(),
                      products=self.products, samples=self.samples)
        part = self.a.out + ".part"
        with open(part, "w") as f:
            json.dump(result, f, indent=1)
        os.replace(part, self.a.out)


def main():
    a = parse()
    compare, start = Compare(a), time.time()
    compare.prepare()
    print(f"# prepared in {time.time() - start:.0f} s", flush=True)
    compare.run()
    compare.save()
    compare.print_table()
    print(f"# {time.time() - start:.0f} s in all; samples in {a.out}")
    return 0 if compare.samples else 1


if __name__ == "__main__":
    sys.exit(main())

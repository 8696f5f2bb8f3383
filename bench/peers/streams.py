#!/usr/bin/env python3
"""What people who share one server notice: this program and llama-server over HTTP, one after the other, on the 2B's true shapes with
made weights, with the same prompts and lengths.

  bench/peers/streams.py [--root FOLDER] [--tests throughput,gap,again] [--peers qwen3vl,llama.cpp] [--streams 1,2,4,8,16] ...

throughput  tokens a second of so many streams at once, from the first request to the last token
gap         the slowest pause between two tokens of a running stream while a picture comes in with another request
again       (qwen3vl) time to the first token of a second question about a picture: same conversation, new conversation, after a restart,
            each beside text of as many tokens in the same situation, the two in turn; medians

FOLDER as in compare.py. The checkpoint (4.3 GB) is made once in --work, and so are its packed weights. Both servers write the same
token again and again (a logit bias), so this program's guessing ahead is off: it would be right every time. Python's own library only.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import llama
import make_checkpoint

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
MODELS = "/opt/qvl-peers/models"  # inside the root


def words(text):
    return text.replace(",", " ").split()


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--root", default="/")
    p.add_argument("--binary", default=str(PROJECT / "build/release/qwen3vl"))
    p.add_argument("--work", default="/tmp/qvl-streams", help="folder for checkpoint, packed weights and logs")
    p.add_argument("--size", default="2b")
    p.add_argument("--tests", default="throughput,gap,again", type=words)
    p.add_argument("--peers", default="qwen3vl,llama.cpp", type=words)
    p.add_argument("--streams", default="1,2,4,8,16", type=lambda text: [int(w) for w in words(text)])
    p.add_argument("--prompt", default=64, type=int, help="words of a stream's question")
    p.add_argument("--generate", default=48, type=int)
    p.add_argument("--image", default="1024x768", type=lambda text: tuple(map(int, text.split("x"))))
    p.add_argument("--repeats", default=3, type=int, help="of again")
    p.add_argument("--threads", default=len(os.sched_getaffinity(0)), type=int)
    p.add_argument("--limit", default=300, type=int, help="seconds for a server's start and for one request")
    p.add_argument("--out", help="also writes the figures as JSON")
    return p.parse_args()


class Bench:
    def __init__(self, a):
        self.a, self.work, self.figures = a, pathlib.Path(a.work), []
        self.work.mkdir(parents=True, exist_ok=True)
        self.picture = llama.png(*a.image)

    # ---- the servers

    def command(self, peer):
        a = self.a
        if peer == "qwen3vl":
            folder = self.work / a.size
            make_checkpoint.make(a.size, folder)
            return [a.binary, "serve", "--model", str(folder), "--quantize", "int4", "--packed-cache", str(self.work / "packed"),
                    "--image-cache-dir", str(self.work / "images"), "--threads", str(a.threads), "--ctx-size", "4096",
                    "--batch-size", "16", "--speculate", "off"]
        inside = ["chroot", a.root] if a.root != "/" else []
        slots = max(a.streams)
        return inside + ["llama-server", "-m", f"{MODELS}/{a.size}-q4_0.gguf", "--mmproj", f"{MODELS}/{a.size}-tower-q8_0.gguf",
                         "-t", str(a.threads), "-np", str(slots), "-c", str(slots * 2048), "-fa", "on", "--cache-ram", "0"]

    def server(self, peer):
        return llama.Server(self.command(peer), str(self.work / f"{peer}.log"), self.a.limit)

    def warm(self, server):
        """Touches all weights, and finds the token that is written from then on."""
        self.bias = {str(server.tokens("a")[0]): 100}
        self.first(server, [self.user("a b c d e f g h")], 4)

    @staticmethod
    def user(text, picture=None):
        if picture is None:
            return {"role": "user", "content": text}
        return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": text}]}

    def stream(self, server, messages, tokens):
        """Yields the time of each piece of text."""
        body = {"messages": messages, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, "logit_bias": self.bias, "stream": True}
        for line in server.post("/v1/chat/completions", body):
            if line.startswith(b"data: {") and any(c["delta"].get("content") for c in json.loads(line[6:])["choices"]):
                yield time.monotonic()

    def first(self, server, messages, tokens=1):
        """Seconds to the first token."""
        begin = time.monotonic()
        times = list(self.stream(server, messages, tokens))
        if not times:
            raise RuntimeError("no text came")
        return times[0] - begin

    def add(self, peer, test, what, value, unit):
        self.figures.append(dict(peer=peer, test=test, what=what, value=round(value, 3), unit=unit))
        print(f"{peer:10s} {test:10s} {what:44s} {value:9.2f} {unit}", flush=True)

    # ---- the tests

    def throughput(self, peer, server):
        a = self.a
        for count in a.streams:
            ends, pieces = [0.0] * count, [0] * count

            def one(i, ends=ends, pieces=pieces, count=count):
                question = " ".join(f"{chr(97 + (i + j) % 26)}" for j in range(a.prompt - 2)) + f" {count} {i}"
                for at in self.stream(server, [self.user(question)], a.generate):
                    ends[i], pieces[i] = at, pieces[i] + 1

            begin = time.monotonic()
            self.together(one, count)
            if min(pieces) < a.generate // 2:
                raise RuntimeError(f"streams of {pieces} pieces, expected {a.generate}")
            self.add(peer, "throughput", f"{count} streams", count * a.generate / (max(ends) - begin), "tokens/s")

    @staticmethod
    def together(work, count):
        threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def gap(self, peer, server):
        times, enough = [], threading.Event()

        def running():
            for at in self.stream(server, [self.user("a b c d")], 4000 if peer == "qwen3vl" else 1900):
                times.append(at)
                if enough.is_set():
                    break

        thread = threading.Thread(target=running)
        thread.start()
        while len(times) < 20:
            time.sleep(0.01)
        begin = time.monotonic()
        took = self.first(server, [self.user("e f g h", self.picture)])
        enough.set()
        thread.join()
        gaps = [(b - a, a) for a, b in zip(times, times[1:])]
        self.add(peer, "gap", "slowest pause before", 1e3 * max(g for g, at in gaps[1:] if at + g < begin), "ms")
        self.add(peer, "gap", "slowest pause beside a picture", 1e3 * max(g for g, at in gaps if begin <= at + g and at <= begin + took), "ms")
        self.add(peer, "gap", "that picture to its first token", took, "s")

    def again(self):
        """(with the picture, text of as many tokens) in each situation."""
        found = {}

        def note(situation, values):
            found.setdefault(situation, []).append(values)

        with self.server("qwen3vl") as server:
            self.warm(server)
            self.first(server, [self.user("What is a?", self.picture)])  # now the picture is known
            kinds = [(self.picture, ""), (None, self.filler(server))]
        for i in range(self.a.repeats):
            kinds.reverse()

            def ask(text, more=()):
                return {picture is not None: self.first(server, [self.user(before + text, picture), *more]) for picture, before in kinds}

            with self.server("qwen3vl") as server:
                self.warm(server)
                note("after a restart", ask(f"What is {i} b?"))
                for j in range(3):
                    note("new conversation", ask(f"And what is {i} {j}?"))
                    note("same conversation", ask(f"What is {i} b?", [{"role": "assistant", "content": "a"}, self.user(f"Is it {i} {j}?")]))
        for situation, values in found.items():
            picture, text = (statistics.median(v[kind] for v in values) for kind in (True, False))
            self.add("qwen3vl", "again", f"{situation}, the picture", 1e3 * picture, "ms")
            self.add("qwen3vl", "again", f"{situation}, text of as many tokens", 1e3 * text, "ms")
            self.add("qwen3vl", "again", f"{situation}, ratio", picture / text, "")

    def filler(self, server):
        """Text of as many tokens as the picture and its marks."""
        def tokens(message):
            return json.load(server.post("/v1/chat/completions/input_tokens", {"messages": [message]}))["input_tokens"]

        wanted = tokens(self.user("x", self.picture))
        text = "7 " * (wanted // 2)
        while tokens(self.user(text + "x")) < wanted:
            text += "a "
        while tokens(self.user(text + "x")) > wanted:
            text = text[:-1]
        return text

    def run(self):
        for peer in self.a.peers:
            if "throughput" in self.a.tests or "gap" in self.a.tests:
                with self.server(peer) as server:
                    self.warm(server)
                    for test in ("throughput", "gap"):
                        if test in self.a.tests:
                            getattr(self, test)(peer, server)
        if "again" in self.a.tests and "qwen3vl" in self.a.peers:
            self.again()
        self.ratios()
        if self.a.out:
            pathlib.Path(self.a.out).write_text(json.dumps(self.figures, indent=1))

    def ratios(self):
        values = {(f["peer"], f["what"]): f["value"] for f in self.figures if f["test"] == "throughput"}
        for (peer, what), value in values.items():
            if peer == "qwen3vl" and ("llama.cpp", what) in values:
                print(f"{what}: {value / values['llama.cpp', what]:.2f} times llama.cpp's tokens/s")


if __name__ == "__main__":
    Bench(parse()).run()

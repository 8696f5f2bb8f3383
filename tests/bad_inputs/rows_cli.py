"""Rows of the command line: flags, limits of the process, signals, standard streams."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

from program import ROOT, Failure, Server, child_environment, die_with_parent, run_program, set_limit
from rows_model import failed_cleanly

DEMO = ROOT / "models/demo"
PICTURE = DEMO / "samples/shapes.png"


class Context:
    def __init__(self, binary, slack, report, folder):
        self.binary, self.slack, self.report, self.folder = binary, slack, report, folder

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, arguments, **how):
        self.report.inputs += 1
        return run_program(self.binary, arguments, timeout=6 * self.slack, **how)

    def refused(self, row, arguments, tells=(), **how):
        done = self.run(arguments, **how)
        try:
            failed_cleanly(row, done, 2.0 * self.slack, 1e9)
            for word in tells:
                if word not in done.err:
                    raise Failure(f"the message does not tell {word!r}: {done.err[-500:]}")
        except Failure as failure:
            raise Failure(f"{failure} ({' '.join(map(str, arguments))[:200]})") from None
        return done

    def server(self, *flags, **how):
        return Server(self.binary, *flags, log_path=self.folder / "cli.log", slack=self.slack, **how)


def refused(*cases, tells=()):
    """Each case a list of arguments."""
    def run(context, row):
        for case in cases:
            context.refused(row, case() if callable(case) else case, tells)
    return run


def serve(*values, flag, tells=()):
    return refused(*(["serve", flag, value] for value in values), tells=tells)


def port_in_use(context, row):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = context.refused(row, ["serve", "--port", port], [str(port), "--port"])
        if "loaded" in done.err:
            raise Failure("the model was loaded first")


def port_denied(context, row):
    """As another user, where the system keeps low ports to root at all."""
    def become_nobody():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)

    if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) <= 80:
        print(f"{row['id']}: every user may take port 80 here: not checked")
        return
    try:
        probe = subprocess.run([str(context.binary), "--version"], preexec_fn=become_nobody, capture_output=True, check=False).returncode
    except PermissionError:  # a folder above the program is closed to others
        probe = -1
    if probe != 0:
        print(f"{row['id']}: another user may not run the program here: not checked")
        return
    context.refused(row, ["serve", "--port", "80"], ["80"], before=become_nobody)


def key_files(context, row):
    for name, content in (("empty", b""), ("short", b"abc\n"), ("spaces", b"abc def ghi jkl mno pqr\n"), ("binary", bytes(range(256)))):
        context.refused(row, ["serve", "--port", "0", "--api-key-file", context.file(f"key_{name}", content)])
    context.refused(row, ["serve", "--port", "0", "--api-key-file", "/nonexistent/key"])
    context.refused(row, ["serve", "--port", "0", "--api-key-file", context.folder])
    context.refused(row, ["serve", "--port", "0", "--api-key-file", ""])


def good_key_file(context, row):
    del row
    key = "a-key-of-enough-characters"
    server = context.server("--api-key-file", str(context.file("key_good", key + "\r\nsecond line\n")))
    try:
        if server.get("/v1/models").status != 401 or server.get("/v1/models", f"Authorization: Bearer {key}\r\n").status != 200:
            raise Failure("the key of the file's first line does not open")
        if key in server.log():
            raise Failure("the key stands in the log")
    finally:
        server.stop()


def few_descriptors(context, row):
    for count in (16, 32, 64):
        context.refused(row, ["serve", "--port", "0"], ["ulimit -n"], before=set_limit(resource.RLIMIT_NOFILE, count))


def descriptors_run_out(context, row):
    """With 128 descriptors: more clients than that; the server refuses, and recovers."""
    del row
    process = subprocess.Popen([str(context.binary), "serve", "--port", "0", "--model", str(DEMO)], stderr=subprocess.PIPE,
                               env=child_environment(), preexec_fn=lambda: (die_with_parent(), set_limit(resource.RLIMIT_NOFILE, 128)()))
    try:
        os.set_blocking(process.stderr.fileno(), False)
        text, until = "", time.monotonic() + 60 * context.slack
        while time.monotonic() < until and process.poll() is None:
            text += (process.stderr.read() or b"").decode("utf-8", "replace")
            if found := re.search(r"ready: open http://[^:]+:(\d+)", text):
                break
            time.sleep(0.05)
        else:
            raise Failure(f"did not start: {text[-1000:]}")
        port = int(found.group(1))
        clients = []
        for _ in range(200):
            clients.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        time.sleep(0.5)
        if process.poll() is not None:
            raise Failure(f"ended with {process.returncode}")
        for client in clients:
            client.close()
        until = time.monotonic() + 10 * context.slack
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as again:
                    again.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    again.settimeout(5)
                    if b"200 OK" in again.recv(1000):
                        return
            except OSError:
                pass
            time.sleep(0.2)
        raise Failure("does not answer after the clients have gone")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def little_memory(context, row):
    """Every limit of the address space from very little to enough: exit 5, or it works; never an abort."""
    if "asan" in str(context.binary):
        print(f"{row['id']}: sanitizers need terabytes of address space: not checked")
        return
    refused_count, worked = 0, False
    arguments = ["chat", "--model", DEMO, "--prompt", "hi", "--json", "--max-tokens", "2", "--ctx-size", "2048"]
    for megabytes in list(range(40, 260, 12)) + [300, 400, 600, 1200]:
        done = context.run(arguments, before=set_limit(resource.RLIMIT_AS, megabytes << 20))
        if done.code == 0:
            worked = True
        elif done.code == 5 and done.err.strip().splitlines()[-1].endswith("(memory_budget)"):
            refused_count += 1
        elif not (done.code == 127 and "error while loading shared libraries" in done.err):
            raise Failure(f"{megabytes} MB: exit {done.code}: {done.err[-800:]}")
    if not worked or refused_count == 0:
        raise Failure(f"worked: {worked}, refused with exit 5: {refused_count} times")


def few_threads(context, row):
    """No thread can be made: exit 5 and a line."""
    if os.geteuid() == 0:
        try:
            done = context.run(["chat", "--model", DEMO, "--prompt", "hi", "--threads", "4"],
                               before=lambda: (os.setgid(65534), os.setuid(65533), set_limit(resource.RLIMIT_NPROC, 1)()))
        except PermissionError:
            print(f"{row['id']}: another user may not run the program here: not checked")
            return
        if done.code == -1 or "Permission denied" in done.err or "cannot open" in done.err:
            print(f"{row['id']}: another user may not read the model here: not checked")
            return
    else:
        done = context.run(["chat", "--model", DEMO, "--prompt", "hi", "--threads", "4"], before=set_limit(resource.RLIMIT_NPROC, 1))
    if done.code != 5 or not done.err.strip().endswith("(memory_budget)"):
        raise Failure(f"exit {done.code}: {done.err[-800:]}")


def too_much_context(context, row):
    memory = int(re.search(r"MemTotal:\s+(\d+) kB", open("/proc/meminfo").read()).group(1)) << 10
    if memory > 80 << 30:
        print(f"{row['id']}: this machine holds the largest context of the demo model: not checked")
        return
    context.refused(row, ["serve", "--port", "0", "--model", DEMO, "--ctx-size", str(1 << 24)], ["--ctx-size", "GiB"])


def closed_streams(context, row):
    del row
    for closed in ((0,), (1,), (2,), (0, 1), (0, 1, 2)):
        done = context.run(["chat", "--model", DEMO, "--prompt", "hi", "--json", "--max-tokens", "2"], closed=closed)
        if done.code != 0:
            raise Failure(f"chat with {closed} closed: exit {done.code} {done.err[-500:]}")
        if 1 not in closed:
            json.loads(done.out)
    with socket.create_server(("127.0.0.1", 0)) as finder:
        port = finder.getsockname()[1]

    def close_all():
        die_with_parent()
        os.closerange(0, 3)

    process = subprocess.Popen([str(context.binary), "serve", "--port", str(port), "--model", str(DEMO)], env=child_environment(),
                               preexec_fn=close_all)
    try:
        until = time.monotonic() + 30 * context.slack
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                    client.settimeout(10 * context.slack)
                    client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if b"200 OK" in client.recv(1000):
                        break
            except OSError:
                time.sleep(0.1)
        else:
            raise Failure("the server without standard streams does not answer")
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=15 * context.slack) != 0:
            raise Failure(f"exit {process.returncode}")
    finally:
        process.kill()
        process.wait()


def closed_pipe(context, row):
    del row
    for arguments in (["chat", "--model", str(DEMO), "--prompt", "hi", "--json"], ["chat", "--model", str(DEMO), "--prompt", "hi"],
                      ["--help"], ["serve", "--help"]):
        context.report.inputs += 1
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([str(context.binary), *arguments], stdout=write_end, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              env=child_environment(), timeout=30 * context.slack, check=False)
        os.close(write_end)
        if done.returncode != 0:
            raise Failure(f"{arguments[:1]}: exit {done.returncode}: {done.stderr[-500:]!r}")


def full_device(context, row):
    context.report.inputs += 1
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(context.binary), "chat", "--model", str(DEMO), "--prompt", "hi", "--json"], stdout=full,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=child_environment(), timeout=30 * context.slack,
                              check=False)
    text = done.stderr.decode("utf-8", "replace")
    if done.returncode != 1 or not text.strip().endswith(f"({row['error.code']})"):
        raise Failure(f"an answer that could not be written: exit {done.returncode}: {text[-500:]}")


def long_arguments(context, row):
    context.refused(row, ["serve"] + ["--bogus" + "x" * 65000] * 16)
    context.refused(row, ["serve", "--port", "9" * 100000])
    context.refused(row, ["serve"] + ["x"] * 20000)


def languages(context, row):
    del row
    answers = set()
    for language in ("C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8", "nonsense"):
        done = context.run(["chat", "--model", DEMO, "--prompt", "hi", "--json", "--temperature", "1.5", "--seed", "7", "--max-tokens", "12",
                            "--precision", "float32"], environment=child_environment(LANG=language, LC_ALL=language))
        if done.code != 0:
            raise Failure(f"{language}: exit {done.code} {done.err[-500:]}")
        answers.add(json.loads(done.out)["answer"])
    if len(answers) != 1:
        raise Failure(f"answers differ by language: {answers}")


def endless_stream(server):
    """A client whose answer has begun: its first delta is here."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.settimeout(30)
    body = b'{"stream":true,"ignore_eos":true,"max_tokens":4000,"messages":[{"role":"user","content":"hi"}]}'
    client.sendall(server.head("POST /v1/chat/completions", f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n") + body)
    begin = b""
    while b'"content":"' not in begin and (piece := client.recv(1000)):
        begin += piece
    return client


def heard_the_stop(client):
    """Whether the stream ended because the server stops; False where it was over before."""
    rest = b""
    while piece := client.recv(1 << 16):
        rest += piece
    if b"server_shutdown" in rest:
        return True
    if b"data: [DONE]" in rest:
        return False
    raise Failure(f"the stream ends without a word: {rest[-200:]!r}")


def one_signal(context, name, expect, twice, busy):
    """Sends the signal to a server of its own; False where the stream it was to interrupt had ended by itself."""
    # Guessing ahead, a repeated answer of thousands of tokens may be over before the drain is.
    server = context.server("--drain-timeout", "0.05", "--speculate", "off")
    client = None
    try:
        client = endless_stream(server) if busy else None
        server.process.send_signal(getattr(signal, name))
        if twice:
            time.sleep(0.05)
            if server.alive():
                server.process.send_signal(getattr(signal, name))
        if expect is None:
            time.sleep(0.3)
            if not server.alive() or server.get("/health").status != 200:
                raise Failure(f"{name} ended the server: {server.process.returncode}")
            name = "SIGTERM"
            server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(timeout=10 * context.slack)
        if code != 0:
            raise Failure(f"{name}: exit {code}")
        return client is None or twice or heard_the_stop(client)
    finally:
        if client:
            client.close()
        if server.alive():
            server.process.kill()
            server.process.wait()


def signals(*names, expect=0, twice=False, busy=False):
    def run(context, row):
        del row
        for name in names:
            # However fast the machine is, an answer may be over before the signal takes effect: then once more.
            if not any(one_signal(context, name, expect, twice, busy) for _ in range(5)):
                raise Failure(f"{name}: five streams in a row ended by themselves, none was told of the stop")
    return run


def signal_while_loading(context, row):
    """At any moment of loading: exit 0 and nothing half written. What is kept after that is whole."""
    del row
    for i in range(24):
        cache = context.folder / "packed-while-loading"
        shutil.rmtree(cache, ignore_errors=True)
        command = [str(context.binary), "serve", "--port", "0", "--model", str(DEMO), "--quantize", "int4", "--packed-cache", str(cache)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=child_environment(), preexec_fn=die_with_parent)
        try:
            until = time.monotonic() + 20 * context.slack
            while not cache.exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.0005)
            time.sleep(i * 0.002)
            process.send_signal((signal.SIGTERM, signal.SIGINT)[i % 2])
            code = process.wait(timeout=10 * context.slack)
        finally:
            process.kill()
            process.wait()
        parts = list(cache.glob("*.part"))
        # Between its making and its lock a file is nobody's: empty, and taken over by the next who writes.
        if code != 0 or any(part.stat().st_size for part in parts):
            raise Failure(f"{i * 2} ms after the first file: exit {code}, left: {parts}")


def ignored_hangup(context, row):
    """Under nohup SIGHUP is ignored, and stays so."""
    del row
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        server = context.server()
    finally:
        signal.signal(signal.SIGHUP, old)
    try:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        if not server.alive() or server.get("/health").status != 200:
            raise Failure("SIGHUP ended the server under nohup")
        if server.stop() != 0:
            raise Failure("SIGTERM: exit not 0")
    finally:
        server.process.kill()


def messages_file(*contents):
    def run(context, row):
        for content in contents:
            path = context.file("messages.json", content)
            context.refused(row, ["trace", "--model", DEMO, "--messages", path, "--out", context.folder / "trace.safetensors"])
    return run


def good_trace(context, row):
    """Never a device: a program that renames a file onto it would, run by root, take the device away."""
    os.mkfifo(context.folder / "fifo")
    path = context.file("messages.json", '[{"role":"user","content":"x"}]')
    for out in ("/nonexistent/folder/x.safetensors", str(context.folder), str(context.folder / "fifo")):
        context.refused(row, ["trace", "--model", DEMO, "--messages", path, "--out", out])


def chat_image(content):
    def run(context, row):
        context.refused(row, ["chat", "--model", DEMO, "--prompt", "x", "--image", context.file("image.bin", content)])
    return run


def conformance(context, row):
    program = context.binary.parent / "conformance"
    for arguments in ([], ["/nonexistent"], ["--bogus"], [str(context.folder), "--precision", "int8"], [str(context.folder), "--threads", "-1"]):
        context.report.inputs += 1
        done = run_program(program, arguments, timeout=20 * context.slack)
        if done.code != int(row["expect"].removeprefix("exit ")) or not (done.err + done.out.decode()).strip():
            raise Failure(f"{arguments}: exit {done.code}: {done.err[-500:]}")


def api_keys(context, row):
    for key in ("short", "", "fifteen-letters", "with spaces in the key", "non-ascii-k\u00e9y-\u00e9\u00e9\u00e9\u00e9\u00e9", "tab\tin-the-middle-of-it"):
        context.refused(row, ["serve", "--port", "0", "--api-key", key])


def message_names_value(context, row):
    """What stands in the message of user text is printable and short."""
    done = context.refused(row, ["serve", "--port", "\x1b[31mred\x07\r\nqwen3vl: fake (ok)"])
    if "\x1b" in done.err or "\x07" in done.err or len(done.err) > 800:
        raise Failure(f"raw control characters or too long: {done.err!r}")


LATER_FLAGS = ["--slots", "--timeout", "--data-dir", "--config", "--log-level", "--cache-dir", "--allow-origin", "--download",
               "--agent", "--no-approval", "--print-limits"]
RECIPES = {
    "CLI-001": refused([], ["frobnicate"], ["serve", "chat"], ["--bogus"], ["serve", "--bogus"], ["serve", "extra"], ["--port", "1", "serve"]),
    "CLI-002": serve("-1", flag="--port", tells=["--port", "65535"]),
    "CLI-003": serve("65536", "99999999999999999999", flag="--port", tells=["65535"]),
    "CLI-004": serve("80x", "0x", "1.5", "1e3", "٨٠", flag="--port", tells=["--port"]),
    "CLI-005": serve("", " ", flag="--port"),
    "CLI-006": port_in_use,
    "CLI-007": port_denied,
    "CLI-008": refused(["serve", "--port"], ["serve", "--model"], ["serve", "--threads"]),
    "CLI-009": serve("999.1.1.1", "1.2.3", "", "::g", "127.0.0.1:80", flag="--host"),
    "CLI-010": serve("example.invalid", flag="--host"),
    "CLI-011": serve("203.0.113.7", flag="--host"),
    "CLI-012": api_keys,
    "CLI-013": key_files,
    "CLI-013b": good_key_file,
    "CLI-014": refused(["serve", "--api-key", "a" * 20, "--api-key-file", "/etc/hostname"], ["serve", "--listen", "--host", "127.0.0.1"]),
    "CLI-015": serve("", "a b", "evil\r\nX: y", "http://a", "a/b", "a:80", flag="--allow-host"),
    "CLI-016": serve("missing", "/nonexistent/model", "", "x" * 5000, "../../../..//nope", "org/never-downloaded", flag="--model"),
    "CLI-017": lambda c, row: c.refused(row, ["serve", "--port", "0", "--model", c.folder]),
    "CLI-018": serve("/etc/passwd", "/dev/zero", flag="--model"),
    "CLI-019": serve("int8", "", "FLOAT32", flag="--precision", tells=["bfloat16", "float32"]),
    "CLI-022": refused(["serve", "--port", "0", "--port", "0"], ["serve", "--model", "demo", "--model", "demo"], ["serve", "--threads", "1", "--threads", "1"],
                       ["serve", "--listen", "--listen"], ["chat", "--json", "--json", "--prompt", "x"], ["chat", "--prompt", "x", "--prompt", "y"],
                       ["serve", "--api-key", "a" * 20, "--api-key", "b" * 20], ["serve", "--precision", "float32", "--precision", "float32"]),
    "CLI-025": serve("0", flag="--threads"),
    "CLI-026": serve("-1", flag="--threads"),
    "CLI-027": serve("1025", "99999999999999999999", flag="--threads"),
    "CLI-028": serve("1.5", "two", "", flag="--threads"),
    "CLI-031": serve(str(2**63), "0", "-1", "63", "1e3", "", flag="--ctx-size"),
    "CLI-033": too_much_context,
    "CLI-034": refused(*(["serve", "--port", "0", flag, "x"] for flag in LATER_FLAGS)),
    "CLI-035": serve("10X", "", "G", "-1G", "8GB", "nan", "0", "1K", "1e9G", "99999999999G", flag="--memory-limit", tells=["--memory-limit"]),
    "CLI-066": few_descriptors,
    "CLI-066b": descriptors_run_out,
    "CLI-067": little_memory,
    "CLI-067b": few_threads,
    "CLI-068": closed_streams,
    "CLI-069": closed_pipe,
    "CLI-069b": full_device,
    "CLI-070": long_arguments,
    "CLI-071": message_names_value,
    "CLI-072": languages,
    "CLI-073": signals("SIGTERM", "SIGINT"),
    "CLI-073b": signals("SIGTERM", busy=True),
    "CLI-073c": signal_while_loading,
    "CLI-074": signals("SIGTERM", "SIGINT", twice=True, busy=True),
    "CLI-075": signals("SIGHUP", "SIGQUIT"),
    "CLI-075b": signals("SIGUSR1", "SIGUSR2", "SIGPIPE", expect=None),
    "CLI-075c": ignored_hangup,
    "CLI-076": refused(["chat", "--json"], ["chat", "--model", DEMO, "--json"]),
    "CLI-077": refused(*(["chat", "--prompt", "x", "--temperature", v] for v in ("nan", "-nan", "inf", "3", "-1", "x", "", "1e999"))),
    "CLI-078": refused(*(["chat", "--prompt", "x", flag, v] for flag, v in (("--max-tokens", "0"), ("--max-tokens", "-5"), ("--max-tokens", "1.5"),
                                                                            ("--seed", "-1"), ("--seed", str(2**64)), ("--seed", "x")))),
    "CLI-079": refused(["chat", "--model", DEMO, "--prompt", "x", "--image", "/nonexistent.png"], ["chat", "--model", DEMO, "--prompt", "x", "--image", "/dev/zero"],
                       ["chat", "--model", DEMO, "--prompt", "x", "--image", "/tmp"]),
    "CLI-080": chat_image(bytes(4096)),
    "CLI-081": chat_image(b""),
    "CLI-082": chat_image(PICTURE.read_bytes()[:200]),
    "CLI-083": lambda c, row: c.refused(row, ["chat", "--model", DEMO, "--prompt", "word " * 8000]),
    "CLI-084": refused(["trace", "--model", DEMO], ["trace", "--messages", "/nonexistent", "--out", "/tmp/x"], ["trace", "--messages", "x", "--out", "y", "--generate", "-1"]),
    "CLI-085": messages_file("", "{", "[1,", "\0", '[{"role":"user","content":"x"}]\0'),
    "CLI-086": messages_file("[]", "{}", "5", "null", '"x"', '{"messages":{}}', '{"messages":[]}',
                             '[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]', '[{"role":"user","content":[{"type":"image_url","image_url":5}]}]',
                             '{"messages":[{"role":"user","content":"x"}],"template_kwargs":5}', '{"messages":[{"role":"user","content":"x"}],"template_kwargs":{"add_vision_id":"x"}}'),
    "CLI-087": messages_file('[{"role":"user","content":[{"type":"image_url","image_url":"gone.png"}]}]',
                             '[{"role":"user","content":[{"type":"video","video":"gone.mp4"}]}]'),
    "CLI-088": good_trace,
    "CLI-089": conformance,
    "CLI-090": refused(*(["serve", flag, value] for flag, value in (("--quantize", "int3"), ("--quantize", ""), ("--quantize", "INT4"),
                                                                  ("--kv-cache", "fp8"), ("--kv-cache", ""), ("--packed-cache", "")))),
    "CLI-092": refused(*([*command, "--model", DEMO, "--calibrate", *more] for command in (["serve", "--port", "0"], ["chat", "--prompt", "x"])
                         for more in ([], ["--quantize", "int8"], ["--quantize", "none"])), ["chat", "--prompt", "x", "--quantize", "int4", "--calibrate", "--calibrate"],
                       tells=["--calibrate"]),
    "CLI-091": refused(*(["chat", "--model", DEMO, "--prompt", "x", "--memory-limit", size] for size in ("1M", "32M")), tells=["at least", "--memory-limit"]),
}


def run(binary, slack, group, report, folder):
    context = Context(binary, slack, report, folder)
    for row in group:
        report.row(row, lambda: RECIPES[row["id"]](context, row))

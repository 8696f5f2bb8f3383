"""The program under test: a server as a child process, raw requests to it, and what every answer is held to."""

import ctypes
import json
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAK = re.compile(r"(?<![0-9a-z])0x[0-9a-f]{6,}|/home/|/tmp/|" + re.escape(str(ROOT)) + r"|\.cc\b|\.h:\d|terminate called|std::", re.IGNORECASE)


class Failure(Exception):
    """One assertion of one row that does not hold."""


def child_environment(**more):
    environment = {k: v for k, v in os.environ.items() if k not in ("LANG", "LC_ALL", "HF_HOME", "HF_HUB_CACHE")}
    environment["QVL_MODELS"] = str(ROOT / "models")
    environment["HF_HOME"] = "/nonexistent"
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=0")
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    environment.update(more)
    return environment


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Reply:
    def __init__(self, raw, seconds, closed):
        self.raw, self.seconds, self.closed = raw, seconds, closed
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        self.status = int(parts[1]) if len(parts) > 1 and parts[0].startswith("HTTP/") else 0
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = unchunk(rest) if self.headers.get("transfer-encoding") == "chunked" else rest

    def json(self):
        return json.loads(self.body)

    def code(self):
        try:
            return self.json()["error"]["code"] or "-"
        except (ValueError, KeyError, TypeError):
            return "-"


def unchunk(rest):
    out = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            count = int(size, 16)
        except ValueError:
            break
        out, rest = out + rest[:count], rest[count + 2:]
        if count == 0:
            break
    return out


def complete(raw):
    """Whether raw holds one whole answer that says where it ends."""
    head, blank, rest = raw.partition(b"\r\n\r\n")
    if not blank or head.startswith(b"HTTP/1.1 100"):
        return False
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return rest.endswith(b"0\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", lower)
    return found is not None and len(rest) >= int(found.group(1))


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.begin = time.monotonic()
        self.raw = b""
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, until, whole=True):
        """Reads till the answer is whole, the peer closes or the deadline passes."""
        while not self.closed and time.monotonic() < until and not (whole and complete(self.raw)):
            if not select.select([self.socket], [], [], max(0, until - time.monotonic()))[0]:
                break
            try:
                piece = self.socket.recv(1 << 18)
            except (ConnectionError, TimeoutError):
                piece = b""
            self.closed = not piece
            self.raw += piece
        return Reply(self.raw, time.monotonic() - self.begin, self.closed)

    def send(self, data, until):
        """Sends and reads at once: a server may answer, and close, before it has read everything."""
        view, self.begin = memoryview(data), time.monotonic()
        self.socket.setblocking(False)
        while view and not self.closed and not complete(self.raw) and time.monotonic() < until:
            readable, writable, _ = select.select([self.socket], [self.socket], [], 1)
            try:
                if writable:
                    view = view[self.socket.send(view[: 1 << 20]):]
                if readable:
                    piece = self.socket.recv(1 << 18)
                    self.closed = not piece
                    self.raw += piece
            except BlockingIOError:
                pass
            except ConnectionError:
                break
        self.socket.setblocking(True)

    def drip(self, data, interval, until):
        """One byte each interval until the server answers or closes."""
        for i in range(len(data)):
            if time.monotonic() >= until or complete(self.raw) or self.closed:
                return
            try:
                self.socket.send(data[i:i + 1])
            except ConnectionError:
                return
            self.read(min(until, time.monotonic() + interval))


class Server:
    def __init__(self, binary, *flags, log_path, slack=1.0, model=None):
        self.slack = slack
        self.log_path = log_path
        command = [str(binary), "serve", "--port", "0", "--precision", "float32", *flags]
        if model is not None:
            command += ["--model", str(model)]
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=child_environment(), preexec_fn=die_with_parent)
        self.port = self.wait_until_ready()

    def wait_until_ready(self):
        until = time.monotonic() + 60 * self.slack
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r"ready: open http://[^:]+:(\d+)", self.log())
            if found:
                return int(found.group(1))
            time.sleep(0.02)
        raise Failure(f"the server did not start: {self.log()[-2000:]}")

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def alive(self):
        return self.process.poll() is None

    def exchange(self, data, timeout=30):
        until = time.monotonic() + timeout * self.slack
        with Connection(self.port) as connection:
            connection.send(data, until)
            return connection.read(until)

    def head(self, line, fields=""):
        return f"{line} HTTP/1.1\r\nHost: {self.host}\r\n{fields}\r\n".encode("latin-1")

    def get(self, path, fields="", timeout=30):
        return self.exchange(self.head(f"GET {path}", fields), timeout)

    def post(self, body, path="/v1/chat/completions", fields="", timeout=60):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{fields}"
        return self.exchange(self.head(f"POST {path}", fields) + body, timeout)

    def status_file(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return {line.split(":")[0]: line.split(":")[1].strip() for line in text.splitlines() if ":" in line}

    def rss_mb(self):
        return int(self.status_file()["VmRSS"].split()[0]) / 1024

    def threads(self):
        return int(self.status_file()["Threads"])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=15 * self.slack)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("SIGTERM did not end the server") from None


def check_error_object(reply):
    """The shape of every answer of 400 and above, and what it must not tell."""
    if not reply.headers.get("content-type", "").startswith("application/json"):
        raise Failure(f"Content-Type {reply.headers.get('content-type')!r}, expected application/json")
    try:
        error = reply.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise Failure(f"no error object: {reply.body[:300]!r}") from None
    if sorted(error) != ["code", "message", "param", "type"]:
        raise Failure(f"the error object has the members {sorted(error)}")
    if not isinstance(error["message"], str) or not error["message"] or "\n" in error["message"]:
        raise Failure(f"message {error['message']!r}")
    if not isinstance(error["type"], str) or not isinstance(error["code"], str):
        raise Failure("type and code are not strings")
    if len(reply.body) > 2000:
        raise Failure(f"an error of {len(reply.body)} bytes")
    if LEAK.search(reply.body.decode("utf-8", "replace")):
        raise Failure(f"tells something internal: {reply.body[:300]!r}")


class Finished:
    """One run of the program from the command line."""

    def __init__(self, code, out, err, seconds, rss_mb):
        self.code, self.out, self.err, self.seconds, self.rss_mb = code, out, err, seconds, rss_mb


def run_program(binary, arguments, timeout=20, stdin=subprocess.DEVNULL, before=None, environment=None, cwd=None,
                closed=()):
    """Runs it to its end. before: called in the child; closed: standard streams that the child gets closed."""

    def prepare():
        die_with_parent()
        if before:
            before()
        for fd in closed:
            os.close(fd)

    begin = time.monotonic()
    with subprocess.Popen([str(binary), *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment or child_environment(), cwd=cwd, preexec_fn=prepare) as process:
        out, err = [], []
        readers = [threading.Thread(target=lambda f, to: to.append(f.read()), args=pair, daemon=True)
                   for pair in ((process.stdout, out), (process.stderr, err))]
        for reader in readers:
            reader.start()
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        for reader in readers:
            reader.join(5)
        return Finished(process.returncode, b"".join(out), b"".join(err).decode("utf-8", "replace"),
                        time.monotonic() - begin, usage.ru_maxrss / 1024)


def set_limit(which, value):
    return lambda: resource.setrlimit(which, (value, value))

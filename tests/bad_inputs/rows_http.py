"""Rows of HTTP itself: raw bytes to a socket. Each recipe takes the server and gives the answer, or (label, answer) pairs."""

import json
import time

from program import Connection, Failure

CHAT = b'{"messages":[{"role":"user","content":"hi"}],"max_tokens":2}'
JSON_TYPE = "Content-Type: application/json\r\n"
LENGTH = f"Content-Length: {len(CHAT)}\r\n"
PATH = "/v1/chat/completions"
KEY = "CANARY-bad-inputs-0123456789"


def raw(line, fields="", body=b""):
    return lambda server: server.exchange(server.head(line, fields) + body)


def text(head, body=b""):
    """The whole head as written; {host} stands for the server's name."""
    return lambda server: server.exchange(head.replace("{host}", server.host).encode("latin-1") + body)


def post(fields, body=b"", path=PATH):
    return raw(f"POST {path}", fields, body)


def chat_with(fields):
    return post(JSON_TYPE + LENGTH + fields, CHAT)


def chunks(body):
    return post(JSON_TYPE + "Transfer-Encoding: chunked\r\n", body)


def unchanged_files(recipe):
    """The answer of a path that climbs holds nothing of the file it aims at."""
    def run(server):
        reply = recipe(server)
        if b"root:" in reply.raw:
            raise Failure("the answer holds a file of the system")
        return reply
    return run


def endless_chunks(server):
    until = time.monotonic() + 60 * server.slack
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with Connection(server.port) as connection:
        connection.send(server.head(f"POST {PATH}", JSON_TYPE + "Transfer-Encoding: chunked\r\n"), until)
        for _ in range(80):
            connection.send(chunk, until)
        return connection.read(until)


def silence(seconds):
    def run(server):
        with Connection(server.port) as connection:
            return connection.read(time.monotonic() + seconds, whole=False)
    return run


def half_closed(server):
    with Connection(server.port) as connection:
        connection.socket.shutdown(1)
        return connection.read(time.monotonic() + 5 * server.slack, whole=False)


def stalled(data, seconds=25):
    def run(server):
        until = time.monotonic() + seconds * server.slack
        with Connection(server.port) as connection:
            connection.send(data(server) if callable(data) else data, until)
            return connection.read(until)
    return run


def dripped(head, body, seconds=30):
    def run(server):
        until = time.monotonic() + seconds * server.slack
        with Connection(server.port) as connection:
            connection.send(head(server), until)
            connection.drip(body(server), 1.0, until)
            return connection.read(until)
    return run


def pipelined(server):
    """10,000 requests on one connection: answered in order; what the server holds of them stays bounded."""
    before, count = server.rss_mb(), 10000
    data = server.head("GET /health") * count
    with Connection(server.port) as connection:
        until = time.monotonic() + 60 * server.slack
        view, connection.begin = memoryview(data), time.monotonic()
        import select
        connection.socket.setblocking(False)
        while time.monotonic() < until and connection.raw.count(b"HTTP/1.1 200") < count and not connection.closed:
            readable, writable, _ = select.select([connection.socket], [connection.socket] if view else [], [], 1)
            try:
                if writable:
                    view = view[connection.socket.send(view[:1 << 16]):]
                if readable:
                    piece = connection.socket.recv(1 << 18)
                    connection.closed = not piece
                    connection.raw += piece
            except BlockingIOError:
                pass
        answered = connection.raw.count(b"HTTP/1.1 200")
        if answered != count:
            raise Failure(f"{answered} of {count} answered")
        if server.rss_mb() - before > 32 * server.slack:
            raise Failure(f"grew by {server.rss_mb() - before:.0f} MB")
        connection.raw = connection.raw[:connection.raw.index(b"HTTP/1.1 200", 10)]
        return connection.read(0)


def one_answer_only(recipe):
    """Bytes behind a refused request are not run as a second one."""
    def run(server):
        reply = recipe(server)
        if reply.raw.count(b"HTTP/1.1 ") != 1:
            raise Failure(f"{reply.raw.count(b'HTTP/1.1 ')} answers")
        return reply
    return run


def no_cors(recipe):
    def run(server):
        reply = recipe(server)
        if any(name.startswith("access-control") for name in reply.headers):
            raise Failure("an Access-Control header")
        return reply
    return run


def allows(recipe):
    def run(server):
        reply = recipe(server)
        if not reply.headers.get("allow"):
            raise Failure("405 without Allow")
        return reply
    return run


def many_fields(count, method="GET /health"):
    return raw(method, "".join(f"X-{i}: a\r\n" for i in range(count)))


def multipart(fields="boundary=x", body=b"--x--\r\n"):
    return post(f"Content-Type: multipart/form-data; {fields}\r\nContent-Length: {len(body)}\r\n", body)


def file_part(name):
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\ndata\r\n--x--\r\n'
    return multipart(body=body)


def gzip_bomb(server):
    import zlib
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(bytes(64 << 20)) + packer.flush()
    return post(JSON_TYPE + f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n", body)(server)


def smuggled(server):
    """Two lengths that disagree by way of chunked framing: one answer, and it is a refusal."""
    body = b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: " + server.host.encode() + b"\r\n\r\n"
    return one_answer_only(post(JSON_TYPE + f"Content-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n", body))(server)


RECIPES = {
    "HTT-002": half_closed,
    "HTT-004": text("GET /\r\n"),
    "HTT-005": text("GET / HTTP/1.1\r\n\0\r\n\r\n"),
    "HTT-006": text("GET / HTTP/3.7\r\nHost: {host}\r\n\r\n"),
    "HTT-007": text("GET / HTTP/1.1\r\n\r\n"),
    "HTT-008": text("GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"),
    "HTT-009": text("GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    "HTT-010": text("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    "HTT-011": text("GET / HTTP/1.1\r\nHost: evil.example:{host}\r\n\r\n"),
    "HTT-012": text("GET / HTTP/1.1\r\nHost: 127.0.0.1.nip.io\r\n\r\n"),
    "HTT-013": text("GET / HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\n\r\n"),
    "HTT-014": text("GET / HTTP/1.1\r\nHost: 127.0.0.1:99999\r\n\r\n"),
    "HTT-014b": text("GET / HTTP/1.1\r\nHost: 127.0.0.1:\r\n\r\n"),
    "HTT-014c": text("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    "HTT-014d": text("GET / HTTP/1.1\r\nHost: 2130706433\r\n\r\n"),
    "HTT-015": text("GET /health HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n"),
    "HTT-016": text("GET /health HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    "HTT-017": raw("GET /" + "a" * 9216),
    "HTT-018": text("GET /" + "a" * 65536),
    "HTT-019": raw("GET /%zz"),
    "HTT-019b": raw("GET /%"),
    "HTT-019c": raw("GET /%4"),
    "HTT-020": unchanged_files(raw("GET /../../etc/passwd")),
    "HTT-021": unchanged_files(raw("GET /%2e%2e/%2e%2e/etc/passwd")),
    "HTT-022": unchanged_files(raw("GET /assets/..%2f..%2f..%2f..%2fetc%2fpasswd")),
    "HTT-022b": unchanged_files(raw("GET //etc/passwd")),
    "HTT-022c": unchanged_files(raw("GET /....//....//etc/passwd")),
    "HTT-022d": unchanged_files(raw("GET /%252e%252e%252fetc%252fpasswd")),
    "HTT-023": unchanged_files(raw("GET /..%5c..%5cetc%5cpasswd")),
    "HTT-024": unchanged_files(raw("GET /v1/models/..%2f..%2fetc%2fpasswd")),
    "HTT-025": raw("GET /a%00b"),
    "HTT-025b": raw("GET /a%0d%0aX:b"),
    "HTT-026": raw("GET /%c0%ae%c0%ae/"),
    "HTT-026b": raw("GET /%ff"),
    "HTT-027": text("GET  / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "HTT-028": text("GET http://evil/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "HTT-028b": text("GET * HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "HTT-029": allows(raw("FOO /")),
    "HTT-029b": allows(raw("DELETE /v1/models")),
    "HTT-029c": allows(raw("PUT /v1/chat/completions")),
    "HTT-030": allows(raw("TRACE /")),
    "HTT-031": text("CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: 1.2.3.4:80\r\n\r\n"),
    "HTT-032": text("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "HTT-032b": text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTT-033": post(JSON_TYPE + "Content-Length: 2\r\n", b"{}", "/v1/nope"),
    "HTT-033b": allows(post(JSON_TYPE + "Content-Length: 2\r\n", b"{}", "/health")),
    "HTT-033c": allows(raw(f"GET {PATH}")),
    "HTT-033d": raw("GET /v1/models/nope"),
    "HTT-033e": raw("GET /V1/MODELS"),
    "HTT-034": raw("GET /", "X: " + "x" * 65536 + "\r\n"),
    "HTT-034b": raw("GET /", "".join(f"X-{i}: {'x' * 400}\r\n" for i in range(60))),
    "HTT-035": many_fields(101),
    "HTT-035b": many_fields(99),
    "HTT-036": raw("GET /", "X-A : b\r\n"),
    "HTT-036b": raw("GET /", ": b\r\n"),
    "HTT-036c": raw("GET /", "X A: b\r\n"),
    "HTT-036d": raw("GET /", "nocolon\r\n"),
    "HTT-037": raw("GET /", "X-A: b\r\n c\r\n"),
    "HTT-038": text("GET / HTTP/1.1\r\nHost: {host}\r\nX-A: b\nX-B: c\r\n\r\n"),
    "HTT-039": raw("GET /", "X-A: b\0c\r\n"),
    "HTT-039b": raw("GET /", "X-A: b\rc\r\n"),
    "HTT-040": post(JSON_TYPE + "Content-Length: -1\r\n"),
    "HTT-041": post(JSON_TYPE + "Content-Length: 1e3\r\n"),
    "HTT-042": post(JSON_TYPE + "Content-Length: +5\r\n", b"hello"),
    "HTT-042b": post(JSON_TYPE + "Content-Length: 0x5\r\n", b"hello"),
    "HTT-042c": post(JSON_TYPE + "Content-Length: \r\n", b""),
    "HTT-043": post(JSON_TYPE + "Content-Length: 99999999999999999999\r\n"),
    "HTT-044": one_answer_only(post(JSON_TYPE + "Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!")),
    "HTT-044b": one_answer_only(post(JSON_TYPE + "Content-Length: 5, 6\r\n", b"hello!")),
    "HTT-045": smuggled,
    "HTT-046": post(JSON_TYPE + f"Content-Length: {(64 << 20) + 1}\r\n"),
    "HTT-046b": post(JSON_TYPE + f"Content-Length: {1 << 62}\r\n"),
    "HTT-048": one_answer_only(post(JSON_TYPE + "Content-Length: 10\r\n", b"x" * 100)),
    "HTT-049": chunks(b"-2\r\nab\r\n0\r\n\r\n"),
    "HTT-049b": chunks(b"0x2\r\nab\r\n0\r\n\r\n"),
    "HTT-049c": chunks(b"\r\nab\r\n0\r\n\r\n"),
    "HTT-049d": chunks(b"2\r\nabXX0\r\n\r\n"),
    "HTT-050": chunks(b"ffffffffffffffffff\r\n"),
    "HTT-050b": chunks(b"7fffffffffffffff\r\nab"),
    "HTT-051": chunks(b"5;" + b"x" * (1 << 20)),
    "HTT-052": endless_chunks,
    "HTT-054": post(JSON_TYPE + "Transfer-Encoding: xchunked\r\n", b"x"),
    "HTT-055": post(JSON_TYPE + "Transfer-Encoding: gzip, chunked\r\n", b"x"),
    "HTT-056": post(JSON_TYPE + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "HTT-057": gzip_bomb,
    "HTT-058": chat_with("Content-Encoding: br\r\n"),
    "HTT-059": post("Content-Type: text/plain\r\n" + LENGTH, CHAT),
    "HTT-059b": post("Content-Type: text/plain; application/json\r\n" + LENGTH, CHAT),
    "HTT-060": post(LENGTH, CHAT),
    "HTT-061": post("Content-Type: application/x-www-form-urlencoded\r\n" + LENGTH, CHAT),
    "HTT-061b": post("Content-Type: text/plain\r\n" + LENGTH, CHAT, "/api/predict"),
    "HTT-062": multipart("", b"x"),
    "HTT-063": multipart("boundary=" + "b" * 10240, b"x"),
    "HTT-064": multipart(body=b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 10000 + b"--x--\r\n"),
    "HTT-066": multipart(body=b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'),
    "HTT-068": file_part(b"a\0b\r\nc"),
    "HTT-069": file_part(b"<img src=x onerror=alert(1)>.png"),
    "HTT-070": file_part(b"n" * 5000),
    "HTT-072": raw("GET /", "Range: bytes=18446744073709551615-\r\n"),
    "HTT-072b": raw("GET /", "Range: bytes=99999999999999999999999-\r\n"),
    "HTT-073": no_cors(chat_with("Origin: https://evil.example\r\n")),
    "HTT-074": no_cors(chat_with("Origin: null\r\n")),
    "HTT-075": no_cors(chat_with("Origin: http://127.0.0.1.evil.example\r\n")),
    "HTT-076": no_cors(chat_with("Origin: http://127.0.0.1:1\r\n")),
    "HTT-076b": no_cors(chat_with("Origin: file://\r\n")),
    "HTT-076c": lambda server: no_cors(chat_with(f"Origin: http://{server.host}\r\nOrigin: http://{server.host}\r\n"))(server),
    "HTT-076d": lambda server: no_cors(chat_with(f"Origin: http://{server.host}\r\n"))(server),
    "HTT-077": no_cors(raw(f"OPTIONS {PATH}", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n")),
    "HTT-078": no_cors(chat_with("Sec-Fetch-Site: cross-site\r\n")),
    "HTT-078b": no_cors(chat_with("Sec-Fetch-Site: same-site\r\n")),
    "HTT-089": pipelined,
    "HTT-090": raw("GET /v1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    "HTT-091": raw("GET /health?" + "a" * 7000),
    "HTT-092": text("HEAD /nope HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
}

# Rows that wait for a deadline of the server run beside the others, on threads.
SLOW_RECIPES = {
    "HTT-001": silence(20),
    "HTT-047": stalled(lambda s: s.head(f"POST {PATH}", JSON_TYPE + "Content-Length: 100\r\n") + b"0123456789"),
    "HTT-053": stalled(lambda s: s.head(f"POST {PATH}", JSON_TYPE + "Transfer-Encoding: chunked\r\n") + b"2\r\n{}\r\n"),
    "HTT-087": dripped(lambda s: b"", lambda s: s.head("GET /health")),
    "HTT-088": dripped(lambda s: s.head(f"POST {PATH}", JSON_TYPE + LENGTH), lambda s: CHAT),
    "HTT-003": stalled(b"GET / HT"),
}


# ---- a server with a key
def with_key(authorization, path="/v1/models"):
    def run(server):
        reply = server.get(path, authorization)
        if reply.status == 401 and reply.headers.get("www-authenticate") != "Bearer":
            raise Failure("401 without WWW-Authenticate: Bearer")
        if KEY.encode() in reply.raw or KEY in server.log():
            raise Failure("the key stands in the answer or in the log")
        return reply
    return run


def every_route_without_key(server):
    paths = ["/v1/models", "/v1/models/demo", "/v1", "/v1/", "/v1/x", "/v1//models", "/api/predict", "/api/x", "/run/predict",
             "/version", "/%76%31/models", "/v1/chat/completions"]
    return [(path, server.get(path)) for path in paths]


def chat_without_key(server):
    return [(path, server.post(json.loads(CHAT), path)) for path in ("/v1/chat/completions", "/api/predict", "/run/predict")]


BEARER = "Authorization: Bearer "
KEY_RECIPES = {
    "HTT-079": with_key(""),
    "HTT-080": with_key(BEARER + "\r\n"),
    "HTT-081": with_key(BEARER + KEY[:-1] + "\r\n"),
    "HTT-082": with_key(BEARER + KEY + "0\r\n"),
    "HTT-083": with_key(BEARER + KEY + "\r\n" + BEARER + KEY + "\r\n"),
    "HTT-084": with_key("", "/v1/models?key=" + KEY),
    "HTT-085": with_key("Authorization: Basic " + KEY + "\r\n"),
    "HTT-085b": with_key("X-Api-Key: " + KEY + "\r\n"),
    "HTT-085c": with_key(BEARER + KEY.lower() + "\r\n"),
    "HTT-085d": with_key("Cookie: key=" + KEY + "\r\n"),
    "HTT-086": with_key("authorization: bearer " + KEY + "\r\n"),
    "HTT-086b": every_route_without_key,
    "HTT-086c": chat_without_key,
    "HTT-086d": with_key("", "/health"),
}

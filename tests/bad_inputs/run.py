#!/usr/bin/env python3
"""Sends every bad input of bad_inputs.tsv to the real program and holds it to the table.

  tests/bad_inputs/run.py [--binary build/release/qwen3vl] [--only PREFIX ...] [--slack N] [--list]

One server (float32, the demo model) takes the rows of HTTP, JSON, sampling, messages and pictures; a second one with a key
the rows about keys; rows of model files and of the command line start the program once each. For every answer: status and
code, the error object, its type, the time, nothing internal in it, the server alive; after every refusal a good request
gives the same bytes as at the start. At the end descriptors, threads and memory are as they were.

--slack: every time and memory limit is multiplied by it (1 on a quiet machine; default 4; 20 for sanitizer builds, where
it is the default when the program's path contains "asan"). Standard library only. Exit 1 if anything fails.
"""

import argparse
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
import program  # noqa: E402
import rows_cli  # noqa: E402
import rows_http  # noqa: E402
import rows_image  # noqa: E402
import rows_json  # noqa: E402
import rows_model  # noqa: E402
from program import Failure, Server, check_error_object  # noqa: E402

SERVER_INTERFACES = ("http", "json", "sampling", "messages", "image")
LIMIT_SECONDS = {"image": 15.0}
SLOW_IDS = {"HTT-052", "HTT-057", "HTT-089", "JSO-020c", "JSO-033", "JSO-034", "JSO-067", "SAM-095", "SAM-078", "SAM-080",
            "SAM-099", "JSO-058", "MES-029", "MES-051", "MES-068"}  # much to send, or much to answer: 15 s


class Report:
    def __init__(self):
        self.passed, self.failed, self.inputs, self.slowest, self.times = 0, [], 0, [], {}

    def row(self, row, action):
        begin = time.monotonic()
        try:
            action()
            self.passed += 1
        except Failure as failure:
            self.fail(row["id"], str(failure))
        except Exception:  # a bug of the harness or a connection that broke: a failure of the row either way
            self.fail(row["id"], traceback.format_exc(limit=-3).replace("\n", " | "))
        self.times[row["id"]] = time.monotonic() - begin

    def fail(self, name, text):
        self.failed.append((name, text))
        print(f"FAIL {name}: {text}", flush=True)


def answers(result):
    return result if isinstance(result, list) else [("", result)]


class ServerRows:
    """Rows against one running server."""

    def __init__(self, server, report, key=None):
        self.server, self.report = server, report
        self.fields = f"Authorization: Bearer {key}\r\n" if key else ""
        self.reference_text = self.good("text")
        self.reference_picture = self.good("picture")

    def good(self, kind):
        content = "hi"
        if kind == "picture":
            image = (program.ROOT / "models/demo/samples/shapes.png").read_bytes()
            import base64
            url = "data:image/png;base64," + base64.b64encode(image).decode()
            content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "How many circles?"}]
        body = {"messages": [{"role": "user", "content": content}], "temperature": 0, "seed": 1,
                "max_tokens": 3 if kind == "text" else 8}
        reply = self.server.post(body, fields=self.fields, timeout=60)
        if reply.status != 200:
            raise Failure(f"a good request got {reply.status} {reply.body[:200]!r}")
        answer = reply.json()
        return [answer["choices"], {k: answer["usage"][k] for k in ("prompt_tokens", "completion_tokens")}]

    def check(self, row, result):
        statuses, refused = row["expect"], False
        for label, reply in answers(result):
            self.report.inputs += 1
            where = f" ({label})" if label else ""
            try:
                self.check_answer(row, reply)
            except Failure as failure:
                raise Failure(f"{failure}{where}") from None
            refused |= reply.status != 200
        if not self.server.alive():
            raise Failure(f"the server ended with {self.server.process.returncode}: {self.server.log()[-3000:]}")
        if refused and statuses != "close" and self.good("text") != self.reference_text:
            raise Failure("a good request afterwards gives another answer")

    def check_answer(self, row, reply):
        if row["expect"] == "close":
            if not reply.closed or reply.raw:
                raise Failure(f"expected a silent close, got {reply.raw[:80]!r} closed={reply.closed}")
            return
        limit = 15.0 if row["id"] in SLOW_IDS else LIMIT_SECONDS.get(row["interface"], 1.0)
        if row["id"] not in rows_http.SLOW_RECIPES and reply.seconds > limit * self.server.slack:
            raise Failure(f"took {reply.seconds:.1f} s")
        if str(reply.status) != row["expect"]:
            raise Failure(f"status {reply.status} {reply.code()}, expected {row['expect']}: {reply.body[:300]!r}")
        if reply.status >= 400 and reply.body:  # HEAD has none
            check_error_object(reply)
            if reply.code() != row["error.code"] and row["error.code"] != "*":
                raise Failure(f"code {reply.code()}, expected {row['error.code']}: {reply.body[:300]!r}")

    def run(self, rows, recipes):
        for row in rows:
            recipe = recipes[row["id"]]
            self.report.row(row, lambda: self.check(row, recipe(self.server)))
        if self.good("text") != self.reference_text or self.good("picture") != self.reference_picture:
            self.report.fail(rows[0]["interface"], "good requests after the group give other answers")


def shared_recipes(png):
    out = {}
    for name, (_, _, body) in rows_json.shared_rows().items():
        data = rows_json.expand(body, png)
        out[name] = lambda server, data=data: server.post(data, timeout=120)
    return out


def server_recipes():
    import base64
    import pictures
    out = shared_recipes(base64.b64encode(pictures.png()).decode())
    for more in (rows_http.RECIPES, rows_json.RECIPES, rows_image.RECIPES):
        out.update(more)
    return out


def settled(server, descriptors, threads):
    """Waits till connections of the rows before are gone."""
    until = time.monotonic() + 15 * server.slack
    while time.monotonic() < until:
        now = server.descriptors(), server.threads()
        if now[0] <= descriptors and now[1] <= threads:
            return
        time.sleep(0.1)
    raise Failure(f"{now[0]} descriptors and {now[1]} threads, at the start {descriptors} and {threads}")


def no_sanitizer_report(server):
    found = re.search(r"(ERROR: \w+Sanitizer|runtime error:|LeakSanitizer).*", server.log())
    if found:
        raise Failure(f"{found.group(0)}: {server.log()[found.start():found.start() + 4000]}")


def run_server_rows(binary, slack, rows, report, folder):
    recipes = server_recipes()
    server = Server(binary, log_path=folder / "server.log", slack=slack)
    try:
        driver = ServerRows(server, report)
        descriptors, threads = server.descriptors(), server.threads()
        slow = [row for row in rows if row["id"] in rows_http.SLOW_RECIPES]
        workers = [threading.Thread(target=report.row, args=(row, lambda row=row: driver.check(
            row, rows_http.SLOW_RECIPES[row["id"]](server)))) for row in slow]
        quick = [row for row in rows if row["id"] in recipes and row["id"] not in rows_http.SLOW_RECIPES]
        for worker in workers:
            worker.start()
        for interface in SERVER_INTERFACES:
            group = [row for row in quick if row["interface"] == interface]
            if not group:
                continue
            begin, before = time.monotonic(), server.rss_mb()
            driver.run(group, recipes)
            print(f"{interface}: {len(group)} rows in {time.monotonic() - begin:.1f} s, "
                  f"memory {before:.0f} -> {server.rss_mb():.0f} MB", flush=True)
        for worker in workers:
            worker.join()
        if not server.alive():
            raise Failure("the server is gone")
        settled(server, descriptors, threads)
        memory_settles(server, rows, recipes, driver, report)
        code = server.stop()
        if code != 0:
            raise Failure(f"SIGTERM: exit {code}")
    except Failure as failure:
        report.fail("server", str(failure))
    finally:
        if server.alive():
            server.process.kill()
            server.process.wait()
    report.row({"id": "sanitizers"}, lambda: no_sanitizer_report(server))


def memory_settles(server, rows, recipes, driver, report):
    """The same bad inputs once more: what was needed the first time is enough the second time."""
    before = server.rss_mb()
    bad = {name for name, _ in report.failed}
    again = [row for row in rows if row["id"] in recipes and row["id"] not in bad and report.times.get(row["id"], 9) < 0.5 * server.slack]
    for row in again:
        driver.check(row, recipes[row["id"]](server))
    growth = server.rss_mb() - before
    print(f"{len(again)} rows once more: memory {before:.0f} -> {server.rss_mb():.0f} MB", flush=True)
    if growth > 64 * max(1, server.slack / 4):
        raise Failure(f"memory grew by {growth:.0f} MB in the second round of the same rows")


def run_key_rows(binary, slack, rows, report, folder):
    rows = [row for row in rows if row["id"] in rows_http.KEY_RECIPES]
    if not rows:
        return
    server = Server(binary, "--api-key", rows_http.KEY, log_path=folder / "key.log", slack=slack)
    try:
        ServerRows(server, report, rows_http.KEY).run(rows, rows_http.KEY_RECIPES)
        server.stop()
    finally:
        if server.alive():
            server.process.kill()
            server.process.wait()
    report.row({"id": "sanitizers"}, lambda: no_sanitizer_report(server))


def check_table(rows):
    """Every tested row has a recipe, every recipe a row, and rows shared with the unit tests say the same in both."""
    known = set(server_recipes()) | set(rows_http.SLOW_RECIPES) | set(rows_http.KEY_RECIPES) | set(rows_model.RECIPES) | \
        set(rows_cli.RECIPES)
    ids = [row["id"] for row in rows]
    tested = {row["id"] for row in rows if row["status"] == "tested"}
    problems = [f"{i} stands twice" for i in set(ids) if ids.count(i) > 1]
    problems += [f"{i} has no recipe" for i in sorted(tested - known)]
    problems += [f"{i} has a recipe, but no tested row" for i in sorted(known - tested)]
    by_id = {row["id"]: row for row in rows}
    for name, (status, code, _) in rows_json.shared_rows().items():
        row = by_id.get(name)
        if row and "unit test differs" not in row["note"] and (row["expect"], row["error.code"]) != (status, code):
            problems.append(f"{name}: {row['expect']} {row['error.code']} here, {status} {code} in tests/data/serve/requests.tsv")
    return problems


def main():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the servers would inherit that it is ignored
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=program.ROOT / "build/release/qwen3vl", type=pathlib.Path)
    parser.add_argument("--only", action="append", default=[], metavar="PREFIX", help="rows whose id or interface begins so")
    parser.add_argument("--slack", type=float)
    parser.add_argument("--list", action="store_true", help="print the rows and stop")
    options = parser.parse_args()
    binary = options.binary.resolve()
    slack = options.slack or (20.0 if "asan" in str(binary) else 4.0)
    table = rows_json.table()
    report = Report()
    for problem in check_table(table):
        report.fail("table", problem)
    rows = [row for row in table if row["status"] == "tested" and (not options.only or any(
        row["id"].startswith(o) or row["interface"].startswith(o) for o in options.only))]
    if options.list:
        for row in rows:
            print(row["id"], row["interface"], row["expect"], row["error.code"], row["input"], sep="\t")
        return 0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="qvl_bad_inputs_") as name:
        folder = pathlib.Path(name)
        if any(row["interface"] in SERVER_INTERFACES for row in rows):
            run_server_rows(binary, slack, [r for r in rows if r["id"] not in rows_model.RECIPES], report, folder)
            run_key_rows(binary, slack, rows, report, folder)
        for module in (rows_model, rows_cli):
            group = [row for row in rows if row["id"] in module.RECIPES]
            if group:
                module.run(binary, slack, group, report, folder)
    ran = len(report.times)
    later = sum(row["status"] != "tested" for row in table)
    slowest = sorted(report.times.items(), key=lambda item: -item[1])[:5]
    print(f"{len(rows)} rows tested, {report.inputs} inputs, {len(report.failed)} failures, {time.monotonic() - begin:.0f} s; "
          f"{later} rows of the table wait for later interfaces")
    print("slowest: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest))
    if ran == 0:
        print("no row matches")
    return 1 if report.failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

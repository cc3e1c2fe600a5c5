#!/usr/bin/env python3
"""Verifies a Sealgate audit log without any of Sealgate's code. Standard library only.

    verify.py DATA_DIR | audit.db      the store, in place or a copy
    verify.py records.ndjson | -       exact records, one a line, from record 0 on

Exit codes: 0 whole, 1 tampered with, 2 cannot decide. The format is described in FORMAT.md.
"""

import hashlib
import json
import os
import sqlite3
import sys
import uuid

KINDS = {
    "log.genesis": 0, "log.open": 1, "log.close": 2, "log.heartbeat": 3, "call.intent": 10, "call.outcome": 11,
    "call.denied": 12, "call.indeterminate": 13, "call.answered": 14, "call.question": 15,
    "call.reply": 16, "call.question_denied": 17, "call.lapsed": 18, "policy.change": 20, "config.change": 21,
    "catalog.drift": 22, "key.rotate": 23, "audit.query": 30, "audit.export": 31, "payload.read": 32, "erase": 33,
    "hold.set": 34, "hold.release": 35, "anchor.ok": 36, "anchor.fail": 37, "audit.failure": 40,
    "audit.recovered": 41, "auth.failed": 50, "request.refused": 51, "approval.granted": 60,
    "approval.rejected": 61, "notify.sent": 62, "notify.failed": 63,
}
SCHEMA = {
    "entry": "CREATE TABLE entry (seq INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind INTEGER NOT NULL, call BLOB, "
             "rec BLOB NOT NULL, leaf BLOB NOT NULL) STRICT",
    "entry_call": "CREATE INDEX entry_call ON entry (call) WHERE call IS NOT NULL",
    "entry_no_update": "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN "
                       "SELECT RAISE(ABORT, 'the log is append-only'); END",
    "entry_no_delete": "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN "
                       "SELECT RAISE(ABORT, 'the log is append-only'); END",
    "entry_contiguous": "CREATE TRIGGER entry_contiguous BEFORE INSERT ON entry WHEN NEW.seq IS NOT "
                        "(SELECT coalesce(max(seq) + 1, 0) FROM entry) BEGIN "
                        "SELECT RAISE(ABORT, 'the log has no gaps'); END",
}


class Duplicate(ValueError):
    pass


def members(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise Duplicate("a key twice")
    return dict(pairs)


def whole(value):
    """Sorted ASCII keys, no floats, integers within 2^53 - 1."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return abs(value) < 2 ** 53
    if isinstance(value, list):
        return all(map(whole, value))
    if isinstance(value, dict):
        keys = list(value)
        return keys == sorted(keys) and all(key.isascii() for key in keys) and all(map(whole, value.values()))
    return False


def parse(record):
    """The record, or None if its bytes are not canonical."""
    try:
        value = json.loads(record.decode("utf-8"), object_pairs_hook=members)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None
    canonical = isinstance(value, dict) and whole(value) and text.encode("utf-8", "surrogatepass") == record
    return value if canonical else None


class Check:
    def __init__(self):
        self.breaks, self.next, self.prev, self.peaks = [], 0, bytes(32), []

    def broken(self, kind, seq, detail):
        if kind not in [b["kind"] for b in self.breaks]:
            self.breaks.append({"kind": kind, "seq": seq, "detail": detail})

    def record(self, seq, record):
        if seq != self.next:
            self.broken("gap", seq, "record %d was expected" % self.next)
        self.next = seq + 1
        value = parse(record)
        if value is None:
            self.broken("form", seq, "it is not canonical JSON")
            value = {}
        if value.get("prev") != self.prev.hex():
            self.broken("link", seq, "it is not linked to the record before it")
        if value.get("seq") != seq:
            self.broken("gap", seq, "it says another sequence number")
        self.prev = hashlib.sha256(b"\0" + record).digest()
        height, right = 0, self.prev
        while self.peaks and self.peaks[-1][0] == height:
            right = hashlib.sha256(b"\1" + self.peaks.pop()[1] + right).digest()
            height += 1
        self.peaks.append((height, right))
        return value

    def verdict(self):
        if self.next == 0:
            self.broken("gap", None, "the log has no first record")
        root = hashlib.sha256(b"").digest()
        for index, (_, left) in enumerate(reversed(self.peaks)):
            root = left if index == 0 else hashlib.sha256(b"\1" + left + root).digest()
        return {"ok": not self.breaks, "records": self.next, "root": root.hex(), "breaks": self.breaks}


def check_store(path):
    check = Check()
    store = sqlite3.connect("file:%s?mode=ro" % path.replace("?", "%3f").replace("#", "%23"), uri=True)
    store.text_factory = bytes
    store.execute("BEGIN")
    found = {name.decode(): (sql or b"").decode() for name, sql in store.execute("SELECT name, sql FROM sqlite_schema")}
    if found != SCHEMA:
        check.broken("schema", None, "the tables, triggers or indexes are not what a log has")
    for seq, t, kind, call, rec, leaf in store.execute(
            "SELECT seq, t, kind, call, rec, leaf FROM entry NOT INDEXED ORDER BY seq"):
        value = check.record(seq, rec)
        if leaf != check.prev:
            check.broken("leaf", seq, "its bytes do not give its hash")
        named = value.get("call")
        try:
            named = uuid.UUID(named).bytes if named is not None else None
        except (ValueError, AttributeError, TypeError):
            named = b""
        if (kind, t, call) != (KINDS.get(value.get("kind")), value.get("t"), named):
            check.broken("column", seq, "a derived column differs from the record")
    state = store.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if state != b"ok":
        check.broken("store", None, state.decode("utf-8", "replace"))
    return check.verdict()


def check_lines(lines):
    check = Check()
    for line in lines:
        line = line.rstrip(b"\n")
        if line:
            value = parse(line)
            seq = value.get("seq") if value else None
            check.record(seq if isinstance(seq, int) and not isinstance(seq, bool) else check.next, line)
    return check.verdict()


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        return 2
    path = sys.argv[1]
    try:
        if path == "-":
            verdict = check_lines(sys.stdin.buffer)
        elif path.endswith(".ndjson"):
            with open(path, "rb") as lines:
                verdict = check_lines(lines)
        else:
            path = os.path.join(path, "audit.db") if os.path.isdir(path) else path
            verdict = check_store(path)
    except (OSError, sqlite3.Error) as error:
        print(json.dumps({"ok": None, "error": str(error)}))
        return 2
    print(json.dumps(verdict))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())

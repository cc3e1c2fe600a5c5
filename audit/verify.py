#!/usr/bin/env python3
"""Verifies a Sealgate audit log, or evidence out of one, without any of Sealgate's code. Standard library only.

    verify.py [OPTIONS] DATA_DIR           the log with its checkpoints, tiles and anchor file, in place or a copy
    verify.py audit.db                     the store alone
    verify.py records.ndjson | -           exact records, one a line, from record 0 on
    verify.py [OPTIONS] BUNDLE             a bundle: a folder, or a tar of one

    --vkey KEY | FILE      a key that checkpoints must be signed by (else those beside the log, or in the bundle)
    --checkpoint FILE      a checkpoint that was kept elsewhere: the log must contain it
    --anchors FILE         an anchor file that is kept elsewhere: the log must contain every checkpoint in it
    --segments DIR         the folder of archived segments: every one that the log names must be there, whole

Exit codes: 0 whole, 1 tampered with, 2 cannot decide, 4 rolled back. The format is described in FORMAT.md.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import sqlite3
import sys
import tarfile
import uuid

KINDS = {
    "log.genesis": 0, "log.open": 1, "log.close": 2, "log.heartbeat": 3, "call.intent": 10, "call.outcome": 11,
    "call.denied": 12, "call.indeterminate": 13, "call.answered": 14, "call.question": 15,
    "call.reply": 16, "call.question_denied": 17, "call.lapsed": 18, "policy.change": 20, "config.change": 21,
    "catalog.drift": 22, "key.rotate": 23, "definition.pin": 24, "definition.quarantine": 25,
    "definition.drift": 26, "definition.approve": 27, "definition.reject": 28, "definition.restore": 29,
    "audit.query": 30, "audit.export": 31, "payload.read": 32, "erase": 33,
    "hold.set": 34, "hold.release": 35, "anchor.ok": 36, "anchor.fail": 37, "admin.request": 38, "audit.failure": 40,
    "audit.recovered": 41, "auth.failed": 50, "request.refused": 51, "approval.granted": 60,
    "approval.rejected": 61, "notify.sent": 62, "notify.failed": 63, "approval.waited": 64,
    "segment.archive": 70, "segment.prune": 71, "segment.restore": 72,
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


TREES = {
    "tile": "CREATE TABLE tile (level INTEGER NOT NULL, idx INTEGER NOT NULL, root BLOB NOT NULL, "
            "data BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT",
    "checkpoint": "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, t INTEGER NOT NULL, root BLOB NOT NULL, "
                  "note TEXT NOT NULL) STRICT",
    "anchor": "CREATE TABLE anchor (target TEXT NOT NULL, size INTEGER NOT NULL, t INTEGER NOT NULL, "
              "receipt TEXT NOT NULL, PRIMARY KEY (target, size)) STRICT",
    "sqlite_autoindex_tile_1": "", "sqlite_autoindex_anchor_1": "",
}
for table in ("tile", "checkpoint", "anchor"):
    for verb in ("update", "delete"):
        TREES["%s_no_%s" % (table, verb)] = (
            "CREATE TRIGGER %s_no_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'append-only'); END"
            % (table, verb, verb.upper(), table))

# Signatures of at most so many of a log's own checkpoints are checked, the newest: pure Python is slow at it.
# Roots are compared for all of them.
SIGNATURES = 200


# Ed25519 (RFC 8032), verification only.
P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point_add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_mul(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def point_decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2 ** 255 - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * pow(2, (P - 1) // 4, P) % P
        if v * x * x % P != u:
            return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = point_decode(key), point_decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = point_mul(s, BASE), point_add(r, point_mul(h, a))
    return ((left[0] * right[2] - right[0] * left[2]) % P == 0
            and (left[1] * right[2] - right[1] * left[2]) % P == 0)


def unbase64(text):
    """Canonical base64 only, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def decimal(text):
    return int(text) if re.fullmatch("0|[1-9][0-9]{0,18}", text) else None


class Note(ValueError):
    pass


def parse_key(line):
    """(name, id, signature type, key) of a C2SP verification key."""
    parts = line.strip().split("+", 2)
    data = unbase64(parts[2]) if len(parts) == 3 else None
    if not data or len(data) != 33 or data[0] not in (1, 4):
        raise Note("it is not a key")
    name = parts[0]
    ident = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if ident.hex() != parts[1]:
        raise Note("it is not a key")
    return name, ident, data[0], data[1:]


def parse_keys(text):
    return [parse_key(line) for line in text.split("\n") if line.strip() and not line.startswith("#")]


def open_note(note, keys, check=True):
    """The text of a signed note and the keys that signed it; raises Note."""
    if len(note.encode()) > 65536 or any(ord(c) < 32 and c != "\n" or ord(c) == 127 for c in note):
        raise Note("it is not a signed note")
    at = note.rfind("\n\n")
    text, lines = note[:at + 1], note[at + 2:]
    if at < 1 or not lines.endswith("\n"):
        raise Note("it is not a signed note")
    signed, lines = [], lines[:-1].split("\n")
    if len(lines) > 64:
        raise Note("it is not a signed note")
    parsed = []
    for line in lines:
        found = re.fullmatch("\u2014 ([^ ]+) ([^ ]+)", line)
        data = unbase64(found.group(2)) if found else None
        if not data or len(data) < 5 or re.search(r"[\s+]", found.group(1)):
            raise Note("it is not a signed note")
        parsed.append((found.group(1), data[:4], data[4:]))
    for name, ident, signature in parsed:
        for key in keys:
            if key[:2] != (name, ident):
                continue
            message = text.encode()
            if key[2] == 4:
                time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                message = b"cosignature/v1\ntime %d\n" % time + message
            if check and not ed25519_verify(key[3], message, signature):
                raise Note("a signature does not verify")
            signed.append(key)
    if not signed:
        raise Note("it is not signed by a known key")
    return text, signed


def open_checkpoint(note, keys, check=True):
    """(origin, size, root) of a signed checkpoint; raises Note."""
    text, signed = open_note(note, keys, check)
    lines = text[:-1].split("\n")
    size, root = (decimal(lines[1]), unbase64(lines[2])) if len(lines) == 3 else (None, None)
    if size is None or root is None or len(root) != 32 or not lines[0]:
        raise Note("it is not a checkpoint")
    return lines[0], size, root, signed


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def includes(root, size, index, leaf, proof):
    """RFC 9162 2.1.3.2."""
    if index >= size or len(proof) > 63:
        return False
    place, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            value = node(sibling, value)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            value = node(value, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and value == root


def extends(old, new, proof):
    """RFC 9162 2.1.4.2; old and new are (size, root)."""
    if old[0] > new[0] or len(proof) > 64:
        return False
    if old[0] == new[0]:
        return not proof and old[1] == new[1]
    if old[0] == 0:
        return not proof and old[1] == hashlib.sha256(b"").digest()
    place, last, rest = old[0] - 1, new[0] - 1, list(proof)
    while place & 1:
        place, last = place >> 1, last >> 1
    if place == 0:
        rest.insert(0, old[1])
    if not rest:
        return False
    was = now = rest[0]
    for part in rest[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now = node(part, was), node(part, now)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now = node(now, part)
        place, last = place >> 1, last >> 1
    return last == 0 and was == old[1] and now == new[1]


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
        self.breaks, self.next, self.prev, self.peaks, self.origin = [], 0, bytes(32), [], None

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
        if seq == 0:
            self.origin = value.get("log") if isinstance(value.get("log"), str) else None
        self.prev = hashlib.sha256(b"\0" + record).digest()
        self.push(self.prev)
        return value

    def absent(self, seq, leaf):
        """A record whose bytes are archived: what stays of it is its place and its hash."""
        if seq != self.next:
            self.broken("gap", seq, "record %d was expected" % self.next)
        self.next, self.prev = seq + 1, leaf
        self.push(leaf)

    def push(self, leaf):
        height, right = 0, leaf
        while self.peaks and self.peaks[-1][0] == height:
            right = node(self.peaks.pop()[1], right)
            height += 1
        self.peaks.append((height, right))

    def root(self):
        root = hashlib.sha256(b"").digest()
        for index, (_, left) in enumerate(reversed(self.peaks)):
            root = left if index == 0 else node(left, root)
        return root

    def verdict(self, **more):
        if self.next == 0:
            self.broken("gap", None, "the log has no first record")
        verdict = {"ok": not self.breaks, "records": self.next, "root": self.root().hex(), "breaks": self.breaks}
        return dict(verdict, **more)


def connect(path):
    store = sqlite3.connect("file:%s?mode=ro" % path.replace("?", "%3f").replace("#", "%23"), uri=True)
    store.text_factory = bytes
    return store


def schema(store):
    return {name.decode(): (sql or b"").decode() for name, sql in store.execute("SELECT name, sql FROM sqlite_schema")}


class Against:
    """What a log is compared with: its checkpoints and tiles, its anchor file, and what was kept elsewhere."""

    def __init__(self, folder, options, check):
        self.expected, self.at, self.tiled, self.tiles, self.newest, self.trees = [], 0, 0, 0, None, None
        self.rows = []
        keys, files = list(options["keys"]), list(options["anchors"])
        if folder is not None:
            published = os.path.join(folder, "checkpoint.vkeys")
            if not keys and os.path.exists(published):
                keys = parse_keys(open(published, encoding="utf-8").read())
            if os.path.exists(os.path.join(folder, "checkpoints.db")):
                self.own(os.path.join(folder, "checkpoints.db"), keys, check)
            if os.path.exists(os.path.join(folder, "anchors.ndjson")):
                files.append(os.path.join(folder, "anchors.ndjson"))
        for path in files:
            self.anchors(path, keys, check)
        for path in options["checkpoints"]:
            found = open_checkpoint(open(path, encoding="utf-8", newline="").read(), keys)
            self.expected.append((found[1], found[2], found[0], "checkpoint", "a checkpoint that was kept"))
        self.expected.sort(key=lambda expected: expected[0])

    def own(self, path, keys, check):
        self.trees = connect(path)
        self.trees.execute("BEGIN")
        if schema(self.trees) != TREES:
            check.broken("schema", None, "the tables or triggers of the checkpoints are not what a log has")
        rows = list(self.trees.execute("SELECT size, root, note FROM checkpoint ORDER BY size"))
        for n, (size, root, note) in enumerate(rows):
            self.tiled = size
            seq = size - 1 if size > 0 else None
            try:
                found = open_checkpoint(note.decode("utf-8"), keys, n >= len(rows) - SIGNATURES)
                if found[1:3] != (size, root):
                    check.broken("checkpoint", seq, "its columns differ from the signed note")
                else:
                    self.expected.append((size, root, found[0], "checkpoint", "a signed checkpoint"))
            except (Note, UnicodeDecodeError) as why:
                check.broken("checkpoint", seq, str(why))
        state = self.trees.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if state != b"ok":
            check.broken("store", None, state.decode("utf-8", "replace"))

    def anchors(self, path, keys, check):
        foreign = False
        with open(path, "rb") as lines:
            for line in lines.read().split(b"\n"):
                try:
                    note = json.loads(line.decode("utf-8"))
                    note = note["checkpoint"] if isinstance(note["t"], int) else None
                except (ValueError, KeyError, TypeError):
                    continue
                try:
                    found = open_checkpoint(note, keys)
                    self.expected.append((found[1], found[2], found[0], "anchor", "the anchor file"))
                except (Note, AttributeError, TypeError):
                    foreign = True
        if foreign:
            check.broken("anchor", None, "the anchor file holds what is no signed checkpoint")

    def compare(self, check):
        while self.at < len(self.expected) and self.expected[self.at][0] <= check.next:
            size, root, origin, kind, whence = self.expected[self.at]
            self.at += 1
            if size < check.next:
                continue
            if origin != check.origin or root != check.root():
                check.broken(kind, size - 1, "%s says another root for %d records" % (whence, size))
            else:
                self.newest = size
        self.tile(check, 0, check.prev)

    def tile(self, check, level, value):
        if len(self.rows) <= level:
            self.rows.append([0, []])
        row = self.rows[level]
        row[1].append(value)
        if len(row[1]) < 256:
            return
        index, hashes = row[0], row[1]
        row[0], row[1], layer = index + 1, [], hashes
        while len(layer) > 1:
            layer = [node(layer[n], layer[n + 1]) for n in range(0, len(layer), 2)]
        span = 256 ** (level + 1)
        if self.trees is not None and (index + 1) * span <= self.tiled:
            self.tiles += 1
            sql = "SELECT root, data FROM tile WHERE level = ? AND idx = ?"
            if self.trees.execute(sql, (level, index)).fetchone() != (layer[0], b"".join(hashes)):
                check.broken("tile", index * span, "a tile is missing or holds other hashes")
        self.tile(check, level + 1, layer[0])

    def finish(self, check):
        if self.at < len(self.expected):
            size, whence = self.expected[-1][0], self.expected[-1][4]
            check.broken("rollback", None, "%s covers %d records, the log has %d" % (whence, size, check.next))
        if self.trees is not None and self.trees.execute("SELECT count(*) FROM tile").fetchone()[0] != self.tiles:
            check.broken("tile", None, "there are other tiles than the log's")
        return {"checkpoints": len(self.expected), "checkpoint": self.newest}


def read_segment(known, options):
    """The records of a segment and their hashes, if it is exactly what was archived; raises Note."""
    place = os.path.join(options["segments"], known["name"])
    if not os.path.isfile(os.path.join(place, "manifest.json")):
        raise Note("segment %s is not in `%s`" % (known["name"], options["segments"]))
    files = read_bundle(place)
    if hashlib.sha256(files["manifest.json"]).hexdigest() != known["digest"]:
        raise Note("segment %s is not the one that was archived: its manifest has another digest" % known["name"])
    if not options["keys"]:
        raise Note("segment %s cannot be checked without a key" % known["name"])
    report = check_bundle(files, options)
    for found in report["breaks"]:
        raise Note("segment %s is not what was archived: %s (%s)" % (known["name"], found["detail"], found["kind"]))
    lines = files["records.ndjson"].split(b"\n")[:-1]
    if len(lines) != known["last"] - known["first"] + 1 or not report["complete"]:
        raise Note("segment %s holds other records than its name says" % known["name"])
    return lines, [hashlib.sha256(b"\0" + line).digest() for line in lines]


class Segments:
    """What is archived: what stays of it in the store, and the segments themselves if they are at hand."""

    def __init__(self, store, folder, options):
        self.options, self.now, self.done, self.said = dict(options), [], [], []
        published = os.path.join(folder, "checkpoint.vkeys") if folder is not None else ""
        if not options["keys"] and os.path.exists(published):
            self.options["keys"] = parse_keys(open(published, encoding="utf-8").read())
        found, number = {}, lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0
        codes = (KINDS["segment.archive"], KINDS["segment.prune"])
        for seq, kind, rec in store.execute(
                "SELECT seq, kind, rec FROM entry WHERE kind IN (?, ?) ORDER BY seq", codes):
            try:
                said = json.loads(rec.decode("utf-8"))
                first, last, digest = (said["segment"][name] for name in ("first", "last", "digest"))
                whence, removed = said.get("store", ""), said.get("removed")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if not (number(first) and number(last) and isinstance(digest, str) and isinstance(whence, str)):
                continue
            if last < first or last >= seq:
                continue
            if kind == codes[0]:
                found.setdefault((first, digest), {"first": first, "last": last, "digest": digest, "store": whence,
                                                   "name": "%020d-%020d" % (first, last), "removed": []})
            elif (first, digest) in found and isinstance(removed, str):
                found[first, digest]["removed"].append((seq, removed))
        self.later = sorted(found.values(), key=lambda known: known["first"])

    def row(self, check, seq, t, kind, call, rec, leaf):
        """The bytes of a record that has none, if its segment is at hand and holds them."""
        while self.later and self.later[0]["first"] <= seq:
            known, lines = self.later.pop(0), None
            if self.options["segments"] is not None:
                try:
                    lines = read_segment(known, self.options)
                except Note as why:
                    check.broken("segment", known["first"], str(why))
            self.now.append((known, lines, hashlib.sha256(b"sealgate/segment/v1/removed\n"), [0]))
        found = None
        for known, lines, removed, absent in self.now:
            if lines is not None and seq <= known["last"]:
                if lines[1][seq - known["first"]] == leaf:
                    found = lines[0][seq - known["first"]]
                else:
                    check.broken("segment", seq, "segment %s holds another record than the log" % known["name"])
            if not rec:
                absent[0] += 1
                for value in (seq, t, kind):
                    removed.update(value.to_bytes(8, "big", signed=True))
                removed.update((b"\1" + call if call is not None else b"\0") + leaf)
        if not rec and not self.now:
            check.broken("segment", seq, "it has no bytes, and no record says that it is archived")
        for entry in [entry for entry in self.now if entry[0]["last"] <= seq]:
            self.now.remove(entry)
            self.close(check, *entry)
        return None if rec else found

    def close(self, check, known, lines, removed, absent):
        if absent[0]:
            said = [seq for seq, digest in known["removed"] if digest == removed.hexdigest()]
            if not said:
                check.broken("segment", known["first"], "segment %s has other records without bytes, or other "
                             "columns of them, than any record says" % known["name"])
            self.said.append((known, said))
        archived = {name: known[name] for name in ("digest", "first", "last", "store")}
        self.done.append(dict(archived, absent=absent[0], checked=lines is not None))

    def finish(self, check, signed):
        for known, _, _, _ in self.now:
            check.broken("segment", known["first"], "segment %s ends beyond the log" % known["name"])
        for known, said in self.said:
            if said and signed is not None and not any(seq < signed for seq in said):
                check.broken("segment", known["first"], "segment %s has records without bytes, and no checkpoint "
                             "covers the record that says so" % known["name"])
        return {"archived": self.done}


def check_store(path, folder, options):
    check = Check()
    against = Against(folder, options, check)
    store = connect(path)
    store.execute("BEGIN")
    segments = Segments(store, folder, options)
    if schema(store) != SCHEMA:
        check.broken("schema", None, "the tables, triggers or indexes are not what a log has")
    for seq, t, kind, call, rec, leaf in store.execute(
            "SELECT seq, t, kind, call, rec, leaf FROM entry NOT INDEXED ORDER BY seq"):
        archived = segments.row(check, seq, t, kind, call, rec, leaf)
        if not rec and archived is None:
            check.absent(seq, leaf)
            against.compare(check)
            continue
        value = check.record(seq, rec or archived)
        if leaf != check.prev:
            check.broken("leaf", seq, "its bytes do not give its hash")
        named = value.get("call")
        try:
            named = uuid.UUID(named).bytes if named is not None else None
        except (ValueError, AttributeError, TypeError):
            named = b""
        if (kind, t, call) != (KINDS.get(value.get("kind")), value.get("t"), named):
            check.broken("column", seq, "a derived column differs from the record")
        against.compare(check)
    state = store.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if state != b"ok":
        check.broken("store", None, state.decode("utf-8", "replace"))
    ended = against.finish(check)
    signed = None if against.trees is None else ended["checkpoint"] or 0
    return check.verdict(**ended, **segments.finish(check, signed))


def check_lines(lines):
    check = Check()
    for line in lines:
        line = line.rstrip(b"\n")
        if line:
            value = parse(line)
            seq = value.get("seq") if value else None
            check.record(seq if isinstance(seq, int) and not isinstance(seq, bool) else check.next, line)
    return check.verdict()


def read_bundle(path):
    """The files of a bundle by name, or None if it is none."""
    files = {}
    if os.path.isdir(path):
        if not os.path.exists(os.path.join(path, "manifest.json")):
            return None
        for folder, _, names in os.walk(path):
            for name in names:
                at = os.path.join(folder, name)
                with open(at, "rb") as file:
                    files[os.path.relpath(at, path).replace(os.sep, "/")] = file.read()
        return files
    if not path.endswith(".tar"):
        return None
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            if member.isfile():
                files[member.name.split("/", 1)[-1]] = tar.extractfile(member).read()
    return files


def parse_proof(text):
    """(index, path, checkpoint) of a C2SP tlog-proof, or None."""
    head, _, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if len(lines) < 2 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("index "):
        return None
    index, path = decimal(lines[1][6:]), [unbase64(line) for line in lines[2:]]
    if index is None or any(part is None or len(part) != 32 for part in path):
        return None
    return index, path, checkpoint


def check_bundle(files, options):
    check = Check()
    text = lambda name: files.get(name, b"").decode("utf-8", "replace")
    try:
        manifest = json.loads(text("manifest.json"))["files"]
        found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "manifest.json"}
        if manifest != found:
            check.broken("manifest", None, "a file is not as the manifest says")
    except (ValueError, KeyError, TypeError):
        check.broken("manifest", None, "`manifest.json` cannot be read")
    own_keys, origin, size, root, signed = not options["keys"], "", 0, bytes(32), []
    try:
        keys = parse_keys(text("keys")) if own_keys else options["keys"]
        origin, size, root, signed = open_checkpoint(text("checkpoint"), keys)
    except Note as why:
        check.broken("checkpoint", None, str(why))
    about = {}
    try:
        about = json.loads(text("query.json"))
        about = about if isinstance(about, dict) else {}
    except ValueError:
        check.broken("query", None, "`query.json` cannot be read")
    is_range, lines, before, seqs = about.get("kind") == "range", files.get("records.ndjson", b"").split(b"\n"), None, []
    if lines.pop() != b"":
        check.broken("form", None, "the last record does not end its line")
    for n, line in enumerate(lines):
        value = parse(line)
        if value is None:
            check.broken("form", before[0] + 1 if before else None, "it is not canonical JSON")
            continue
        seq, leaf = value.get("seq"), hashlib.sha256(b"\0" + line).digest()
        seq = seq if isinstance(seq, int) and not isinstance(seq, bool) and seq >= 0 else 2 ** 62
        if before is not None:
            if is_range and value.get("prev") != before[1]:
                check.broken("link", seq, "it is not linked to the record before it")
            if seq <= before[0] or is_range and seq != before[0] + 1:
                check.broken("gap", seq, "it does not follow the record before it")
        if not is_range or n == len(lines) - 1:
            proof = parse_proof(text("proofs/%d.tlog-proof" % seq))
            if (proof is None or proof[0] != seq or proof[2] != text("checkpoint")
                    or not includes(root, size, seq, leaf, proof[1])):
                check.broken("proof", seq, "its proof does not lead to the checkpoint")
        if value.get("log") != origin:
            check.broken("checkpoint", seq, "the checkpoint is of another log")
        before = (seq, leaf.hex())
        seqs.append(seq)
    said = {"kind": "range" if is_range else "selected", "complete": is_range, "records": len(seqs),
            "from": seqs[0] if seqs else None, "to": seqs[-1] if seqs else None, "log": origin, "checkpoint_size": size}
    if any(about.get(name) != value or type(about.get(name)) is not type(value) for name, value in said.items()):
        check.broken("query", None, "`query.json` says something else than the bundle holds")
    ok = not check.breaks
    return {"ok": ok, "kind": about.get("kind"), "complete": ok and is_range, "records": len(seqs), "log": origin,
            "size": size, "signed_by": [key[0] for key in signed], "own_keys": own_keys, "breaks": check.breaks}


def arguments(given):
    options, paths, rest = {"keys": [], "checkpoints": [], "anchors": [], "segments": None}, [], list(given)
    while rest:
        word = rest.pop(0)
        if word in ("--vkey", "--checkpoint", "--anchors", "--segments") and rest:
            value = rest.pop(0)
            if word == "--vkey":
                text = open(value, encoding="utf-8").read() if os.path.isfile(value) else value
                options["keys"].extend(parse_keys(text))
            elif word == "--segments":
                options["segments"] = value
            else:
                options["checkpoints" if word == "--checkpoint" else "anchors"].append(value)
        elif word.startswith("-") and word != "-":
            return None, None
        else:
            paths.append(word)
    return (paths[0], options) if len(paths) == 1 else (None, None)


def main():
    try:
        path, options = arguments(sys.argv[1:])
        if path is None:
            print(__doc__)
            return 2
        bundle = None if path == "-" else read_bundle(path)
        if path == "-":
            verdict = check_lines(sys.stdin.buffer)
        elif bundle is not None:
            verdict = check_bundle(bundle, options)
        elif path.endswith(".ndjson"):
            with open(path, "rb") as lines:
                verdict = check_lines(lines)
        else:
            folder = path if os.path.isdir(path) else None
            verdict = check_store(os.path.join(path, "audit.db") if folder else path, folder, options)
    except (OSError, sqlite3.Error, Note, UnicodeDecodeError, tarfile.TarError) as error:
        print(json.dumps({"ok": None, "error": str(error)}))
        return 2
    print(json.dumps(verdict))
    if verdict["ok"]:
        return 0
    return 4 if any(b["kind"] == "rollback" for b in verdict["breaks"]) else 1


if __name__ == "__main__":
    sys.exit(main())

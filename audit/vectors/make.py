#!/usr/bin/env python3
"""Makes the vectors beside this file from FORMAT.md alone: golden.ndjson, tampered ones, and expected.json."""

import hashlib
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def encode(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def golden():
    call = "01932b2c-7f00-7000-8000-000000000001"
    bodies = [
        {"kind": "log.genesis", "created_by": "vectors"},
        {"kind": "log.open", "version": "0"},
        {"kind": "call.intent", "call": call, "request": "{\"name\":\"q\",\"arguments\":{\"s\":\"\u00e9\u2028\\n\"}}"},
        {"kind": "call.outcome", "call": call, "status": "ok", "latency_us": 1234, "bytes": 9007199254740991},
        {"kind": "call.denied", "call": "01932b2c-7f00-7000-8000-000000000002", "authz": {"decision": "deny"}},
        {"kind": "auth.failed", "count": 3, "reason": "bad_credential", "source": "127.0.0.1"},
        {"kind": "log.close"},
    ]
    return chain(bodies)


def chain(bodies, prev=bytes(32), seq=0):
    lines = []
    for body in bodies:
        record = dict(body, epoch=0, log="vectors/audit", prev=prev.hex(), seq=seq, t=1795000000000000 + seq, v=1)
        lines.append(encode(record))
        prev = hashlib.sha256(b"\0" + lines[-1]).digest()
        seq += 1
    return lines


def main():
    good = golden()
    half = good[3]
    vectors = {
        "golden": (good, True),
        "edited": (good[:3] + [half.replace(b'"ok"', b'"no"')] + good[4:], False),
        "dropped": (good[:3] + good[4:], False),
        "doubled": (good[:4] + [half] + good[4:], False),
        "swapped": (good[:3] + [good[4], good[3]] + good[5:], False),
        "no-genesis": (good[1:], False),
        "space": (good[:6] + [good[6].replace(b",", b", ", 1)], False),
        "unsorted": (good[:6] + [b'{"v":1,' + good[6][1:].replace(b',"v":1', b"")], False),
        "double-key": (good[:6] + [good[6].replace(b'{"epoch":0', b'{"epoch":0,"epoch":0')], False),
        "float": (good[:6] + [good[6].replace(b'"epoch":0', b'"epoch":0.0')], False),
        "large-integer": (good[:6] + [good[6].replace(b'"epoch":0', b'"epoch":9007199254740992')], False),
        "not-json": (good[:6] + [b"nonsense"], False),
        "empty": ([], False),
        # A chain alone cannot show these two: that is limit N1 of GUARANTEES.md.
        "cut-off": (good[:4], True),
        "written-anew": (chain([{"kind": "log.genesis", "created_by": "forger"}, {"kind": "log.open", "version": "0"}]), True),
    }
    expected = {}
    for name, (lines, ok) in vectors.items():
        with open(os.path.join(HERE, name + ".ndjson"), "wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        expected[name] = ok
    with open(os.path.join(HERE, "expected.json"), "w") as file:
        json.dump(expected, file, indent=2)
        file.write("\n")


main()

"""make_corpus.py FOLDER - writes the corpus of evidence files: NAME.json, NAME.list.json where the trusted list is not list.json, and expected.tsv
(name, verdict: VERIFIED, NO EVENT, LIST where the trusted list is none, or a code of docs/LEDGER-FORMAT.md section 11)."""
import copy, json, pathlib, shutil, sys
from forge import *

RX, PKI = ("prescription", subject_key("prescription", PRESCRIPTION)), Pki()
PAYLOAD, SHA = b'{"rx":1}', sha(b'{"rx":1}').hex()
COMMITMENT = {kind: "urn:oid:1.2.840.10065.1.12.1." + last for kind, last in (("prescribe", "1"), ("review", "5"), ("seal", "14"))}
ACTION = {"prescribe": "RX.sign", "review": "RX.review", "seal": "RX.seal"}
cases = {}


def simple(change=None, bodies=None, width=1 << 20, commit=None, **batch):
    """The key ceremony, three events on the prescription, and a commit entry. `change` alters the last event, `batch` the batch it comes in."""
    log = Log(width)
    log.batch("ca", [log.body("KEY.generate", [("certificate", subject_key("certificate", "0" * 64))], basis="ceremony:sha256:" + "1" * 64)])
    log.batch("sign", bodies or [log.body("RX.claim", [RX], 1), log.body("RX.void", [RX], 2)])
    body = log.body("RX.dispense", [RX, ("institution", subject_key("institution", "urn:mdid:o:01JD000000000000000000000B"))], 3)
    last = batch.pop("last", None)
    if last: last(body)
    log.batch("sign", [batch.pop("raw", None) or body], change, **batch)
    log.commit(commit)
    return log


def trusted(log, **more):
    listed = {"version": 1, "roots": [b64(PKI.der(PKI.root))], "issuers": [b64(PKI.der(PKI.issuing))], "timeStamping": b64(PKI.der(PKI.tsa)),
              "checkpointKeys": [log.vkey(kind, key) for kind, key in log.log_keys], "witnesses": [log.vkey(b"\x04", log.witness, "w.example")], "witnessQuorum": 1,
              "sources": [{"name": name, "batchKey": b64(spki(key))} for name, key in log.batch_keys.items()]}
    listed.update(more)
    return listed


def add(name, file, expected, listed=None):
    assert name not in cases, name
    cases[name] = (file if isinstance(file, bytes) else canonical(file), expected, listed)


def edited(name, expected, edit, base=None):
    file = copy.deepcopy(base or BASE)
    edit(file)
    add(name, file, expected)


def made(name, expected, log=None, edit=None, **more):
    case = Case(log or simple(), **more)
    if edit: edit(case)
    add(name, case.build(), expected)


BASE = Case(simple()).build()


def good():
    add("good-three-events", BASE, "VERIFIED")
    made("good-nothing-on-the-subject", "NO EVENT", identifier="0193a5b0-7c1e-7b52-9f0e-3d1c2b4a5f61")
    made("good-nothing-with-the-key-empty", "NO EVENT", kind="practitioner", identifier="urn:mdid:p:01JD000000000000000000000Z")
    made("good-institution", "VERIFIED", kind="institution", identifier="urn:mdid:o:01JD000000000000000000000B")
    made("good-all-withheld", "VERIFIED", edit=lambda c: c.withheld.update({1, 2, 3}))
    made("good-one-withheld", "VERIFIED", edit=lambda c: c.withheld.add(2))
    made("good-region-national", "VERIFIED", region="000000")
    made("good-case-number", "VERIFIED", case_number="CASE-1")
    for width in (2, 3, 4): made(f"good-volumes-of-{width}", "VERIFIED", log=longer(width))
    log = longer(4)
    made("good-volumes-part-of-the-log", "VERIFIED", log=log, since=time_of(log, 6), until=time_of(log, 11), edit=lambda c: c.period(6, 11))
    log = longer(1 << 20)
    for a, b in ((1, 5), (2, 8), (6, 8), (5, 13), (3, 14)):
        made(f"good-period-{a}-{b}", "VERIFIED", log=(l := longer(1 << 20)), since=time_of(l, a), until=time_of(l, b), edit=lambda c: c.period(a, b))
    made("good-period-open-begin", "VERIFIED", log=(l := longer(1 << 20)), until=time_of(l, 7), edit=lambda c: c.period(0, 7))
    made("good-period-open-end", "VERIFIED", log=(l := longer(1 << 20)), since=time_of(l, 8), edit=lambda c: c.period(8, c.size - 1))
    made("good-period-before-all", "NO EVENT", log=(l := longer(1 << 20)), until=1_000, edit=lambda c: c.period(0, 0))
    made("good-text-of-any-script", "VERIFIED", log=simple(last=lambda b: b.update(reason="阿卜杜·卡迪尔 𠮷 \u00a0\u202e\u2028")))
    made("good-every-optional-member", "VERIFIED", log=simple(last=lambda b: b.update({n: n for n in ("basis", "class", "correlation", "onBehalfOf", "permitNo", "purpose", "reason", "ruleVersion")})))
    for outcome in ("refused", "failed"): made("good-outcome-" + outcome, "VERIFIED", log=simple(last=lambda b: b.update(outcome=outcome)))
    made("good-64-subjects", "VERIFIED", log=simple(last=lambda b: b.update(subjects=[subject_of(RX)] + [{"key": url(sha(num(i))), "kind": "client"} for i in range(63)])))
    made("good-subject-twice", "VERIFIED", log=simple(last=lambda b: b.update(subjects=[subject_of(RX), subject_of(RX)])))
    made("good-longest-text", "VERIFIED", log=simple(last=lambda b: b.update(reason="x" * 256)))
    made("good-later-epoch", "VERIFIED", log=simple(epoch=2, first=1))
    made("good-later-epoch-without-link", "VERIFIED", log=simple(epoch=2, first=1, prev=bytes(32)))
    made("good-gap-in-numbers", "VERIFIED", log=simple(gap=3, prev=sha(b"other")))
    made("good-patient", "VERIFIED", log=(l := patients()), kind="patient", identifier=None, key=sha(b"patient"))
    made("good-opened", "VERIFIED", log=patients(), kind="patient", identifier=None, key=sha(b"patient"), case_number="C-1", edit=lambda c: c.openings.append({"index": 1, "dataKey": b64(sha(b"data"))}))
    made("good-anchored", "VERIFIED", edit=anchored())


def subject_of(pair): return {"key": url(pair[1]), "kind": pair[0]}
def time_of(log, index):     # of the first event there or behind
    leaf = next(leaf for leaf in log.leaves[index:] if leaf[:1] == b"\x01")
    at = 2 + 32 * leaf[1]
    return int.from_bytes(leaf[at:at + 8], "big")


def longer(width):
    log = Log(width)
    log.batch("ca", [log.body("KEY.generate", [("certificate", subject_key("certificate", "0" * 64))], basis="ceremony:sha256:" + "1" * 64)])
    other = ("prescription", subject_key("prescription", "0193a5b0-7c1e-7b52-9f0e-3d1c2b4a5fff"))
    for turn in range(5):
        log.batch("sign", [log.body("RX.claim", [RX], 10 * turn + 1), log.body("RX.claim", [other], 10 * turn + 2)])
        log.commit()
    return log


def patients():
    log = Log()
    log.batch("ca", [log.body("KEY.generate", [("certificate", subject_key("certificate", "0" * 64))], basis="ceremony:sha256:" + "1" * 64)])
    body = log.body("AUTH.login", [("patient", sha(b"patient"))])
    body["sealed"] = url(b"n" * 12 + AESGCM(sha(b"data")).encrypt(b"n" * 12, "姓名 张某".encode(), body["id"].encode()))
    log.batch("sign", [body, log.body("AUTH.login", [("patient", sha(b"patient"))])])
    log.commit()
    return log


def anchored(note=None, stamp=None, consistency_=None):
    def edit(case):
        text = note(case) if note else case.log.note(case.size)
        case.anchor = {"checkpoint": text, "consistency": consistency_(case) if consistency_ else [], "token": b64(stamp(text) if stamp else PKI.stamp(text.encode()))}
    return edit


def structure():
    """Members that are missing, there too much or of another type: everywhere in the file."""
    rich = Case(longer(1 << 20))
    rich.since, rich.until = time_of(rich.log, 6), time_of(rich.log, 11)
    rich.period(6, 11)
    anchored()(rich)
    rich = rich.build()
    seen = set()
    def walk(value, path):
        place = "-".join("n" if isinstance(p, int) else p for p in path) or "file"
        if place in seen: return
        seen.add(place)
        def at(file):
            for step in path: file = file[step]
            return file
        def put(new):
            def edit(file):
                holder = file
                for step in path[:-1]: holder = holder[step]
                holder[path[-1]] = new
            return edit
        if isinstance(value, dict) and path[-1:] != ("batchKeys",):
            edited(f"member-added-{place}", "malformed-file", lambda f: at(f).update(zz=1), rich)
            for name in list(value): edited(f"member-missing-{place}-{name}", "malformed-file", lambda f: at(f).pop(name), rich)
        if path:
            for word, new in (("number", -1), ("text", "\u00e9"), ("object", {"a": 1})):
                same = word == "text" and (isinstance(value, str) or path[-1] == "caseNumber")
                if not same: edited(f"type-{place}-{word}", "malformed-file", put(new), rich)
        for step, inner in (value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()): walk(inner, path + (step,))
    walk(rich, ())
    add("json-empty", b"", "malformed-file")
    add("json-array", b"[]", "malformed-file")
    add("json-deep", b"[" * 100_000, "malformed-file")
    add("json-member-twice", canonical(BASE).replace(b'"anchor":null', b'"anchor":null,"anchor":null'), "malformed-file")
    add("json-byte-order-mark", b"\xef\xbb\xbf" + canonical(BASE), "malformed-file")
    add("json-not-utf8", canonical(BASE).replace(b'"anchor":null', b'"anchor":"\xff"'), "malformed-file")
    add("json-lone-surrogate", canonical(BASE).replace(b'"region":"510000"', b'"region":"\\ud800"'), "malformed-file")
    add("json-trailing", canonical(BASE) + b"{}", "malformed-file")
    add("json-infinite-number", canonical(BASE).replace(b'"from":0', b'"from":1e400'), "malformed-file")
    add("json-large-number", canonical(BASE).replace(b'"from":0', b'"from":9007199254740992'), "malformed-file")
    add("json-fraction", canonical(BASE).replace(b'"from":0', b'"from":0.0'), "malformed-file")
    add("json-exponent", canonical(BASE).replace(b'"from":0', b'"from":0e0'), "malformed-file")
    add("spelling-white-space", canonical(BASE) + b"\n", "not-canonical")
    add("spelling-escape", canonical(BASE).replace(b'"region":"510000"', b'"region":"\\u0035\\u0031\\u0030000"'), "not-canonical")
    add("spelling-order", json.dumps(BASE, ensure_ascii=False, separators=(",", ":")).encode(), "not-canonical")
    add("spelling-minus-zero", canonical(BASE).replace(b'"from":0', b'"from":-0'), "not-canonical")
    edited("format-older", "unknown-format", lambda f: f.update(format="trust.evidence.v4"))
    edited("format-older-and-a-bad-type", "unknown-format", lambda f: f.update(format="trust.evidence.v4", events=1))
    for name, edit in {"signature-63-bytes": lambda f: f["events"][0]["batch"].update(signature=b64(bytes(63))), "tail-1025": lambda f: f["events"][0]["batch"].update(tail=[b64(bytes(32))] * 1025),
                       "proof-65": lambda f: f["events"][0].update(proof=[b64(bytes(32))] * 65), "hash-31-bytes": lambda f: f["tree"].update(root=b64(bytes(31))),
                       "base64-spare-bits": lambda f: f["tree"].update(root=f["tree"]["root"][:-2] + "B="), "base64-white-space": lambda f: f["tree"].update(root=f["tree"]["root"] + "\n"),
                       "base64url": lambda f: f.update(completeness="_-8="), "time-without-fraction": lambda f: f["question"].update({"from": "2026-01-01T00:00:00Z"}),
                       "time-31-february": lambda f: f["question"].update({"from": "2026-02-31T00:00:00.000000Z"}), "time-other-digits": lambda f: f["question"].update({"from": "２026-01-01T00:00:00.000000Z"}),
                       "policy-65-witnesses": lambda f: f["policy"].update(witnessKeys=["x"] * 65), "batch-keys-none": lambda f: f["policy"]["batchKeys"].update(ca=[]),
                       "batch-keys-65": lambda f: f["policy"]["batchKeys"].update(ca=["AAAA"] * 65), "data-key-31-bytes": lambda f: f["openings"].append({"index": 1, "dataKey": b64(bytes(31))}),
                       "attachments-empty": lambda f: f.update(attachments={}), "attachments-signatures-33": lambda f: f.update(attachments={"prescription": PRESCRIPTION, "payload": "", "signatures": [{}] * 33})}.items():
        edited("shape-" + name, "malformed-file", edit)


def questions():
    for name, new in {"identifier": {"identifier": "other"}, "key": {"key": b64(bytes(32))}, "kind": {"kind": "practitioner"}, "kind-upper-case": {"kind": "Prescription"}, "kind-empty": {"kind": ""},
                      "kind-long": {"kind": "a" * 33}, "identifier-null": {"identifier": None}, "identifier-empty": {"identifier": ""}, "identifier-long": {"identifier": "x" * 1025},
                      "patient-with-identifier": {"kind": "patient"}}.items():
        edited("question-" + name, "question-key", lambda f: f["question"].update(new))
    for name, new in {"region": {"region": "110000"}, "case": {"caseNumber": "C"}}.items(): edited("given-another-" + name, "file-not-logged", lambda f: f["question"].update(new))


def policies():
    edited("policy-unknown-log-key", "key-not-trusted", lambda f: f["policy"]["checkpointKeys"].append("x+00000000+AQ=="))
    edited("policy-log-key-missing", "key-missing", lambda f: f["policy"]["checkpointKeys"].pop())
    edited("policy-log-key-twice", "key-missing", lambda f: f["policy"]["checkpointKeys"].append(f["policy"]["checkpointKeys"][0]))
    edited("policy-no-log-key", "key-missing", lambda f: f["policy"].update(checkpointKeys=[]))
    edited("policy-batch-key-of-another", "key-not-trusted", lambda f: f["policy"]["batchKeys"].update(sign=f["policy"]["batchKeys"]["ca"]))
    edited("policy-source-unknown", "key-not-trusted", lambda f: f["policy"]["batchKeys"].update(other=f["policy"]["batchKeys"]["ca"]))
    edited("policy-source-missing", "key-not-trusted", lambda f: f["policy"]["batchKeys"].pop("sign"))
    edited("policy-quorum-0", "witness-policy", lambda f: f["policy"].update(witnessQuorum=0))
    edited("policy-no-witness", "witness-policy", lambda f: f["policy"].update(witnessKeys=[]))
    edited("policy-witness-twice", "witness-policy", lambda f: f["policy"]["witnessKeys"].append(f["policy"]["witnessKeys"][0]))


def notes():
    log = simple()
    note, size = BASE["checkpoint"], len(log.leaves)
    text = note.split("\n\n")[0] + "\n"
    for name, new in {"empty": "", "one-blank-line": "\n\n", "text-alone": text, "no-lines": text + "\n", "ends-in-a-blank-line": note + "\n", "no-last-newline": note[:-1],
                      "size-0-in-front": note.replace(f"\n{size}\n", f"\n0{size}\n"), "size-signed": note.replace(f"\n{size}\n", f"\n+{size}\n"), "size-2-63": note.replace(f"\n{size}\n", f"\n{1 << 63}\n"),
                      "size-20-digits": note.replace(f"\n{size}\n", "\n18446744073709551615\n"), "size-other-digits": note.replace(f"\n{size}\n", "\n５\n"), "fourth-line": note.replace("\n\n", "\nmore\n\n"),
                      "origin-empty": note.replace("log.example\n", "\n", 1), "carriage-returns": note.replace("\n", "\r\n"), "dash": note.replace("—", "-"), "two-spaces": note.replace("— log", "—  log", 1),
                      "signature-of-four-bytes": note.replace(note.split(" ")[2].split("\n")[0], "AAAAAA=="), "signature-no-base64": note.replace(note.split(" ")[2].split("\n")[0], "!"),
                      "root-31-bytes": note.replace(text.split("\n")[2], b64(bytes(31)))}.items():
        edited("note-" + name, "checkpoint-malformed", lambda f: f.update(checkpoint=new))
    def lines(change): return lambda f: f.update(checkpoint=log_of().note(size, lines=change))
    def log_of(): return simple()
    edited("note-line-missing", "checkpoint-signature", lines(lambda l: l[1:]))
    edited("note-line-twice", "checkpoint-signature", lines(lambda l: l + l[:1]))
    edited("note-line-of-a-stranger", "checkpoint-signature", lines(lambda l: l + ["— x.example " + b64(bytes(68))]))
    edited("note-line-bad", "checkpoint-signature", lines(lambda l: [l[0], l[1][:-8] + "AAAAAAA="] + l[2:]))
    edited("note-cosignature-bad", "checkpoint-signature", lines(lambda l: l[:2] + [l[2][:-6] + "AAAAA="]))
    edited("note-no-cosignature", "witness-quorum", lines(lambda l: l[:2]))
    edited("note-order-of-lines", "file-not-logged", lines(lambda l: l[::-1]))
    edited("note-other-text", "checkpoint-signature", lambda f: f.update(checkpoint=note.replace(text.split("\n")[2], b64(bytes(32)))))
    edited("note-other-origin", "checkpoint-signature", lambda f: f.update(checkpoint=simple().note(size, origin="log.elsewhere")))
    edited("note-other-root", "checkpoint-size", lambda f: f.update(checkpoint=simple().note(size, text=f"{ORIGIN}\n{size}\n{b64(bytes(32))}\n")))
    edited("note-smaller", "checkpoint-size", lambda f: f.update(checkpoint=simple().note(size - 1)))
    edited("note-size-0-asked", "checkpoint-size", lambda f: f["question"].update(size=0))
    for name, time in {"year-10000": 253_402_300_800, "2-63": 1 << 63}.items(): edited("note-cosigned-in-" + name, "checkpoint-signature", lambda f: f.update(checkpoint=simple().note(size, time=time)))
    edited("tree-root", "checkpoint-size", lambda f: f["tree"].update(root=b64(bytes(32))))
    edited("tree-consistency", "checkpoint-size", lambda f: f["tree"].update(consistency=[b64(bytes(32))]))
    made("vkey-name-is-a-prefix", "checkpoint-signature", edit=lambda c: c.mutate_file.append(lambda f: f.update(checkpoint=c.log.note(c.size, origin="log.example+1"))))


def proofs():
    def flipped(at): return lambda p: p[:at] + bytes([p[at] ^ 1]) + p[at + 1:]
    for name, change in {"empty": lambda p: b"", "other-name": lambda p: b"SIX1" + p[4:], "cut": lambda p: p[:-1], "more": lambda p: p + b"\0", "too-long": lambda p: p + bytes(9),
                         "size-2-63": lambda p: p[:4] + num(1 << 63) + p[12:], "65-hashes": lambda p: p[:113] + b"\x41" + bytes(65 * 32) + p[114 + 32 * p[113]:]}.items():
        made("proof-" + name, "completeness-malformed", edit=lambda c: setattr(c, "mutate_proof", change))
    for name, at in {"size": 11, "commit-trie": 50, "commit-sealed": 100, "commit-covered": 40, "commit-map": 16, "path": 114}.items():
        made("proof-flipped-" + name, "completeness", edit=lambda c: setattr(c, "mutate_proof", flipped(at)))
    for name, change in {"type": {"type": 3}, "map": {"map": 3}, "volume-without-start": {"volume": 1}, "start": {"start": 2}, "covered": {"covered": 3}, "trie": {"trie": bytes(32)}, "sealed": {"sealed": bytes(32)}, "volume-2-63": {"volume": 1 << 63}}.items():
        made("commit-" + name, "completeness", log=simple(commit=lambda p: p.update(change)))
    made("proof-first-posting-left-out", "completeness", edit=lambda c: setattr(c, "drop", lambda first, last: (first + 1, last)))
    made("proof-last-posting-left-out", "completeness", edit=lambda c: setattr(c, "drop", lambda first, last: (first, last - 1)))
    made("proof-two-neighbours", "completeness", log=(l := longer(1 << 20)), since=time_of(l, 8), until=time_of(l, 11), edit=lambda c: (c.period(8, 11), setattr(c, "drop", lambda first, last: (max(0, first - 1), last))))
    for number in (0, 1, 2):
        edited(f"event-left-out-{number}", "event-missing", lambda f: f["events"].pop(number))
        edited(f"event-altered-{number}", "event-altered", lambda f: f["events"][number].update(leaf=b64(base64.b64decode(f["events"][number]["leaf"])[:-1] + b"!")))
        edited(f"event-other-proof-{number}", "event-altered", lambda f: f["events"][number].update(proof=[]))
    edited("event-moved", "event-reordered", lambda f: f["events"].insert(0, f["events"].pop()))
    edited("event-twice", "event-reordered", lambda f: f["events"].append(f["events"][2]))
    edited("event-added", "event-not-listed", lambda f: f["events"].append({"index": 0, "leafHash": b64(bytes(32)), "proof": []}))
    edited("event-index", "event-missing", lambda f: f["events"][1].update(index=0))


def put(*path):
    """An edit that sets the member at the end of the path, whose last part is its value."""
    *steps, name, value = path
    def edit(item):
        for step in steps: item = item[step]
        item[name] = value
    return edit


def cut(*path):
    *steps, name = path
    def edit(item):
        for step in steps: item = item[step]
        item.pop(name)
    return edit


def bodies():
    bad = {}
    for word, value in {"nul": "a\0", "escape": "a\x1b[2K", "newline": "a\nb", "delete": "a\x7f", "c1": "a\x9b2K", "nel": "a\x85b", "quote": 'a"b', "backslash": "a\\b", "empty": "", "long": "x" * 257, "long-in-bytes": "药" * 86, "number": 1, "null": None}.items():
        for name in ("action", "basis", "class", "correlation", "onBehalfOf", "permitNo", "purpose", "reason", "ruleVersion"):
            if name in ("action", "reason", "basis") or word in ("c1", "empty"): bad[f"{name}-{word}"] = put(name, value)
        for name in ("institution", "role", "subject"):
            if word in ("c1", "empty", "null"): bad[f"actor-{name}-{word}"] = put("actor", name, value)
        if word in ("c1", "empty", "null"): bad["node-" + word] = put("where", "node", value)
    fixed = {
        "certificate": (("actor", "certificate"), {"upper": "A" * 64, "short": "a" * 63, "no-hex": "g" * 64, "null": None}),
        "region": (("where", "region"), {"letters": "sichua", "short": "51000", "long": "5100000", "number": 510000, "other-digits": "５10000", "null": None}),
        "id": (("id",), {"version-4": "0193a5b0-0000-4000-8000-000000000003", "variant-c": "0193a5b0-0000-7000-c000-000000000003", "upper": "0193A5B0-0000-7000-8000-000000000003",
                         "bare": "0193a5b0000070008000000000000003", "null": None, "newline": "0193a5b0-0000-7000-8000-000000000003\n"}),
        "outcome": (("outcome",), {"other": "maybe", "upper": "Success", "true": True}),
        "salt": (("salt",), {"15-bytes": url(bytes(15)), "17-bytes": url(bytes(17)), "padded": url(bytes(16)) + "==", "spare-bits": "A" * 21 + "B", "null": None}),
        "sealed": (("sealed",), {"short": url(bytes(27)), "long": url(bytes(28 + 4097)), "number": 1, "object": {}, "null": None, "base64": "+/+/" * 10}),
        "time": (("time",), {"no-fraction": "2026-09-01T00:00:00Z", "offset": "2026-09-01T00:00:00.000000+00:00", "30-february": "2026-02-30T00:00:00.000000Z",
                             "24-hours": "2026-09-01T24:00:00.000000Z", "year-0": "0000-01-01T00:00:00.000000Z", "other-digits": "２026-09-01T00:00:00.000000Z", "null": None}),
        "version": (("v",), {"2": 2, "text": "1", "true": True, "null": None})}
    for name, (path, values) in fixed.items():
        for word, value in values.items(): bad[f"{name}-{word}"] = put(*path, value)
    for name in ("action", "actor", "id", "outcome", "salt", "time", "v", "where"): bad["without-" + name] = cut(name)
    for name in ("node", "region"): bad["where-without-" + name] = cut("where", name)
    bad["actor-without-subject"] = cut("actor", "subject")
    for name, path in {"actor-more": ("actor", "name", "x"), "where-more": ("where", "name", "x"), "more": ("zz", "x"), "subjects-more": ("subjects", 1, "name", "x")}.items(): bad[name] = put(*path)
    for word, value in {"upper": "Client", "empty": "", "long": "a" * 33, "number": 1}.items(): bad["subjects-kind-" + word] = put("subjects", 1, "kind", value)
    bad["subjects-no-kind"] = cut("subjects", 1, "kind")
    bad["subjects-65"] = lambda b: b["subjects"].extend({"key": url(sha(num(i))), "kind": "client"} for i in range(63))
    for name, change in bad.items(): made("body-" + name, "body-malformed", log=simple(last=change))
    body = canonical(simple().body("RX.dispense", [RX], 3))
    for name, raw in {"white-space": body.replace(b",", b", ", 1), "escape": body.replace(b"RX.d", b"RX\\u002ed"), "order": b'{"v":1,' + body[1:].replace(b',"v":1', b""), "member-twice": b'{"action":"A.b",' + body[1:], "array": b"[]", "not-utf8": body.replace(b"node-1", b"node-\xff"), "too-long": body[:-1] + b" " * 8200 + b"}"}.items():
        keys = [RX[1]]
        made("body-spelling-" + name, "body-malformed", log=simple(raw=raw, change=lambda place, p: p.update(keys=keys)))


def leaves():
    for name, (expected, change) in {
            "type-4": ("leaf-type", {"type": b"\x04"}), "more": ("leaf-malformed", {"more": b"x"}), "time-year-10000": ("leaf-malformed", {"time": 253_402_300_800_000_000}), "time-2-63": ("leaf-malformed", {"time": 1 << 63}),
            "prefix": ("envelope-malformed", {"prefix": b"trust.envelope.v2\n"}), "source-empty": ("envelope-malformed", {"source": b""}), "source-utf8": ("envelope-malformed", {"source": "é".encode()}),
            "source-byte": ("envelope-malformed", {"source": b"\x80"}), "source-space": ("envelope-malformed", {"source": b"si gn"}), "seq-0": ("envelope-malformed", {"seq": 0}), "seq-2-63": ("envelope-malformed", {"seq": 1 << 63}),
            "epoch-2-63": ("envelope-malformed", {"epoch": 1 << 63}), "source-unknown": ("key-not-trusted", {"source": b"other"}), "body-hash": ("body-hash", {"digest": bytes(32)}),
            "keys-none": ("subject-keys", {"keys": []}), "keys-more": ("subject-keys", {"keys": sorted([RX[1], bytes(32), subject_key("institution", "urn:mdid:o:01JD000000000000000000000B")])}),
            "keys-unsorted": ("subject-keys", {"keys": sorted([RX[1], subject_key("institution", "urn:mdid:o:01JD000000000000000000000B")], reverse=True)}),
            "time-falls": ("time-falls", {"time": START})}.items():
        log = simple(change=lambda place, p: p.update(change))
        if name == "keys-none": log.live.add(3, log.hashes[3], [RX[1]]); log.leaves.pop(); log.hashes.pop(); log.info.pop(); log.commit()
        made("leaf-" + name, expected, log=log)
    for name, (expected, more) in {"signed-other": ("batch-signature", {"signed": False}), "key-of-another": ("batch-signature", {"key": p256("batch ca")}), "numbers-back": ("source-order", {"first": 1}),
                                   "epoch-back": ("source-order", {"epoch": 0}), "chain-broken": ("source-chain", {"prev": bytes(32)}), "chain-over-a-gap": ("source-chain", {"gap": 2}), "epoch-opens-at-2": ("VERIFIED", {"epoch": 2, "first": 2, "prev": bytes(32)})}.items():
        made("chain-" + name, expected, log=simple(**more))
    for name, new in {"count-0": {"count": 0}, "count-1025": {"count": 1025}, "first-0": {"firstSeq": 0}, "first-later": {"firstSeq": 9}, "tail-more": {"tail": [b64(bytes(32))]}}.items():
        edited("batch-" + name, "batch-shape", lambda f: f["events"][2]["batch"].update(new))
    edited("batch-of-another", "batch-signature", lambda f: f["events"][2]["batch"].update(signature=f["events"][0]["batch"]["signature"]))


def actors():
    person, other = "urn:mdid:p:01JD000000000000000000000A", {"subject": "his-example", "institution": "urn:mdid:o:01JD000000000000000000000B"}
    subjects = [RX[1], subject_key("institution", "urn:mdid:o:01JD000000000000000000000B")]
    def born(change=None, commit=None, last=None, aged=False):
        """A log that knows actors from its first event on or, aged, from its fourth."""
        log = Log(actors=not aged)
        log.batch("ca", [log.body("KEY.generate", [("certificate", subject_key("certificate", "0" * 64))], basis="ceremony:sha256:" + "1" * 64)])
        log.batch("sign", [log.body("RX.claim", [RX], 1), log.body("RX.void", [RX], 2, actor=other)])
        log.type = b"\x03"
        body = log.body("RX.dispense", [RX, ("institution", subjects[1])], 3)
        if last: last(body)
        log.batch("sign", [body], change)
        log.batch("sign", [log.body("RX.claim", [RX], 4)])
        log.commit(commit)
        return log
    made("actor-born-prescription", "VERIFIED", log=born())
    made("actor-born", "VERIFIED", log=born(), kind="actor", identifier=person)
    made("actor-born-client", "VERIFIED", log=born(), kind="actor", identifier="his-example")
    made("actor-born-stranger", "NO EVENT", log=born(), kind="actor", identifier="his-other")
    made("actor-left-out", "subject-keys", log=born(lambda place, p: p.update(keys=sorted(subjects))))
    made("actor-of-another", "subject-keys", log=born(lambda place, p: p.update(keys=sorted(subjects + [subject_key("actor", "his-example")]))))
    made("actor-more", "subject-keys", log=born(lambda place, p: p.update(keys=sorted(subjects + [subject_key("actor", person), subject_key("actor", "his-example")]))))
    made("actor-key-asked-of-another", "question-key", log=born(), kind="actor", identifier=person, key=subject_key("actor", "his-example"))
    made("actor-type-1-in-a-born-log", "leaf-type", log=born(lambda place, p: p.update(type=b"\x01")))
    made("actor-type-1-behind-3", "leaf-type", log=back_to_1())
    made("actor-map-2-over-old-leaves", "leaf-type", log=simple(commit=lambda p: p.update(map=2)))
    made("actor-map-3", "completeness", log=born(commit=lambda p: p.update(map=3)))
    made("actor-aged-prescription", "VERIFIED", log=born(aged=True))
    made("actor-aged-from-the-first-known", "VERIFIED", log=born(aged=True), kind="actor", identifier=person, edit=lambda c: c.period(4, 5))
    made("actor-aged-before-knows-none", "period", log=born(aged=True), kind="actor", identifier=person, edit=lambda c: c.period(3, 5))
    made("actor-aged-whole", "period", log=born(aged=True), kind="actor", identifier=person)


def back_to_1():
    log = Log()
    log.batch("ca", [log.body("KEY.generate", [("certificate", subject_key("certificate", "0" * 64))], basis="ceremony:sha256:" + "1" * 64)])
    for n, kind in ((1, b"\x03"), (2, b"\x01")): log.batch("sign", [log.body("RX.claim", [RX], n)], lambda place, p: p.update(type=kind))
    log.commit()
    return log


def periods():
    def of(a, b, since, until, name, expected, edit=None):
        log = longer(1 << 20)
        def change(case):
            case.period(a, b)
            if edit: edit(case)
        made("period-" + name, expected, log=log, since=since and time_of(log, since), until=until and time_of(log, until), edit=change)
    of(6, 11, 3, 11, "begins-too-late", "period")
    of(6, 11, 6, 13, "ends-too-early", "period")
    of(6, 11, None, 11, "open-begin-and-a-range", "period")
    of(6, 11, 6, None, "open-end-and-a-range", "period")
    of(6, 11, 6, 11, "without-before", "period", lambda c: setattr(c, "before", None))
    of(6, 11, 6, 11, "without-after", "period", lambda c: setattr(c, "after", None))
    of(6, 11, 6, 11, "before-of-another-place", "period", lambda c: setattr(c, "before", c.end(1)))
    of(6, 11, 6, 11, "after-of-another-place", "period", lambda c: setattr(c, "after", c.end(13)))
    of(3, 11, 3, 11, "before-of-the-first-event", "period", lambda c: setattr(c, "before", c.end(1)))
    of(4, 11, 4, 11, "before-is-no-event", "leaf-type")
    of(0, 11, 1, 11, "before-where-nothing-is", "period", lambda c: setattr(c, "before", c.end(0)))
    for name, opening, case in (("without-case", {"index": 1, "dataKey": b64(sha(b"data"))}, None), ("other-key", {"index": 1, "dataKey": b64(bytes(32))}, "C"), ("of-nothing-sealed", {"index": 2, "dataKey": b64(bytes(32))}, "C"), ("of-no-event", {"index": 9, "dataKey": b64(bytes(32))}, "C")):
        made("opening-" + name, "opening", log=patients(), kind="patient", identifier=None, key=sha(b"patient"), case_number=case, edit=lambda c: c.openings.append(opening))
    made("opening-twice", "opening", log=patients(), kind="patient", identifier=None, key=sha(b"patient"), case_number="C", edit=lambda c: c.openings.extend([{"index": 1, "dataKey": b64(sha(b"data"))}] * 2))


def queries():
    for name, (expected, change) in {"action": ("query-event", {"action": "REG.read"}), "outcome": ("query-event", {"outcome": "refused"}), "source": ("query-event", {"source": "ca"}), "basis": ("file-not-logged", {"basis": "query:sha256:" + "0" * 64}),
                                     "other-subject": ("other-subject", {"subjects": [("prescription", bytes(32))]}), "body": ("body-malformed", {"reason": "a\x9b"})}.items():
        made("query-" + name, expected, edit=lambda c: c.mutate_query.update(change))
    edited("query-consistency", "query-event", lambda f: f["query"].update(consistency=[]))
    edited("query-index", "query-event", lambda f: f["query"].update(index=1))
    edited("query-proof", "query-event", lambda f: f["query"].update(proof=[]))
    edited("query-checkpoint", "query-event", lambda f: f["query"].update(checkpoint=f["checkpoint"]))
    edited("query-checkpoint-form", "checkpoint-malformed", lambda f: f["query"].update(checkpoint="x\n\n"))
    made("anchor-not-the-log", "anchor", edit=anchored(note=lambda c: c.log.note(c.size, text=f"{ORIGIN}\n{c.size}\n{b64(bytes(32))}\n")))
    made("anchor-larger", "anchor", edit=anchored(note=lambda c: c.log.note(c.size, text=f"{ORIGIN}\n{c.size + 1}\n{b64(bytes(32))}\n")))
    made("anchor-of-nothing", "anchor", edit=anchored(note=lambda c: c.log.note(c.size, text=f"{ORIGIN}\n0\n{b64(sha())}\n")))
    made("anchor-of-other-bytes", "anchor", edit=anchored(stamp=lambda text: PKI.stamp(b"other")))
    made("anchor-no-token", "anchor", edit=anchored(stamp=lambda text: b"x"))
    made("anchor-of-a-stranger", "anchor", edit=anchored(stamp=lambda text: PKI.stamp(text.encode(), PKI.issue("Stranger", p256("stranger"), PKI.issue("Strange root", p256("strange root"), None, ca=True), eku=[ExtendedKeyUsageOID.TIME_STAMPING], usage="digital_signature"))))
    made("anchor-note-form", "checkpoint-malformed", edit=anchored(note=lambda c: "x\n\n"))


ACTORS = {"prescribe": "urn:mdid:p:01JD000000000000000000000A", "review": "urn:mdid:p:01JD000000000000000000000C", "seal": "urn:mdid:o:01JD000000000000000000000B"}


class Prescription:
    """Three acts of signing and their signatures; a case changes what it wants before it is made."""
    def __init__(self): self.kinds, self.signers, self.events, self.issued = ["prescribe", "review", "seal"], {}, {}, {}; self.header, self.statement, self.item, self.extra = {}, {}, {}, []; self.tsa = None
    def certificate(self, kind):
        if kind not in self.signers: self.signers[kind] = PKI.issue("Signer " + kind, p256("signer " + kind), PKI.issuing, **self.issued.get(kind, {}))
        return self.signers[kind]
    def make(self):
        signatures, values = [], []
        for kind in self.kinds:
            pair = self.certificate(kind)
            header = {"alg": "ES256", "b64": False, "crit": ["b64", "srCms"], "x5t#S256": url(sha(PKI.der(pair))), "srCms": [{"commId": {"id": COMMITMENT[kind]}}]}
            new = self.header.get(kind, {})
            header = new(header) if callable(new) else dict(header, **new)
            protected = url(header if isinstance(header, bytes) else canonical(header))
            statement = canonical({"payloadSha256": SHA, "signatures": values}) if values else None
            if kind in self.statement: statement = self.statement[kind](values)
            value = url(sign_raw(pair[1], protected.encode() + b"." + (statement if statement is not None else PAYLOAD)))
            item = {"kind": kind, "payload": None if statement is None else b64(statement), "protected": protected, "signature": value, "certificates": [b64(PKI.der(pair)), b64(PKI.der(PKI.issuing))], "timestamp": b64(PKI.stamp(value.encode(), self.tsa))}
            item.update(self.item.get(kind, {}))
            signatures.append(item)
            values = values + [value]
        log = Log()
        log.batch("ca", [log.body("KEY.generate", [("certificate", subject_key("certificate", "0" * 64))], basis="ceremony:sha256:" + "1" * 64)])
        acts = []
        for place, kind in enumerate(["prescribe", "review", "seal"]):
            if self.events.get(kind, 0) is None: continue
            actor = {"certificate": sha(PKI.der(self.certificate(kind))).hex(), "institution": ACTORS["seal"], "subject": ACTORS[kind]}
            body = log.body(ACTION[kind], [RX], place + 1, actor=actor, basis="sha256:" + SHA)
            change = self.events.get(kind)
            if change: change(body)
            acts.append(body)
        for extra in self.extra: acts.insert(extra[0], log.body(extra[1], [RX], 20 + extra[0], basis="sha256:" + SHA))
        if acts: log.batch("sign", acts)
        log.commit()
        case = Case(log)
        case.attachments = {"prescription": PRESCRIPTION, "payload": b64(PAYLOAD), "signatures": signatures}
        return case


def attached(name, expected, change=None, edit=None):
    prescription = Prescription()
    if change: change(prescription)
    case = prescription.make()
    if edit: edit(case)
    add("signed-" + name, case.build(), expected)


def prescriptions():
    attached("good", "VERIFIED")
    attached("good-with-other-events", "VERIFIED", lambda p: p.extra.append((1, "RX.claim")))
    attached("good-denied-in-between", "VERIFIED", lambda p: p.extra.append((2, "SIGN.deny")))
    for count in (0, 1, 2): attached(f"only-{count}", "signature-missing", lambda p: setattr(p, "kinds", p.kinds[:count]))
    attached("good-before-review", "VERIFIED", lambda p: (setattr(p, "kinds", ["prescribe"]), p.events.update(review=None, seal=None)))
    attached("good-before-seal", "VERIFIED", lambda p: (setattr(p, "kinds", ["prescribe", "review"]), p.events.update(seal=None)))
    for kind in ACTION:
        attached(f"{kind}-not-logged", "signer-not-logged", lambda p: p.events.update({kind: None}))
        attached(f"{kind}-refused", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b.update(outcome="refused")}))
        attached(f"{kind}-failed", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b.update(outcome="failed")}))
        attached(f"{kind}-only-denied", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b.update(action="SIGN.deny", outcome="refused")}))
        attached(f"{kind}-only-requested", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b.update(action="SIGN.done")}))
        attached(f"{kind}-by-another-certificate", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b["actor"].update(certificate="a" * 64)}))
        attached(f"{kind}-without-certificate", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b["actor"].pop("certificate")}))
        attached(f"{kind}-of-other-bytes", "signer-not-logged", lambda p: p.events.update({kind: lambda b: b.update(basis="sha256:" + "0" * 64)}))
        other = {"prescribe": "review", "review": "seal", "seal": "prescribe"}[kind]
        attached(f"{kind}-commits-to-{other}", "signature-kind", lambda p: p.header.update({kind: {"srCms": [{"commId": {"id": COMMITMENT[other]}}]}}))
        attached(f"{kind}-mentions-in-a-qualifier", "signature-kind", lambda p: p.header.update({kind: {"srCms": [{"commId": {"id": COMMITMENT[other]}, "commQuals": [COMMITMENT[kind]]}]}}))
        attached(f"{kind}-commits-twice", "signature-kind", lambda p: p.header.update({kind: {"srCms": [{"commId": {"id": COMMITMENT[kind]}}, {"commId": {"id": COMMITMENT[other]}}]}}))
        attached(f"{kind}-given-as-{other}", "signature-kind", lambda p: p.item.update({kind: {"kind": other}}))
        attached(f"{kind}-statement-of-others", "signature-statement", lambda p: p.statement.update({kind: lambda v: canonical({"payloadSha256": SHA, "signatures": ["x"]})}))
        attached(f"{kind}-timestamp-of-other", "time-stamp", lambda p: p.item.update({kind: {"timestamp": b64(PKI.stamp(b"other"))}}))
        attached(f"{kind}-expired-before", "signature-chain", lambda p: p.issued.update({kind: {"days": (-600, -500)}}))
        attached(f"{kind}-login-certificate", "signature-chain", lambda p: p.issued.update({kind: {"eku": [ExtendedKeyUsageOID.CLIENT_AUTH]}}))
        attached(f"{kind}-may-not-sign", "signature-chain", lambda p: p.issued.update({kind: {"usage": "key_agreement"}}))
        attached(f"{kind}-value", "signature-value", lambda p: p.item.update({kind: {"signature": url(bytes(63) + b"\1")}}))
        attached(f"{kind}-no-certificate", "signature-chain", lambda p: p.item.update({kind: {"certificates": []}}))
        attached(f"{kind}-no-x509", "signature-chain", lambda p: p.item.update({kind: {"certificates": ["AAAA"]}}))
    attached("srcms-a-text", "signature-kind", lambda p: p.header.update(prescribe={"srCms": COMMITMENT["prescribe"]}))
    attached("srcms-a-member-name", "signature-kind", lambda p: p.header.update(prescribe={"srCms": [{"commId": {COMMITMENT["prescribe"]: 1}}]}))
    attached("srcms-escaped", "VERIFIED", lambda p: p.header.update(prescribe=lambda h: canonical(h).replace(b"urn:oid", b"\\u0075rn:oid")))
    attached("one-person-writes-and-reviews", "signer-role", lambda p: p.events.update(review=lambda b: b["actor"].update(subject=ACTORS["prescribe"])))
    attached("seal-by-a-person", "signer-role", lambda p: p.events.update(seal=lambda b: b["actor"].update(subject=ACTORS["review"])))
    attached("seal-without-institution", "signer-role", lambda p: p.events.update(seal=lambda b: b["actor"].pop("institution")))
    attached("written-by-an-institution", "signer-role", lambda p: p.events.update(prescribe=lambda b: b["actor"].update(subject=ACTORS["seal"])))
    attached("second-review-logged", "signature-missing", lambda p: p.extra.append((3, "RX.review")))
    attached("first-act-of-another", "signer-not-logged", lambda p: p.extra.append((0, "RX.sign")))
    attached("nothing-logged", "payload-not-logged", lambda p: p.events.update(prescribe=lambda b: b.pop("basis"), review=lambda b: b.pop("basis"), seal=lambda b: b.pop("basis")))
    for name, new in {"alg": {"alg": "none"}, "b64-true": {"b64": True}, "crit-missing-b64": {"crit": ["srCms"]}, "crit-unknown": {"crit": ["b64", "exp"], "exp": 1}, "crit-absent": {"crit": ["b64", "sigD"]}, "crit-text": {"crit": "b64"}, "jwk": {"jwk": {}}, "jku": {"jku": "http://x"},
                      "x5u": {"x5u": "http://x"}, "x5t": {"x5t#S256": "x"}, "number-large": {"n": 1 << 53}, "number-fraction": {"n": 1.5}, "deep": {"n": [[[[[[[[1]]]]]]]]}, "long": {"n": "x" * 33_000}}.items():
        attached("header-" + name, "signature-header", lambda p: p.header.update(prescribe=new))
    attached("header-number-exponent", "signature-header", lambda p: p.header.update(prescribe=lambda h: canonical(dict(h, n=7)).replace(b'"n":7', b'"n":7e0')))
    attached("header-infinite", "signature-header", lambda p: p.header.update(prescribe=lambda h: canonical(dict(h, n=7)).replace(b'"n":7', b'"n":1e400')))
    attached("header-member-twice", "signature-header", lambda p: p.header.update(prescribe=lambda h: b'{"alg":"ES256",' + canonical(h)[1:]))
    attached("header-white-space", "VERIFIED", lambda p: p.header.update(prescribe=lambda h: canonical(h).replace(b",", b", ")))
    for name, make in {"hash": lambda v: canonical({"payloadSha256": "0" * 64, "signatures": v}), "none": None, "array": lambda v: b"[]", "deep": lambda v: canonical({"payloadSha256": SHA, "signatures": v, "n": [[[[[[[[1]]]]]]]]}), "long": lambda v: canonical({"payloadSha256": SHA, "signatures": v, "n": "x" * 33_000}), "fraction": lambda v: canonical({"payloadSha256": SHA, "signatures": v, "n": 1.5})}.items():
        attached("statement-" + name, "signature-statement", lambda p: p.statement.update(review=make or (lambda v: None)))
    attached("statement-with-more", "VERIFIED", lambda p: p.statement.update(review=lambda v: canonical({"payloadSha256": SHA, "signatures": v, "number": "RX-1", "n": [[1]]})))
    attached("of-another-prescription", "attachment-prescription", edit=lambda c: c.attachments.update(prescription="x"))
    attached("beside-a-withheld-event", "attachment-events", edit=lambda c: c.withheld.add(3))
    attached("of-a-period", "attachment-events", edit=lambda c: setattr(c, "since", START - 10**9))
    attached("certificate-with-digital-signature", "signature-chain", lambda p: p.issued.update(prescribe={"usage": "content_commitment digital_signature"}))
    attached("seal-with-digital-signature", "VERIFIED", lambda p: p.issued.update(seal={"usage": "content_commitment digital_signature"}))
    attached("certificate-without-usage", "signature-chain", lambda p: p.issued.update(prescribe={"key_usage": False}))
    bad = PKI.issue("Without usage", p256("without usage"), PKI.root, ca=True, key_usage=False)
    def issue(p, issuer):
        p.signers["prescribe"] = PKI.issue("Signer prescribe", p256("signer prescribe"), issuer)
        p.item["prescribe"] = {"certificates": [b64(PKI.der(p.signers["prescribe"])), b64(PKI.der(issuer))]}
    attached("issuer-without-usage", "signature-chain", lambda p: issue(p, bad))
    attached("issuer-no-authority", "signature-chain", lambda p: issue(p, PKI.issue("No authority", p256("no authority"), PKI.root, usage="key_cert_sign")))
    attached("issuer-unknown", "signature-chain", lambda p: issue(p, PKI.issue("Strange root", p256("strange"), None, ca=True)))


def lists():
    log = simple()
    for name, new in {"version-2": {"version": 2}, "version-text": {"version": "1"}, "more": {"zz": 1}, "no-roots": {"roots": []}, "roots-null": {"roots": None}, "root-no-certificate": {"roots": ["AAAA"]}, "no-log-keys": {"checkpointKeys": []},
                      "log-key-twice": {"checkpointKeys": [log.vkey(*log.log_keys[0])] * 2}, "log-key-form": {"checkpointKeys": ["x"]}, "log-key-id": {"checkpointKeys": [log.vkey(*log.log_keys[0]).replace("+", "+0", 1)]},
                      "log-key-of-a-witness": {"checkpointKeys": [log.vkey(b"\x04", log.witness)]}, "witness-key-of-a-log": {"witnesses": [log.vkey(*log.log_keys[1])]}, "quorum-0": {"witnessQuorum": 0}, "quorum-too-large": {"witnessQuorum": 2},
                      "quorum-negative": {"witnessQuorum": -1}, "quorum-text": {"witnessQuorum": "1"}, "quorum-without-witnesses": {"witnesses": []}, "witness-twice": {"witnesses": [log.vkey(b"\x04", log.witness, "w.example")] * 2}, "witnesses-null": {"witnesses": None},
                      "sources-more": {"sources": [{"name": "ca", "batchKey": b64(spki(log.batch_keys["ca"])), "zz": 1}]}, "batch-key-form": {"sources": [{"name": "ca", "batchKey": "AAAA"}]}, "batch-key-p384": {"sources": [{"name": "ca", "batchKey": b64(spki(ec.derive_private_key(7, ec.SECP384R1())))}]},
                      "batch-key-twice": {"sources": [{"name": "ca", "batchKey": b64(spki(log.batch_keys["ca"]))}] * 2}, "issuer-no-certificate": {"issuers": ["AAAA"]}}.items():
        add("list-" + name, BASE, "LIST", trusted(log, **new))
    for member in ("version", "roots", "issuers", "checkpointKeys", "witnessQuorum", "sources"):
        add("list-without-" + member, BASE, "LIST", {n: v for n, v in trusted(log).items() if n != member})
    add("list-without-time-stamping", BASE, "VERIFIED", {n: v for n, v in trusted(log).items() if n != "timeStamping"})
    add("list-without-witnesses", BASE, "witness-policy", {n: v for n, v in trusted(log).items() if not n.startswith("witness")})
    two = trusted(log, witnesses=[log.vkey(b"\x04", log.witness, "w.example"), log.vkey(b"\x04", log.witness, "v.example")], witnessQuorum=2)
    add("list-one-key-under-two-names", dict(BASE, policy=dict(BASE["policy"], witnessKeys=two["witnesses"], witnessQuorum=2)), "witness-quorum", two)


def main(folder):
    for make in (good, structure, questions, policies, notes, proofs, bodies, leaves, actors, periods, queries, prescriptions, lists): make()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "list.json").write_bytes(canonical(trusted(simple())))
    for name, (file, _, listed) in cases.items():
        (folder / (name + ".json")).write_bytes(file)
        if listed is not None: (folder / (name + ".list.json")).write_bytes(canonical(listed))
    (folder / "expected.tsv").write_text("".join(f"{name}\t{expected}\n" for name, (_, expected, _) in sorted(cases.items())))
    print(len(cases), "files")


if __name__ == "__main__": main(pathlib.Path(sys.argv[1]))

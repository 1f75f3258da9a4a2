#!/usr/bin/env python3
"""Second verifier of Trust evidence files, written from docs/LEDGER-FORMAT.md alone.
trust_verify.py EVIDENCE TRUSTED_LIST prints VERIFIED … or REFUSED [code] #index, with the codes of `trust verify`, and exits with 0, 1, or
2 when a file cannot be read. The openssl command judges time-stamps and certificate chains; SM2 lines are counted, not judged.
"""
import base64, datetime, hashlib, json, pathlib, re, struct, subprocess, sys, tempfile
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
MAX_BYTES, MAX_EVENTS, ZERO = 64 << 20, 10_002, bytes(32)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

class Refused(Exception):
    """Arguments: code, index of the event at fault, detail."""
def when(wrong, code, index=None, detail=""):
    if wrong:
        raise Refused(code, index, detail)
def H(*parts):
    return hashlib.sha256(b"".join(parts)).digest()
def u64(n):
    return n.to_bytes(8, "big")
# --- JSON in its one spelling (RFC 8785; all numbers of the format are integers) ---
def parse(data, code="malformed-file", index=None):
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused(code, index, "JSON") from None
def canonical(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda m: m[0].encode("utf-16-be"))
        return b"{" + b",".join(canonical(k) + b":" + canonical(v) for k, v in members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8")
def members(value, path, names, code="malformed-file", index=None):
    """An object with exactly these members; optional ones end with a question mark."""
    known = names.split()
    good = isinstance(value, dict) and all(n.endswith("?") or n in value for n in known) and set(value) <= {n.rstrip("?") for n in known}
    when(not good, code, index, path)
    return value
def typed(value, kind, path, none=False):
    when(not (none and value is None or type(value) is kind and not (kind is int and value < 0)), "malformed-file", None, path)
    return value
def b64(text, code, path=""):
    """Base64 in its one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        data = None
    when(data is None or base64.b64encode(data).decode() != text, code, None, path)
    return data
def raw(value, path, size=None):
    data = b64(typed(value, str, path), "malformed-file", path)
    when(size is not None and len(data) != size, "malformed-file", None, path)
    return data
def url64(text):
    ok = isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if ok else b""
    return data if base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text else b""
def hashes_of(value, path, most=64):
    when(not isinstance(value, list) or len(value) > most, "malformed-file", None, path)
    return [raw(h, path, 32) for h in value]
# --- RFC 6962 tree (RFC 9162 2.1.3.2 and 2.1.4.2) ---
def climb(fn, sn, proof, left, right):
    """Walks a proof: left(p) where the sibling stands left, right(p) where it stands right; true when the proof ends at the root."""
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            left(p)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            right(p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0
def in_tree(index, size, node, proof, root):
    at = [node]
    def left(p): at[0] = H(b"\x01", p, at[0])
    def right(p): at[0] = H(b"\x01", at[0], p)
    return index < size and climb(index, size - 1, proof, left, right) and at[0] == root
def extends(first, first_root, second, second_root, proof):
    if first <= 0 or first >= second:
        return first == second and not proof and first_root == second_root
    path = [first_root] + proof if first & (first - 1) == 0 else proof
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    at = path[:1] * 2
    def left(p): at[:] = H(b"\x01", p, at[0]), H(b"\x01", p, at[1])
    def right(p): at[1] = H(b"\x01", at[1], p)
    return climb(fn, sn, path[1:], left, right) and at == [first_root, second_root]
# --- Completeness proof (section 8) ---
class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0
    def take(self, n):
        when(self.at + n > len(self.data), "completeness-malformed")
        self.at += n
        return self.data[self.at - n:self.at]
    def number(self, n):
        return int.from_bytes(self.take(n), "big")
    def hashes(self, most):
        count = self.number(1)
        when(count > most, "completeness-malformed")
        return [self.take(32) for _ in range(count)]
def need(holds):
    when(not holds, "completeness")
def bit(data, i):
    return data[i // 8] >> (7 - i % 8) & 1
def fold(tag, first, leaves, rest, size):
    rest = list(rest)
    def go(lo, hi):
        if hi <= first or lo >= first + len(leaves):
            return rest.pop(0) if rest else need(False)
        if hi - lo == 1:
            return leaves[lo - first]
        middle = lo + (1 << (hi - lo - 1).bit_length() - 1)
        left = go(lo, middle)
        return H(tag, left, go(middle, hi))
    need(first + len(leaves) <= size)
    root = go(0, size)
    return need(not rest) or root
class Completeness:
    def __init__(self, data):
        r = Reader(data)
        when(r.take(4) != b"SIX2", "completeness-malformed")
        self.size, self.commit = r.number(8), r.take(101)
        self.kind, version, self.epoch, self.start, self.covered, _ = struct.unpack(">BIQQQQ", self.commit[:37])
        self.trie, self.sealed_root = self.commit[37:69], self.commit[69:]
        when(self.kind != 2 or version != 1 or self.start > self.covered or (self.epoch == 0) != (self.start == 0), "completeness-malformed")
        self.path = r.hashes(64)
        count = r.number(4)
        self.first = r.number(4) if count else 0
        self.epochs = [(r.number(8), r.number(8), r.take(32)) for _ in range(count)]
        self.epoch_hashes = r.hashes(126) if count else []
        self.parts = [self.part(r) for _ in range(count + 1)]
        when(r.at != len(data), "completeness-malformed")
        self.indices = [i for p in self.parts for i in p["indices"]]
    @staticmethod
    def part(r):
        depth = r.number(1)
        bits = r.take((depth + 7) // 8)
        when(depth % 8 and bits[-1] & 0xFF >> depth % 8, "completeness-malformed")
        p = {"siblings": [r.take(32) if bit(bits, i) else ZERO for i in range(depth)], "kind": r.number(1), "indices": []}
        if p["kind"] == 1:
            p["other"], p["n"], p["root"] = r.take(32), r.number(8), r.take(32)
        elif p["kind"] == 2:
            p["n"], p["s"], count = r.number(8), r.number(8), r.number(4)
            when(count > (len(r.data) - r.at) // 8, "completeness-malformed")
            p["indices"] = [r.number(8) for _ in range(count)]
            p["hashes"] = r.hashes(126)
        when(p["kind"] > 2, "completeness-malformed")
        return p
    def check(self, size, root, key, a, b, leaf_hashes):
        need(self.size == size and self.covered == size - 1 and a <= b <= self.covered)
        need(in_tree(size - 1, size, H(b"\x00", self.commit), self.path, root))
        need(self.epoch or self.sealed_root == H())
        need(bool(self.epochs) == (a < b and a < self.start))
        if self.epochs:
            need(all(s < e for s, e, _ in self.epochs) and all(x[1] == y[0] for x, y in zip(self.epochs, self.epochs[1:])))
            first, last = self.epochs[0], self.epochs[-1]
            need(first[0] <= a < first[1] and last[0] < b and (last[1] == self.start if b > self.start else last[1] >= b))
            leaves = [H(b"\x14", u64(s), u64(e), t) for s, e, t in self.epochs]
            need(fold(b"\x15", self.first, leaves, self.epoch_hashes, self.epoch) == self.sealed_root)
        left = list(leaf_hashes)
        for part, (start, end, trie) in zip(self.parts, self.epochs + [(self.start, self.covered, self.trie)]):
            own, left = left[:len(part["indices"])], left[len(part["indices"]):]
            need(self.path_root(part, start, end, key, a, b, own) == trie)
    @staticmethod
    def path_root(p, start, end, key, a, b, own):
        depth = len(p["siblings"])
        node = ZERO
        if p["kind"] == 1:
            need(p["other"] != key and all(bit(p["other"], i) == bit(key, i) for i in range(depth)) and p["n"] > 0)
            node = H(b"\x12", p["other"], u64(p["n"]), p["root"])
        elif p["kind"] == 2:
            at, s, m = p["indices"], p["s"], len(p["indices"])
            need(m > 0 and s + m <= p["n"] and start <= at[0] and at[-1] < end and all(x < y for x, y in zip(at, at[1:])))
            need((s == 0 or at[0] < a) and (s + m == p["n"] or at[-1] >= b) and (m == 1 or (at[1] >= a and at[-2] < b)))
            postings = [H(b"\x10", u64(i), h) for i, h in zip(at, own)]
            node = H(b"\x12", key, u64(p["n"]), fold(b"\x11", s, postings, p["hashes"], p["n"]))
        for i in reversed(range(depth)):
            node = H(b"\x13", *((p["siblings"][i], node) if bit(key, i) else (node, p["siblings"][i])))
        return node
# --- Signed notes (section 7) ---
def vkey(line):
    name, key_id, text = line.split("+", 2)
    body = base64.b64decode(text)
    own = H(body[1:])[:4] if body[0] == 2 else H(name.encode(), b"\n", body)[:4]
    when(own.hex() != key_id, "policy-malformed", None, line)
    return {"name": name, "id": own, "type": body[0], "key": body[1:]}
def line_holds(key, text, sig):
    try:
        if key["type"] == 2:
            serialization.load_der_public_key(key["key"]).verify(sig, text, ec.ECDSA(hashes.SHA256()))
        elif key["type"] == 4:
            signed = b"cosignature/v1\ntime %d\n" % int.from_bytes(sig[:8], "big") + text
            ed25519.Ed25519PublicKey.from_public_bytes(key["key"]).verify(sig[8:], signed)
        elif key["type"] == 1:
            ed25519.Ed25519PublicKey.from_public_bytes(key["key"]).verify(sig, text)
        return True  # A private type: counted, not judged.
    except (InvalidSignature, ValueError):
        return False
def open_note(note, log_keys, witness_keys):
    """The checkpoint (origin, size, root), the witnesses that cosigned, and how many lines were not judged."""
    split = note.rfind("\n\n")
    when(split < 0 or not note.endswith("\n") or not log_keys, "checkpoint-malformed")
    text, lines = note[:split + 1], note[split + 2:-1].split("\n")
    log, witnesses, seen, unjudged = [vkey(k) for k in log_keys], [vkey(k) for k in witness_keys], [], 0
    for parts in (line.split(" ") for line in lines):
        when(len(parts) != 3 or parts[0] != "\u2014", "checkpoint-malformed")
        data = b64(parts[2], "checkpoint-malformed")
        key = next((k for k in log + witnesses if k["name"] == parts[1] and k["id"] == data[:4]), None)
        when(key is None or not line_holds(key, text.encode(), data[4:]), "checkpoint-signature", None, parts[1])
        unjudged += key["type"] == 0xFF
        seen += [key["name"]] if key in witnesses else []
        (witnesses if key in witnesses else log).remove(key)
    when(log, "checkpoint-signature", None, "lines")
    rows = text.split("\n")
    when(len(rows) != 4 or not re.fullmatch(r"0|[1-9]\d{0,18}", rows[1]) or len(b64(rows[2], "checkpoint-malformed")) != 32, "checkpoint-malformed")
    when(any(not k.startswith(rows[0] + "+") for k in log_keys), "checkpoint-signature", None, "origin")
    return (rows[0], int(rows[1]), b64(rows[2], "checkpoint-malformed")), seen, unjudged
# --- Events (sections 3, 4, 6) ---
TEXTS = "action basis class correlation id onBehalfOf outcome permitNo purpose reason ruleVersion".split()
MEMBERS = "action basis? class? correlation? id onBehalfOf? outcome permitNo? purpose? reason? ruleVersion? actor salt sealed? subjects time v where"
def read_leaf(index, leaf):
    at = 0
    def take(n):
        nonlocal at
        when(len(leaf) - at < n, "leaf-malformed", index)
        at += n
        return leaf[at - n:at]
    when(take(1) != b"\x01", "leaf-type", index)
    keys, time = [take(32) for _ in range(take(1)[0])], int.from_bytes(take(8), "big")
    envelope = take(int.from_bytes(take(2), "big"))
    body = take(int.from_bytes(take(2), "big"))
    when(at != len(leaf) or time > 253402300799999999, "leaf-malformed", index)
    tag = b"trust.envelope.v1\n"
    when(len(envelope) <= len(tag) or not envelope.startswith(tag) or len(envelope) != len(tag) + 81 + envelope[len(tag)], "envelope-malformed", index)
    rest = envelope[len(tag) + 1 + envelope[len(tag)]:]
    when(rest[48:] != H(body), "body-hash", index)
    event = {"index": index, "keys": keys, "time": time, "source": envelope[len(tag) + 1:-80].decode("latin-1"),
             "epoch": int.from_bytes(rest[:8], "big"), "seq": int.from_bytes(rest[8:16], "big"), "prev": rest[16:48],
             "envelope": H(envelope), "body": read_body(index, body)}
    for s in event["body"]["subjects"]:
        when(not isinstance(s, dict) or set(s) != {"key", "kind"} or len(url64(s["key"])) != 32, "body-malformed", index, "subjects")
    when(keys != sorted({url64(s["key"]) for s in event["body"]["subjects"]}), "subject-keys", index)
    return event
def read_body(index, data):
    body = parse(data, "body-malformed", index)
    when(len(data) > 8192 or canonical(body) != data, "body-malformed", index)
    members(body, "body", MEMBERS, "body-malformed", index)
    members(body["actor"], "actor", "certificate? institution? role? subject", "body-malformed", index)
    members(body["where"], "where", "node region", "body-malformed", index)
    for text in [body[t] for t in TEXTS if t in body] + list(body["actor"].values()) + list(body["where"].values()):
        when(not isinstance(text, str) or not 1 <= len(text.encode()) <= 256, "body-malformed", index, "text")
    good = body["v"] == 1 and type(body["v"]) is int and body["outcome"] in ("success", "refused", "failed") and isinstance(body["subjects"], list)
    good = good and len(url64(body["salt"])) == 16 and isinstance(body["time"], str) and TIME.fullmatch(body["time"])
    when(not good, "body-malformed", index)
    return body
def read_event(e, path, batch_keys, key):
    """An event and its producer's batch signature."""
    event = read_leaf(e["index"], raw(e["leaf"], path))
    when(key not in event["keys"], "other-subject", e["index"])
    batch = members(e["batch"], path, "firstSeq count tail signature")
    first, count = typed(batch["firstSeq"], int, path), typed(batch["count"], int, path)
    tail, sig = hashes_of(batch["tail"], path, 1024), raw(batch["signature"], path, 64)
    when(event["source"] not in batch_keys, "key-not-trusted", e["index"])
    when(not 0 < count <= 1024 or not first <= event["seq"] < first + count or len(tail) != first + count - 1 - event["seq"], "batch-shape", e["index"])
    named, last = bytes([len(event["source"])]) + event["source"].encode() + u64(event["epoch"]), event["envelope"]
    for i, body_hash in enumerate(tail):
        last = H(b"trust.envelope.v1\n", named, u64(event["seq"] + 1 + i), last, body_hash)
    der = encode_dss_signature(int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big"))
    signed = b"trust.batch.v1\n" + named + u64(first) + struct.pack(">I", count) + last
    try:
        serialization.load_der_public_key(batch_keys[event["source"]]).verify(der, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refused("batch-signature", e["index"], event["source"]) from None
    return event
# --- The file (sections 9 and 10) ---
def micros(text):
    at = datetime.datetime.strptime(text if TIME.fullmatch(text) else "", "%Y-%m-%dT%H:%M:%S.%fZ")
    return (at - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
def check_key(q):
    when((q["identifier"] is None) != (q["kind"] == "patient"), "question-key")
    kind, name = q["kind"].encode(), (q["identifier"] or "").encode()
    key = H(b"trust.key.v1\n", bytes([len(kind) % 256]), kind, (len(name) % 65536).to_bytes(2, "big"), name)
    when(name and (len(kind) > 32 or len(name) > 1024 or key != raw(q["key"], "key", 32)), "question-key")
    when(q["identifier"] == "", "question-key")
def check_policy(policy, trusted):
    when(not set(policy["checkpointKeys"]) <= set(trusted["checkpointKeys"]), "key-not-trusted")
    when(sorted(policy["checkpointKeys"]) != sorted(trusted["checkpointKeys"]), "key-missing")
    witnesses, quorum = trusted.get("witnesses", []), trusted.get("witnessQuorum", 0)
    when(sorted(map(str, policy["witnessKeys"])) != sorted(witnesses) or policy["witnessQuorum"] != quorum, "witness-policy")
    known = {s["name"]: s["batchKey"] for s in trusted["sources"]}
    when(any(known.get(name) != spki for name, spki in policy["batchKeys"].items()), "key-not-trusted")
    return witnesses, quorum, {name: base64.b64decode(spki) for name, spki in policy["batchKeys"].items()}
def check_shown(f, size, root, key, proof):
    order = [typed(e["index"], int, "index") for e in f["events"]]
    missing = [i for i in proof.indices if i not in order]
    when(missing, "event-missing", missing[0] if missing else None)
    for at, i in enumerate(order):
        when(i not in proof.indices, "event-not-listed", i)
        when(at >= len(proof.indices) or proof.indices[at] != i, "event-reordered", i)
    leaf_hashes = [raw(e["leafHash"], "leafHash", 32) if "leafHash" in e else H(b"\x00", raw(e["leaf"], "leaf")) for e in f["events"]]
    for e, leaf_hash in zip(f["events"], leaf_hashes):
        when(not in_tree(e["index"], size, leaf_hash, hashes_of(e["proof"], "proof"), root), "event-altered", e["index"])
    proof.check(size, root, key, f["range"]["from"], f["range"]["to"], leaf_hashes)
def check_follows(before, e):
    when(before and e["time"] < before[-1]["time"], "time-falls", e["index"])
    for b in [b for b in before if b["source"] == e["source"]][-1:]:
        when((b["epoch"], b["seq"]) >= (e["epoch"], e["seq"]), "source-order", e["index"], e["source"])
        when((b["epoch"], b["seq"] + 1) == (e["epoch"], e["seq"]) and e["prev"] != b["envelope"], "source-chain", e["index"], e["source"])
def check_period(f, events):
    q, a, b = f["question"], f["range"]["from"], f["range"]["to"]
    lo, hi = (micros(q[m]) if q[m] is not None else None for m in ("from", "to"))
    when(lo is None and a != 0 or hi is None and b != q["size"] - 1, "period")
    for e in events:
        t, i = e["time"], e["index"]
        ok = (lo is not None and t < lo) if i < a else (hi is not None and t >= hi) if i >= b else (lo is None or t >= lo) and (hi is None or t < hi)
        when(not ok, "period", i)
    for o in (members(o, "openings", "index dataKey") for o in f["openings"]):
        e = next((e for e in events if e["index"] == o["index"] and "sealed" in e["body"] and q["caseNumber"] is not None), None)
        try:
            box = url64(e["body"]["sealed"])
            AESGCM(raw(o["dataKey"], "dataKey", 32)).decrypt(box[:12], box[12:], e["body"]["id"].encode())
        except (InvalidTag, ValueError, TypeError):
            raise Refused("opening", o["index"]) from None
def pem(certificates):
    return "".join(f"-----BEGIN CERTIFICATE-----\n{c}\n-----END CERTIFICATE-----\n" for c in certificates).encode()
def stamped(data, token, trusted, more=()):
    helpers = trusted.get("issuers", []) + [trusted.get("timeStamping")] * ("timeStamping" in trusted) + list(more)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"data": data, "token": token, "roots": pem(trusted["roots"]), "helpers": pem(helpers)}.items():
            pathlib.Path(folder, name).write_bytes(content)
        command = "openssl ts -verify -data data -in token -token_in -CAfile roots -untrusted helpers".split()
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
def verify(data, trusted):
    when(len(data) > MAX_BYTES, "malformed-file")
    f = members(parse(data), "$", "format question checkpoint tree range completeness events openings query anchor policy attachments")
    when(f["format"] != "trust.evidence.v2", "unknown-format")
    q = members(f["question"], "question", "kind identifier key from to size region caseNumber")
    for name, kind, none in [("kind", str, 0), ("identifier", str, 1), ("size", int, 0), ("region", str, 0), ("caseNumber", str, 1)]:
        typed(q[name], kind, name, none)
    members(f["range"], "range", "from to")
    members(f["policy"], "policy", "checkpointKeys witnessKeys witnessQuorum batchKeys")
    when(max(len(typed(f[name], list, name)) for name in ("events", "openings")) > MAX_EVENTS, "malformed-file")
    for e in f["events"]:
        members(e, "events", "index leafHash proof" if isinstance(e, dict) and "leafHash" in e else "index leaf proof batch")
    members(f["query"], "query", "index leaf proof batch checkpoint")
    when(canonical(f) != data, "not-canonical")
    check_key(q)
    key = raw(q["key"], "key", 32)
    witnesses, quorum, batch_keys = check_policy(f["policy"], trusted)
    (origin, newest, newest_root), seen, unjudged = open_note(f["checkpoint"], trusted["checkpointKeys"], witnesses)
    when(len({w.split("+", 2)[2] for w in witnesses if w.split("+")[0] in seen}) < quorum, "witness-quorum")
    size, root = q["size"], raw(members(f["tree"], "tree", "root consistency")["root"], "tree", 32)
    when(not extends(size, root, newest, newest_root, hashes_of(f["tree"]["consistency"], "tree")), "checkpoint-size")
    check_shown(f, size, root, key, Completeness(raw(f["completeness"], "completeness")))
    events = []
    for e in (e for e in f["events"] if "leaf" in e):
        events.append(read_event(e, "events", batch_keys, key))
        check_follows(events[:-1], events[-1])
    check_period(f, events)
    at, (_, later, later_root) = f["query"]["index"], open_note(f["query"]["checkpoint"], trusted["checkpointKeys"], witnesses)[0]
    proved = in_tree(at, later, H(b"\x00", raw(f["query"]["leaf"], "query")), hashes_of(f["query"]["proof"], "query"), later_root)
    when(at < size or not proved, "query-event", at)
    query = read_event(f["query"], "query", batch_keys, key)
    when((query["body"]["action"], query["source"], query["body"]["outcome"]) != ("REG.query", "ledger", "success"), "query-event", at)
    asked = "query:sha256:" + H(b"trust.query.v2\n", H(canonical(q)), H(canonical(f["attachments"]))).hex()
    when(query["body"].get("basis") != asked, "question-not-logged", at)
    judged = int(f["anchor"] is not None)
    if judged:
        anchor = members(f["anchor"], "anchor", "checkpoint consistency token")
        (_, first, first_root), _, _ = open_note(anchor["checkpoint"], trusted["checkpointKeys"], witnesses)
        when(not extends(first, first_root, newest, newest_root, hashes_of(anchor["consistency"], "anchor")), "anchor")
        when(not stamped(anchor["checkpoint"].encode(), raw(anchor["token"], "anchor"), trusted), "anchor")
    for s in (f["attachments"] or {}).get("signatures", []):
        when(not stamped(s["signature"].encode(), raw(s["timestamp"], "timestamp"), trusted, s["certificates"]), "time-stamp", None, s["kind"])
        judged += 1
    counts = f"{len(events)} events, witnesses {seen}, {judged} time-stamps judged by openssl, {unjudged} lines not judged"
    return f"{q['kind']} {q['identifier'] or key.hex()}; {origin}, {size} entries; {counts}"
def main(evidence, listed):
    try:
        data, trusted = pathlib.Path(evidence).read_bytes(), json.loads(pathlib.Path(listed).read_bytes())
    except (OSError, ValueError) as e:
        return print(e) or 2
    try:
        return print("VERIFIED " + verify(data, trusted)) or 0
    except Refused as e:
        code, index, detail = e.args
        return print(f"REFUSED [{code}]" + (f" #{index}" if index is not None else "") + f" {detail}".rstrip()) or 1
    except (KeyError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as e:
        return print(f"REFUSED [malformed-file] {e!r}") or 1

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))

#!/usr/bin/python3
"""trust_verify.py EVIDENCE TRUSTED_LIST - a second verifier of evidence files, written from docs/LEDGER-FORMAT.md alone.
trust_verify.py --all FOLDER prints the verdict on every NAME.json of a folder beside NAME.list.json, or else beside list.json.
Judges all of section 10 in the order of section 11, RFC 3161 stamps and signatures of certificate chains by the openssl command.
Does not judge: OCSP answers and revocation, the catalogue of actions, why an event is withheld.
Exit 0 VERIFIED, 1 REFUSED [code], 2 a file, the trusted list or openssl cannot be used at all, 3 NO EVENT."""
import base64, datetime, hashlib, json, os, pathlib, re, ssl, subprocess, sys, tempfile, unicodedata
from collections import namedtuple
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
MAX_FILE, MAX_LIST, MAX_EVENTS, TOP, ZERO, SM2, ENVELOPE = 64 << 20, 1 << 20, 10_002, 1 << 63, bytes(32), b"\xfftrust.sm2.v1", b"trust.envelope.v1\n"
COMMITMENTS = {kind: "urn:oid:1.2.840.10065.1.12.1." + last for kind, last in (("prescribe", "1"), ("review", "5"), ("seal", "14"))}
ACTIONS = {"prescribe": "RX.sign", "review": "RX.review", "seal": "RX.seal"}
Vkey, Note = namedtuple("Vkey", "name id type key"), namedtuple("Note", "origin size root text lines")
Shown = namedtuple("Shown", "index time source epoch seq prev envelope body by_actor")
EPOCH, MICROSECOND, P256 = datetime.datetime(1970, 1, 1), datetime.timedelta(microseconds=1), ec.ECDSA(hashes.SHA256())
class Refused(Exception): "Its arguments are code, detail and index."
def need(ok, code, detail="", index=None):
    if not ok: raise Refused(code, detail, index)
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def u64(number): return number.to_bytes(8, "big")
def compact(value): return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
def base64url(raw): return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
def key_for(kind, name): return sha(b"trust.key.v1\n", bytes([len(kind)]), kind.encode(), len(name.encode()).to_bytes(2, "big"), name.encode())
def unbase64(text, url=False):              # the bytes, or None where this is not a text in their one spelling
    try: raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4) if url else text, validate=True)
    except (AttributeError, TypeError, ValueError): return None
    return raw if text == (base64url(raw) if url else base64.b64encode(raw).decode()) else None
def micros(text):                           # microseconds since 1970 of a time of section 3, or None
    parts = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z", text if type(text) is str else "", re.A)
    try: return (datetime.datetime(*map(int, parts.groups())) - EPOCH) // MICROSECOND
    except (AttributeError, ValueError): return None
# ---- JSON. A shape is a function (None: not of this type), {members, "?" = optional}, [shape or null], or (shape of an item, most items)
def parse_json(raw, code, index=None):
    def once(pairs): return dict(pairs) if len(dict(pairs)) == len(pairs) else need(False, code, "a member twice", index)
    try:
        value = json.loads(raw.decode(), object_pairs_hook=once, parse_constant=once)       # a NaN is no pairs: ValueError
        return compact(value) and value     # a lone surrogate has no UTF-8
    except (ValueError, RecursionError): raise Refused(code, "not JSON", index) from None
def foreign_json(raw, code):       # an object of somebody else's making: at most 32 KiB, 8 levels, numbers whole and below 2^53
    def levels(item): return 1 + max([0, *map(levels, item.values() if type(item) is dict else item)]) if type(item) in (dict, list) else 0
    def whole(item): return all(map(whole, item.values() if type(item) is dict else item)) if type(item) in (dict, list) else type(item) is not float and (type(item) is not int or abs(item) < 1 << 53)
    value = parse_json(raw, code)
    need(len(raw) <= 32 << 10 and type(value) is dict and levels(value) <= 8 and whole(value), code, "its size, depth or numbers")
    return value
def ordered(item):
    if isinstance(item, list): return [ordered(one) for one in item]
    return {name: ordered(item[name]) for name in sorted(item, key=lambda n: n.encode("utf-16-be"))} if isinstance(item, dict) else item
def shaped(value, shape, where="the file"):     # `value` with byte strings decoded, if it has exactly the members and types of `shape`
    if isinstance(shape, list): return None if value is None else shaped(value, shape[0], where)
    if isinstance(shape, dict):
        bare = {name.rstrip("?"): inner for name, inner in shape.items()}
        need(type(value) is dict and shape.keys() & bare.keys() <= set(value) <= set(bare), "malformed-file", where + ": members")
        return {name: shaped(value[name], inner, name) if name in value else None for name, inner in bare.items()}
    if isinstance(shape, tuple) and type(value) is list and len(value) <= shape[1]: return [shaped(item, shape[0], where) for item in value]
    need(not isinstance(shape, tuple) and (result := shape(value)) is not None, "malformed-file", where)
    return result
def TEXT(value): return value if type(value) is str else None
def NUMBER(value): return value if type(value) is int and 0 <= value < 1 << 53 else None     # RFC 8785 spells no larger integers
def SIGNATURE(value): return raw if (raw := unbase64(value)) is not None and len(raw) == 64 else None
def HASH(value): return raw if (raw := unbase64(value)) is not None and len(raw) == 32 else None
def KEY_MAP(value): return {name: shaped(keys or None, (unbase64, 64), "batchKeys") for name, keys in value.items()} if type(value) is dict else None
def EVENT(value): return shaped(value, WITHHELD if type(value) is dict and "leafHash" in value else WHOLE, "events")
PROOF, KEYS, RAW, WITHHELD = (HASH, 64), (TEXT, 64), unbase64, {"index": NUMBER, "leafHash": HASH, "proof": (HASH, 64)}
END, BATCH = {"leaf": RAW, "proof": PROOF}, {"firstSeq": NUMBER, "count": NUMBER, "signature": SIGNATURE, "tail": (HASH, 1024)}
WHOLE = {"index": NUMBER, "leaf": RAW, "proof": PROOF, "batch": BATCH}
JWS = {"kind": TEXT, "payload?": [RAW], "protected": TEXT, "signature": TEXT, "certificates": (RAW, 8), "timestamp": RAW, "ocsp?": [RAW]}
QUESTION = {"kind": TEXT, "identifier": [TEXT], "key": HASH, "from": [micros], "to": [micros], "size": NUMBER, "region": TEXT, "caseNumber": [TEXT]}
EVIDENCE = {
    "format": TEXT, "checkpoint": TEXT, "completeness": RAW, "range": {"from": NUMBER, "to": NUMBER, "before": [END], "after": [END]},
    "events": (EVENT, MAX_EVENTS), "question": QUESTION, "tree": {"root": HASH, "consistency": PROOF}, "openings": ({"index": NUMBER, "dataKey": HASH}, MAX_EVENTS),
    "query": dict(WHOLE, checkpoint=TEXT, consistency=PROOF), "anchor": [{"checkpoint": TEXT, "consistency": PROOF, "token": RAW}],
    "policy": {"checkpointKeys": KEYS, "witnessKeys": KEYS, "witnessQuorum": NUMBER, "batchKeys": KEY_MAP},
    "attachments": [{"prescription": TEXT, "payload": RAW, "signatures": (JWS, 32)}]}
TRUSTED = {"version": NUMBER, "roots": (RAW, 1000), "issuers": (RAW, 1000), "timeStamping?": [RAW], "checkpointKeys": KEYS,
           "witnesses?": KEYS, "witnessQuorum?": NUMBER, "sources": ({"name": TEXT, "batchKey": RAW}, 1000)}
# ---- Bytes and trees. Every recursion halves its tree and is at most 64 deep
class Reader:
    def __init__(self, data, code, index=None): self.data, self.at, self.fault = data, 0, (code, "its length", index)
    def take(self, count):
        need(count <= len(self.data) - self.at, *self.fault)
        self.at += count
        return self.data[self.at - count:self.at]
    def number(self, width=8):
        need((value := int.from_bytes(self.take(width), "big")) < TOP, *self.fault)
        return value
    def hashes(self, count, most=255):
        need(count <= most, *self.fault)
        return [self.take(32) for _ in range(count)]
    def end(self): need(self.at == len(self.data), *self.fault)
def half(size): return 1 << (size - 1).bit_length() - 1
def inclusion_root(leaf, index, size, proof):       # the root to which `proof` (leaf to root) leads, or None
    if size <= 1 or not proof: return leaf if size == 1 and index == 0 and not proof else None
    side = (index, half(size)) if index < half(size) else (index - half(size), size - half(size))
    node = inclusion_root(leaf, *side, proof[:-1])
    return node and (sha(b"\x01", node, proof[-1]) if index < half(size) else sha(b"\x01", proof[-1], node))
def consistent(old, old_root, new, new_root, proof):
    def roots(old, new, whole):             # SUBPROOF of RFC 6962, read from its end
        if old == new: return (old_root if whole else proof.pop(),) * 2
        last, middle = proof.pop(), half(new)
        one, two = roots(old, middle, whole) if old <= middle else roots(old - middle, new - middle, False)
        return (one, sha(b"\x01", two, last)) if old <= middle else (sha(b"\x01", last, one), sha(b"\x01", last, two))
    try: return (roots(old, new, True) if 0 < old <= new else None) == (old_root, new_root) and not proof
    except IndexError: return False
def range_root(total, first, shown, path, tag):     # end of section 8: root of `total` nodes, `shown` from number `first` on, or None
    rest = iter(path)
    def fold(lo, hi):                       # visits O(shown + 64) nodes
        if hi <= first or lo >= first + len(shown): return next(rest, b"")
        if hi - lo == 1: return shown[lo - first]
        left, right = fold(lo, lo + half(hi - lo)), fold(lo + half(hi - lo), hi)
        return left and right and sha(tag, left, right)
    return shown and first + len(shown) <= total and (root := fold(0, total)) and next(rest, None) is None and root or None
# ---- Keys, notes, openssl
def key_of(load, raw):
    try: return load(raw)
    except Exception: raise Refused("malformed-key", "cannot be read", None) from None
def works(check, *arguments):
    try: return check(*arguments) is not False
    except (InvalidSignature, InvalidTag, ValueError): return False
def is_p256(key): return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
def p256_ok(key, signature, message, raw=True):     # `signature`: r and s, 32 bytes each, or ASN.1
    if isinstance(key, bytes): key = key_of(serialization.load_der_public_key, key)
    need(is_p256(key), "malformed-key", "not P-256")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return (not raw or len(signature) == 64) and works(key.verify, utils.encode_dss_signature(r, s) if raw else signature, message, P256)
def sm2_ok(spki, signature, message):       # GB/T 32918.2 with SM3 and the default identity; affine arithmetic is fast enough for one line
    p, a, n = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF, -3, 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
    b = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    g = (0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7, 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
    def add(one, two):
        if not one or not two: return one or two
        if one[0] == two[0] and (one[1] + two[1]) % p == 0: return None
        slope = ((3 * one[0] ** 2 + a) * pow(2 * one[1], -1, p) if one == two else (two[1] - one[1]) * pow(two[0] - one[0], -1, p)) % p
        x = (slope * slope - one[0] - two[0]) % p
        return x, (slope * (one[0] - x) - one[1]) % p
    def times(k, point):
        total = None
        for bit in bin(k)[2:]: total = add(add(total, total), point if bit == "1" else None)
        return total
    sm3, words = lambda data: hashlib.new("sm3", data).digest(), lambda *numbers: b"".join(x.to_bytes(32, "big") for x in numbers)
    point, (r, s) = (int.from_bytes(spki[-64:-32], "big"), int.from_bytes(spki[-32:], "big")), utils.decode_dss_signature(signature)
    need(len(spki) == 91 and spki[26] == 4 and (point[1] ** 2 - point[0] ** 3 - a * point[0] - b) % p == 0, "malformed-key", "not SM2")
    if not (0 < r < n and 0 < s < n and (r + s) % n): return False
    identity = b"1234567812345678"
    digest = sm3(sm3((8 * len(identity)).to_bytes(2, "big") + identity + words(a % p, b, *g, *point)) + message)
    found = add(times(s, g), times((r + s) % n, point))
    return found is not None and (int.from_bytes(digest, "big") + found[0]) % n == r
def line_ok(vkey, signature, text):
    if vkey.type == b"\x02": return p256_ok(vkey.key, signature, text, raw=False)
    if vkey.type == SM2: return works(sm2_ok, vkey.key, signature, text)
    if vkey.type == b"\x04":
        if len(signature) != 72 or int.from_bytes(signature[:8], "big") >= 253_402_300_800: return False      # the year 10000
        text, signature = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + text, signature[8:]
    return works(key_of(ed25519.Ed25519PublicKey.from_public_bytes, vkey.key).verify, signature, text)
def parse_vkey(line, kinds):
    name, number, encoded = (line.split("+", 2) + ["", ""])[:3]
    data = unbase64(encoded) or b""
    kind = next((kind for kind in kinds if data.startswith(kind)), b"")
    identity = (sha(data[1:]) if kind == b"\x02" else sha(name.encode(), b"\n", data))[:4]
    need(name and " " not in name and kind and identity.hex() == number, "policy-malformed", "a vkey, or its id")
    return Vkey(name, identity, kind, data[len(kind):])
def parse_note(note, code):
    body, blank, tail = note.partition("\n\n")
    text, lines = body.split("\n"), [line.split(" ") for line in tail.split("\n")]
    right = blank and lines.pop() == [""] and len(text) == 3 and text[0] and re.fullmatch("0|[1-9][0-9]{0,18}", text[1]) and int(text[1]) < TOP and HASH(text[2])
    need(right and lines and all(len(f) == 3 and f[0] == "—" and f[1] and len(unbase64(f[2]) or b"") > 4 for f in lines), code, "form")
    signed = [(line[1], unbase64(line[2])[:4], unbase64(line[2])[4:]) for line in lines]
    return Note(text[0], int(text[1]), HASH(text[2]), (body + "\n").encode(), signed)
def openssl(folder, *arguments, **files):   # what openssl prints, or nothing where it fails; `files` are written first
    for name, content in files.items(): pathlib.Path(folder, name).write_bytes(content)
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try: done = subprocess.run(["openssl", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, env=env)
    except subprocess.TimeoutExpired: return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
def pem(certificates): return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()
def is_text(value):
    return type(value) is str and 1 <= len(value.encode()) <= 256 and not any(c in '"\\' or unicodedata.category(c) == "Cc" for c in value)
def matches(pattern): return lambda value: type(value) is str and re.fullmatch(pattern, value) is not None
def bytes_of(least, most): return lambda value: (raw := unbase64(value, url=True)) is not None and least <= len(raw) <= most
def record(**tests):            # an object with members in this order; a name that ends in _ is optional
    return lambda value: (type(value) is dict and list(value) == [n.rstrip("_") for n in tests if n[-1] != "_" or n.rstrip("_") in value]
                          and all(test(value[n.rstrip("_")]) for n, test in tests.items() if n.rstrip("_") in value))
SUBJECT = record(key=bytes_of(32, 32), kind=matches("[a-z]{1,32}"))
BODY = record(
    action=is_text, actor=record(certificate_=matches("[0-9a-f]{64}"), institution_=is_text, role_=is_text, subject=is_text),
    basis_=is_text, class_=is_text, correlation_=is_text, id=matches("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    onBehalfOf_=is_text, outcome=matches("success|refused|failed"), permitNo_=is_text, purpose_=is_text, reason_=is_text,
    ruleVersion_=is_text, salt=bytes_of(16, 16), sealed_=bytes_of(28, 28 + 4096), subjects=lambda v: type(v) is list and len(v) <= 64 and all(map(SUBJECT, v)),
    time=lambda v: micros(v) is not None, v=lambda v: type(v) is int and v == 1, where=record(node=is_text, region=matches("[0-9]{6}")))
class Verifier:                 # the checks, in the order of section 11
    def __init__(self, raw, trusted, folder):
        self.raw, self.trusted, self.folder, self.quorum = raw, trusted, folder, trusted["witnessQuorum"]
        self.stamps, self.chains, self.time, self.heads, self.typed = 0, 0, 0, {}, False
    def run(self):
        for check in (self.file, self.policy, self.checkpoint, self.postings, self.completeness, self.events, self.period, self.openings,
                      self.query, self.anchor, self.attachments, self.given): check()
        names = ", ".join(vkey.name for vkey in self.witnesses) if self.quorum else "none (quorum 0: the index is the log's own word)"
        asked, counts = self.asked["identifier"] or "key " + self.json["question"]["key"], f"{self.stamps} time-stamps and {self.chains} chains"
        inside = [e for e in self.e["events"] if "leaf" not in e and self.a <= e["index"] < self.b]
        inside += [s for s in self.shown if (self.asked["from"] is None or s.time >= self.asked["from"]) and (self.asked["to"] is None or s.time < self.asked["to"])]
        word = "VERIFIED" if inside else "NO EVENT under this identifier in this period:"
        only = f"only from #{self.covers[0]} on, nothing of before; " if self.covers else ""
        return (f"{word} {self.asked['kind']} {asked}; {only}{self.note.origin}, {self.note.size} entries; {len(self.e['events'])} events, "
                f"witnesses {names}, {counts} judged by openssl")
    def file(self):
        need(len(self.raw) <= MAX_FILE, "malformed-file", "more than 64 MiB")
        self.json = parse_json(self.raw, "malformed-file")
        need(type(self.json) is dict and set(self.json) == set(EVIDENCE) and TEXT(self.json["format"]) is not None, "malformed-file", "members")
        need(self.json["format"] == "trust.evidence.v5", "unknown-format", self.json["format"][:40])
        self.e = e = shaped(self.json, EVIDENCE)
        self.asked, self.a, self.b = e["question"], e["range"]["from"], e["range"]["to"]
        need(compact(ordered(self.json)) == self.raw, "not-canonical", "another spelling than RFC 8785")
        kind, name = self.asked["kind"].encode(), (self.asked["identifier"] or "").encode()
        right = re.fullmatch(b"[a-z]{1,32}", kind) and (self.asked["identifier"] is None) == (kind == b"patient")
        need(right and (kind == b"patient" or 1 <= len(name) <= 1024), "question-key", "kind or identifier")
        need(kind == b"patient" or key_for(self.asked["kind"], self.asked["identifier"]) == self.asked["key"], "question-key", "the key is another's")
    def policy(self):
        policy, mine, keys = self.e["policy"], self.trusted, set(self.e["policy"]["checkpointKeys"])
        named = {(name, key) for name, some in policy["batchKeys"].items() for key in some}
        need(keys <= set(mine["checkpointKeys"]) and named <= mine["sources"], "key-not-trusted", "policy")
        need(sorted(policy["checkpointKeys"]) == sorted(mine["checkpointKeys"]), "key-missing", "a log key of the list, or one twice")
        need(sorted(policy["witnessKeys"]) == sorted(mine["witnesses"]) and policy["witnessQuorum"] == self.quorum, "witness-policy")
    def checkpoint(self):
        policy, tree, size = self.e["policy"], self.e["tree"], self.asked["size"]
        self.note = parse_note(self.e["checkpoint"], "checkpoint-malformed")
        self.logs = [parse_vkey(line, (b"\x01", b"\x02", SM2)) for line in policy["checkpointKeys"]]
        self.cosigners = [parse_vkey(line, (b"\x04",)) for line in policy["witnessKeys"]]
        self.witnesses = self.signed(self.note, "checkpoint-signature")
        need(len({vkey.key for vkey in self.witnesses}) >= self.quorum, "witness-quorum", f"of {self.quorum}")
        need(size > 0 and consistent(size, tree["root"], self.note.size, self.note.root, tree["consistency"]), "checkpoint-size")
    def signed(self, note, code):       # the witnesses among the signers; all log keys must have signed, and nobody unknown
        seen, known = {}, {(vkey.name, vkey.id): vkey for vkey in self.logs + self.cosigners}
        for vkey, signature in ((known.get((name, identity)), signature) for name, identity, signature in note.lines):
            need(vkey and vkey not in seen, code, "a key that is not trusted, or twice")
            seen[vkey] = line_ok(vkey, signature, note.text)
        present = all(vkey in seen and vkey.name == note.origin for vkey in self.logs)
        need(present and False not in seen.values(), code, "a bad line, or one of the log is missing, or of another origin")
        return [vkey for vkey in self.cosigners if vkey in seen]
    def postings(self):         # the bytes of the completeness proof, `events` against its indices, and their inclusion
        read = Reader(self.e["completeness"], "completeness-malformed")
        need(len(read.data) <= 4 << 20 and read.take(4) == b"SIX2", "completeness-malformed", "not SIX2")
        self.proof_size, self.commit, self.commit_path, count = read.number(), read.take(101), read.hashes(read.number(1), 64), read.number(4)
        self.first, self.volumes = read.number(4) if count else 0, [(read.number(), read.number(), read.take(32)) for _ in range(count)]
        self.volume_path = read.hashes(read.number(1), 126) if count else []
        self.parts, _ = [self.key_part(read) for _ in range(count + 1)], read.end()
        listed, given = [index for part in self.parts for index in part["indices"]], [event["index"] for event in self.e["events"]]
        allowed, there = set(listed), set(given)
        for index in listed: need(index in there, "event-missing", "a posting of the proof is not shown", index)
        for place, index in enumerate(given):
            need(index in allowed, "event-not-listed", "not a posting of the proof", index)
            need(listed[place:place + 1] == [index], "event-reordered", "not in the order of the proof", index)
        for event in self.e["events"]:
            event["leafHash"] = event.get("leafHash") or sha(b"\x00", event["leaf"])
            root = inclusion_root(event["leafHash"], event["index"], self.asked["size"], event["proof"])
            need(root == self.e["tree"]["root"], "event-altered", "its inclusion proof does not lead to the tree", event["index"])
    def key_part(self, read):
        depth = read.number(1)
        bits = "".join(f"{byte:08b}" for byte in read.take((depth + 7) // 8))
        part = {"siblings": [read.take(32) if bit == "1" else ZERO for bit in bits[:depth]], "kind": read.number(1), "indices": []}
        marked = "1" not in bits[depth:] and part["siblings"].count(ZERO) == bits[:depth].count("0")
        need(marked and part["kind"] <= 2, "completeness-malformed", "bits of siblings, or an unknown kind")
        if part["kind"] == 1: part.update(key=read.take(32), size=read.number(), root=read.take(32))
        if part["kind"] == 2:
            part.update(n=read.number(), s=read.number(), count=read.number(4))
            part.update(indices=[read.number() for _ in range(part["count"])], path=read.hashes(read.number(1), 126))
        return part
    def completeness(self):
        def hold(ok, detail): need(ok, "completeness", detail)
        a, b, read = self.a, self.b, Reader(self.commit, "completeness")
        kind, function, volume, start, covered, _ = read.number(1), read.number(4), read.number(), read.number(), read.number(), read.take(8)
        trie, sealed, root = read.take(32), read.take(32), inclusion_root(sha(b"\x00", self.commit), covered, covered + 1, self.commit_path)
        right = (kind, self.proof_size, self.asked["size"], root) == (2, covered + 1, covered + 1, self.e["tree"]["root"])
        hold(right and function in (1, 2), "not the tree's commit entry")
        self.typed = self.by_actor = function == 2      # map function 2: every event is found by who acted
        hold((volume == 0) == (start == 0) and (volume > 0 or sealed == sha()), "the live volume")
        hold(start <= covered and a <= b <= covered and bool(self.volumes) == (a < b and a < start), "the range, or its sealed volumes")
        if self.volumes:
            end, joined = self.volumes[-1][1], all(one[1] == two[0] for one, two in zip(self.volumes, self.volumes[1:]))
            hold(joined and all(low < high and (a == b or low < b and high > a) for low, high, _ in self.volumes), "sealed volumes' places")
            hold(self.volumes[0][0] <= a and (end == start if b > start else b <= end <= start), "sealed volumes do not span the range")
            leaves = [sha(b"\x14", u64(low), u64(high), trie_root) for low, high, trie_root in self.volumes]
            hold(range_root(volume, self.first, leaves, self.volume_path, b"\x15") == sealed, "sealed root")
        leaves = (event["leafHash"] for event in self.e["events"])
        for (low, high, root), part in zip(self.volumes + [(start, covered, trie)], self.parts):
            hold(self.trie_root(hold, part, leaves, low, high) == root, "a key part does not fold to its volume's root")
    def trie_root(self, hold, part, leaves, low, high):
        key, node, number = self.asked["key"], ZERO, int.from_bytes(self.asked["key"], "big")
        if part["kind"] == 1:
            hold(len(part["siblings"]) <= 256 - (int.from_bytes(part["key"], "big") ^ number).bit_length() < 256, "the other key")
            hold(part["size"] > 0, "the other key")
            node = sha(b"\x12", part["key"], u64(part["size"]), part["root"])
        if part["kind"] == 2:
            shown, n, s, after = part["indices"], part["n"], part["s"], part["s"] + part["count"]
            hold(shown and low <= shown[0] and shown[-1] < high and all(x < y for x, y in zip(shown, shown[1:])), "order of postings")
            hold((shown[0] < self.a or s == 0) and (shown[-1] >= self.b or after == n), "a neighbour is not shown")
            hold(len(shown) == 1 or shown[1] >= self.a and shown[-2] < self.b, "more than one neighbour on a side")
            root = range_root(n, s, [sha(b"\x10", u64(index), next(leaves)) for index in shown], part["path"], b"\x11")
            node = sha(b"\x12", key, u64(n), root or b"")      # without a root no trie leaf of this length
        for step, sibling in reversed(list(enumerate(part["siblings"]))):
            node = sha(b"\x13", sibling, node) if number >> 255 - step & 1 else sha(b"\x13", node, sibling)
        return node
    def events(self): self.shown = [self.event(event) for event in self.e["events"] if "leaf" in event]
    def event(self, event):     # one event shown whole, and its place behind those before it
        keys, shown = self.leaf(event["index"], event["leaf"])
        need(self.asked["key"] in keys, "other-subject", "not of the key asked for", shown.index)
        return self.batch(event["batch"], shown)
    def leaf(self, index, leaf):        # the keys of an event and what it says
        read = Reader(leaf[1:], "leaf-malformed", index)
        need(leaf[:1] in (b"\x01", b"\x03"), "leaf-type", "not an event", index)
        by_actor = leaf[:1] == b"\x03"
        keys, time, envelope, raw = read.hashes(read.number(1)), read.number(), read.take(read.number(2)), read.take(read.number(2))
        need(time < 253_402_300_800 * 10**6, "leaf-malformed", "its time", index)
        _, read = read.end(), Reader(envelope, "envelope-malformed", index)
        prefix, source, epoch, seq = read.take(18), read.take(read.number(1)), read.number(), read.number()
        prev, digest, _ = read.take(32), read.take(32), read.end()
        need(prefix == ENVELOPE and re.fullmatch(b"[!-~]+", source) and seq >= 1, "envelope-malformed", "its content", index)
        need(sha(raw) == digest, "body-hash", "the envelope names another body", index)
        body = parse_json(raw, "body-malformed", index)     # one spelling: is_text leaves nothing to escape
        need(len(raw) <= 8192 and BODY(body) and compact(body) == raw, "body-malformed", "its grammar", index)
        own = {unbase64(s["key"], url=True) for s in body["subjects"]} | ({key_for("actor", body["actor"]["subject"])} if by_actor else set())
        need(keys == sorted(own), "subject-keys", "not those of the body", index)
        return keys, Shown(index, time, source, epoch, seq, prev, envelope, body, by_actor)
    def batch(self, batch, shown):
        keys = self.e["policy"]["batchKeys"].get(shown.source.decode("utf-8", "replace"))
        need(keys, "key-not-trusted", "no batch key of its source", shown.index)
        first, count, seq, last = batch["firstSeq"], batch["count"], shown.seq, shown.envelope
        inside = 1 <= count <= 1024 and 1 <= first <= seq and first + count == seq + 1 + len(batch["tail"])
        need(inside, "batch-shape", "it does not lie in its batch", shown.index)
        name = bytes([len(shown.source)]) + shown.source + u64(shown.epoch)
        for seq, digest in enumerate(batch["tail"], seq + 1): last = ENVELOPE + name + u64(seq) + sha(last) + digest
        message = b"trust.batch.v1\n" + name + u64(first) + count.to_bytes(4, "big") + sha(last)
        need(any(p256_ok(key, batch["signature"], message) for key in keys), "batch-signature", "", shown.index)
        return self.order(shown)
    def order(self, shown):
        need(shown.by_actor or not self.typed, "leaf-type", "not found by who acted, behind events that are", shown.index)
        need(shown.time >= self.time, "time-falls", "ledger time", shown.index)
        here, (epoch, seq, digest) = (shown.epoch, shown.seq), self.heads.get(shown.source, (-1, 0, b""))
        need(here > (epoch, seq), "source-order", "numbers of its source", shown.index)
        opens, follows = shown.epoch > epoch and (shown.seq == 1 or epoch < 0), here == (epoch, seq + 1)
        need(opens or follows == (shown.prev == digest), "source-chain", "neighbours do not name each other", shown.index)
        self.typed, self.time, self.heads[shown.source] = shown.by_actor, shown.time, (*here, sha(shown.envelope))
        return shown
    def period(self):
        since, until, end, a, b = self.asked["from"], self.asked["to"], self.asked["size"] - 1, self.a, self.b
        first, last = self.event_at(self.e["range"]["before"], a - 1), self.event_at(self.e["range"]["after"], b)
        before, after = first and first.time, last and last.time
        later = self.asked["kind"] == "actor" and not self.by_actor     # a log that was not always indexed by who acted
        need(not later or first and first.by_actor, "period", "no event that is found by who acted before its beginning")
        inside = None not in (before, since) and before < since
        self.covers = (a, before) if later and not inside else None
        need(before is None if a == 0 else inside or later, "period", "its beginning")
        need(after is None if b == end else b < end and None not in (after, until) and after >= until, "period", "its end")
        for shown in self.shown:
            need(later or since is not None and shown.time < since if shown.index < a else shown.index < b or shown.time >= until, "period", "on the wrong side", shown.index)
    def event_at(self, end, index):     # the event, of whatever subject, at an end of the range
        inside = end is None or inclusion_root(sha(b"\x00", end["leaf"]), index, self.asked["size"], end["proof"]) == self.e["tree"]["root"]
        return need(inside, "period", "not in the tree", index) or end and self.leaf(index, end["leaf"])[1]
    def openings(self):
        sealed = {shown.index: shown.body for shown in self.shown if "sealed" in shown.body}
        for index, key in [(opening["index"], opening["dataKey"]) for opening in self.e["openings"]]:     # each at most once
            need((body := sealed.pop(index, None)) and self.asked["caseNumber"] is not None and len(key) == 32, "opening", "of nothing to open", index)
            box = unbase64(body["sealed"], url=True)
            need(works(AESGCM(key).decrypt, box[:12], box[12:], body["id"].encode()), "opening", "the key does not open it", index)
    def query(self):
        query, index, note = self.e["query"], self.e["query"]["index"], parse_note(self.e["query"]["checkpoint"], "checkpoint-malformed")
        self.signed(note, "checkpoint-signature")
        root = inclusion_root(sha(b"\x00", query["leaf"]), index, note.size, query["proof"])
        need(index >= self.asked["size"] and root == note.root, "query-event", "before the tree's end, or not in its checkpoint", index)
        need(consistent(self.note.size, self.note.root, note.size, note.root, query["consistency"]), "query-event", "in a fork", index)
        self.said = (shown := self.event(query)).body
        need((self.said["action"], shown.source, self.said["outcome"]) == ("REG.query", b"ledger", "success"), "query-event", "not a query", index)
    def given(self):            # the query event names every other member
        digest = sha(b"trust.query.v3\n", *(sha(compact(ordered(self.json[member]))) for member in sorted(set(self.json) - {"query"})))
        need(self.said.get("basis") == "query:sha256:" + digest.hex(), "file-not-logged", "not as given out", self.e["query"]["index"])
    def anchor(self):
        if anchor := self.e["anchor"]:
            self.signed(note := parse_note(anchor["checkpoint"], "checkpoint-malformed"), "checkpoint-signature")
            need(consistent(note.size, note.root, self.note.size, self.note.root, anchor["consistency"]), "anchor", "not a prefix")
            self.stamp(anchor["token"], anchor["checkpoint"].encode(), "anchor")
    def stamp(self, token, data, code, more=()):    # microseconds of an RFC 3161 token over `data` whose certificate was good at that time
        text = openssl(self.folder, "ts", "-reply", "-token_in", "-in", "token", "-text", token=token)
        found = re.search(r"^Time stamp: (\w{3} +\d+ \d\d:\d\d:\d\d)(\.\d{1,6})?\d* (\d{4}) GMT$", text, re.M | re.A)
        try: when = datetime.datetime.strptime(f"{found[1]}{found[2] or '.0'} {found[3]}", "%b %d %H:%M:%S.%f %Y")
        except (TypeError, ValueError): raise Refused(code, "not a time-stamp token", None) from None
        time, others = (when - EPOCH) // MICROSECOND, pem([*more, *self.trusted["issuers"], *self.trusted["timeStamping"]])
        said = openssl(self.folder, "ts", "-verify", "-data", "data", "-token_in", "-in", "token", "-CAfile", "roots", "-attime",
                       str(time // 10**6), *["-untrusted", "others"] * bool(others), data=data, roots=pem(self.trusted["roots"]), others=others)
        need("Verification: OK" in said, code, "openssl does not verify the time-stamp")
        self.stamps += 1
        return time
    def attachments(self):
        held, values, clock = self.e["attachments"], [], 0
        if held is None: return
        digest, subject = sha(held["payload"]).hex(), ("prescription", held["prescription"])
        need((self.asked["kind"], self.asked["identifier"]) == subject, "attachment-prescription", "of another subject")
        whole = self.asked["from"] is None and self.asked["to"] is None and all("leaf" in event for event in self.e["events"])
        need(whole, "attachment-events", "of a period, or an event is withheld")
        known = [shown for shown in self.shown if shown.body.get("basis") == "sha256:" + digest]
        need(known, "payload-not-logged", "it is no event's basis")
        self.acts = [s for s in known if (s.source, s.body["outcome"]) == (b"sign", "success") and s.body["action"] in ACTIONS.values()]
        for one in held["signatures"]:
            clock = self.signature(one, held["payload"], digest, values, clock)
            values.append(one["signature"])
        need(len(values) == len(self.acts), "signature-missing", "an act is logged whose signature is not here")
    def signature(self, one, payload, digest, values, clock):
        need(one["kind"] in COMMITMENTS, "signature-kind", "an unknown kind")
        try:
            leaf = [x509.load_der_x509_certificate(certificate) for certificate in one["certificates"]][0]
            public, usage = leaf.public_key(), {extension.oid: extension.value for extension in leaf.extensions}
        except Exception: raise Refused("signature-chain", "no certificate, or one that cannot be read", None) from None
        self.header(one)
        self.act(one, len(values))
        need((one["payload"] is None) == (not values), "signature-statement", "the first signs the prescription, others a statement")
        said = foreign_json(one["payload"], "signature-statement") if values else {"payloadSha256": digest, "signatures": []}
        need((said.get("payloadSha256"), said.get("signatures")) == (digest, values), "signature-statement")
        value, signed = unbase64(one["signature"], url=True) or b"", one["protected"].encode() + b"." + (one["payload"] or payload)
        need(is_p256(public) and p256_ok(public, value, signed), "signature-value", f"of {one['kind']}")
        need(clock <= (time := self.stamp(one["timestamp"], one["signature"].encode(), "time-stamp", one["certificates"])), "time-stamp", "order")
        return self.chain(one, usage, time) or time
    def act(self, one, place):      # one for one and in order, signatures are the successful acts of signing that the log holds
        need(place < len(self.acts), "signer-not-logged", "no act of signing is logged for it")
        act, actor = self.acts[place], self.acts[place].body["actor"]
        right = act.body["action"] == ACTIONS[one["kind"]] and actor.get("certificate") == sha(one["certificates"][0]).hex()
        need(right, "signer-not-logged", "the act logged in its place is another, or names another certificate", act.index)
        institution = actor["subject"] == actor.get("institution")
        alone = institution or actor["subject"] not in [earlier.body["actor"]["subject"] for earlier in self.acts[:place]]
        need(institution == (one["kind"] == "seal") and alone, "signer-role", "not by whom it may be", act.index)
    def header(self, one):
        header = foreign_json(raw := unbase64(one["protected"], url=True) or b"", "signature-header")
        right = len(raw) <= 24 << 10 and header.get("alg") == "ES256" and header.get("b64") is False
        need(right and not {"jwk", "jku", "x5u"} & set(header), "signature-header", "its length, alg, b64, or a key from elsewhere")
        known = type(crit := header.get("crit")) is list and all(name in ("b64", "sigT", "sigPId", "srCms", "sigD") and name in header for name in crit)
        need(known and "b64" in crit and header.get("x5t#S256") == base64url(sha(one["certificates"][0])), "signature-header", "binding")
        need(header.get("srCms") == [{"commId": {"id": COMMITMENTS[one["kind"]]}}], "signature-kind", "another commitment")
    def chain(self, one, usage, stamped):
        need(self.authorities(one["certificates"], stamped), "signature-chain", "no path of certificates that may issue")
        said = openssl(self.folder, "verify", "-no-CApath", "-no-CAstore", "-CAfile", "roots", "-untrusted", "others", "-attime",
                       str(stamped // 10**6), "leaf", leaf=pem(one["certificates"][:1]), roots=pem(self.trusted["roots"]),
                       others=pem(one["certificates"] + self.trusted["issuers"]))
        need("leaf: OK" in said, "signature-chain", "no path to a trusted root at the stamped time")
        key, extended = usage.get(x509.OID_KEY_USAGE), usage.get(x509.OID_EXTENDED_KEY_USAGE, ())
        good = key and key.content_commitment and (one["kind"] == "seal" or not key.digital_signature)
        need(good and x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH not in extended, "signature-chain", "key usage")
        self.chains += 1
    def authorities(self, chain, stamped):      # RFC 5280 6.1 asks more of an issuer than openssl does: keyUsage, and no name constraints unread
        def may_issue(certificate):
            try: usage = {extension.oid: extension for extension in certificate.extensions}
            except Exception: return False
            basic, key = usage.get(x509.OID_BASIC_CONSTRAINTS), usage.get(x509.OID_KEY_USAGE)
            return bool(basic and basic.value.ca and key and key.value.key_cert_sign and x509.OID_NAME_CONSTRAINTS not in usage)
        def load(ders):
            for der in ders:
                try: yield x509.load_der_x509_certificate(der)
                except Exception: pass
        roots, others = list(load(self.trusted["roots"])), list(load(chain[1:] + self.trusted["issuers"]))
        def path(certificate, depth):
            if certificate in roots: return True
            issuers = [other for other in roots + others if other.subject == certificate.issuer and other != certificate and may_issue(other)]
            return depth < 8 and any(path(issuer, depth + 1) for issuer in issuers)
        leaf = list(load(chain[:1]))
        return bool(leaf) and path(leaf[0], 0)
def read_file(path, most): return open(path, "rb").read(most + 1)
def trusted_list(path):         # section 12: the JSON file, not the folder
    try:
        need(len(raw := read_file(path, MAX_LIST)) <= MAX_LIST, "list", "size")
        mine = shaped(parse_json(raw, "list"), TRUSTED)
        sources, witnesses, quorum, keys = [(s["name"], s["batchKey"]) for s in mine["sources"]], mine["witnesses"] or [], mine["witnessQuorum"], mine["checkpointKeys"]
        need(mine["version"] == 1 and keys and mine["roots"], "list", "version, log keys or roots")
        need(quorum is not None and 1 <= quorum <= len(witnesses) if witnesses else not quorum, "list", "witnessQuorum")
        need(all(len(set(some)) == len(some) for some in (keys, witnesses, sources)), "list", "a key twice")
        need(all([name for name, _ in sources].count(name) <= 64 for name, _ in sources), "list", "more than 64 keys of a source")
        for vkey in [parse_vkey(line, (b"\x01", b"\x02", SM2)) for line in keys] + [parse_vkey(line, (b"\x04",)) for line in witnesses]:
            usable = is_p256(key_of(serialization.load_der_public_key, vkey.key)) if vkey.type == b"\x02" else len(vkey.key) > 0 if vkey.type == SM2 else len(vkey.key) == 32
            need(usable, "list", "a key")
        need(all(is_p256(key_of(serialization.load_der_public_key, key)) for _, key in sources), "list", "a batch key")
        for der in mine["roots"] + mine["issuers"] + [mine["timeStamping"]] * bool(mine["timeStamping"]): key_of(x509.load_der_x509_certificate, der)
    except Refused as fault: raise OSError(f"trusted list: {fault.args[1]}") from None
    stamping = [mine["timeStamping"]] if mine["timeStamping"] else []
    return dict(mine, sources=set(sources), timeStamping=stamping, witnesses=witnesses, witnessQuorum=quorum or 0)
def judge(evidence, trusted):   # what to say, and the exit status
    try:
        with tempfile.TemporaryDirectory() as folder: said = Verifier(read_file(evidence, MAX_FILE), trusted_list(trusted), folder).run()
        return said, 0 if said.startswith("VERIFIED") else 3
    except Refused as fault: return "REFUSED [{0}]{2} {1}".format(*fault.args[:2], "" if fault.args[2] is None else f" #{fault.args[2]}"), 1
    except (OSError, KeyboardInterrupt) as fault: return f"cannot judge: {fault}", 2
    except BaseException as fault: return f"REFUSED [malformed-file] {type(fault).__name__} while judging", 1   # a Rust panic is a bare one
def shown(text): return text.strip().encode("unicode_escape").decode()
def main(arguments):
    if len(arguments) != 2: return print("usage: trust_verify.py EVIDENCE TRUSTED_LIST | --all FOLDER") or 2
    if arguments[0] != "--all":
        text, status = judge(*arguments)
        return print(shown(text)) or status
    for path in sorted(pathlib.Path(arguments[1]).glob("*.json")):
        if path.name.endswith("list.json"): continue
        own = path.with_name(path.stem + ".list.json")
        print(path.stem, shown(judge(path, own if own.exists() else path.with_name("list.json"))[0]))
    return 0
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))

"""A small log of its own with keys of its own: everything that an evidence file is made of, so that a fault can be put in at any depth and signed over.
Written from docs/LEDGER-FORMAT.md. The keys are derived from their names and protect nothing."""
import base64, copy, datetime, hashlib, json, pathlib, subprocess, tempfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ORIGIN, PRESCRIPTION = "log.example", "0193a5b0-7c1e-7b52-9f0e-3d1c2b4a5f60"
PREFIX, START = b"trust.envelope.v1\n", 1_790_000_000_000_000


def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def num(value, width=8): return value.to_bytes(width, "big")
def b64(raw): return base64.b64encode(raw).decode()
def url(raw): return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
def ordered(item):
    if isinstance(item, list): return [ordered(one) for one in item]
    return {n: ordered(item[n]) for n in sorted(item, key=lambda n: n.encode("utf-16-be"))} if isinstance(item, dict) else item
def canonical(value): return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode()
def subject_key(kind, name): return sha(b"trust.key.v1\n", num(len(kind), 1), kind.encode(), num(len(name.encode()), 2), name.encode())
def p256(name): return ec.derive_private_key(int.from_bytes(sha(name.encode()), "big") % (1 << 255) + 1, ec.SECP256R1())
def ed(name): return ed25519.Ed25519PrivateKey.from_private_bytes(sha(name.encode()))
def spki(key): return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
def raw_key(key): return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
def sign_raw(key, message):
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return num(r, 32) + num(s, 32)
def text_time(micros): return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# ---- RFC 6962 trees
def half(size): return 1 << (size - 1).bit_length() - 1
def root(leaves, tag=b"\x01"):
    if not leaves: return sha()
    return leaves[0] if len(leaves) == 1 else sha(tag, root(leaves[:half(len(leaves))], tag), root(leaves[half(len(leaves)):], tag))
def inclusion(leaves, index):
    if len(leaves) == 1: return []
    k = half(len(leaves))
    return inclusion(leaves[:k], index) + [root(leaves[k:])] if index < k else inclusion(leaves[k:], index - k) + [root(leaves[:k])]
def consistency(leaves, old):
    def sub(m, some, whole):
        if m == len(some): return [] if whole else [root(some)]
        k = half(len(some))
        return sub(m, some[:k], whole) + [root(some[k:])] if m <= k else sub(m - k, some[k:], False) + [root(some[:k])]
    return sub(old, leaves, True)
def range_hashes(nodes, first, count, tag):
    def fold(lo, hi):
        if hi <= first or lo >= first + count: return [root(nodes[lo:hi], tag)]
        if hi - lo == 1: return []
        middle = lo + half(hi - lo)
        return fold(lo, middle) + fold(middle, hi)
    return fold(0, len(nodes))


# ---- The subject index
def bit(key, i): return key[i // 8] >> 7 - i % 8 & 1
def trie(postings, depth=0):
    if not postings: return bytes(32)
    if len(postings) == 1:
        (key, some), = postings.items()
        return sha(b"\x12", key, num(len(some)), root(some, b"\x11"))
    sides = [{k: v for k, v in postings.items() if bit(k, depth) == side} for side in (0, 1)]
    return sha(b"\x13", trie(sides[0], depth + 1), trie(sides[1], depth + 1))


class Volume:
    def __init__(self, start, end): self.start, self.end, self.postings, self.indices = start, end, {}, {}
    def add(self, index, leaf_hash, keys):
        for key in keys:
            self.postings.setdefault(key, []).append(sha(b"\x10", num(index), leaf_hash))
            self.indices.setdefault(key, []).append(index)
    def hash(self): return sha(b"\x14", num(self.start), num(self.end), trie(self.postings))
    def part(self, key, a, b, drop=None):
        some, depth, siblings = self.postings, 0, []
        while len(some) > 1:
            siblings.append(trie({k: v for k, v in some.items() if bit(k, depth) != bit(key, depth)}, depth + 1))
            some, depth = {k: v for k, v in some.items() if bit(k, depth) == bit(key, depth)}, depth + 1
        bits = "".join("0" if s == bytes(32) else "1" for s in siblings).ljust((depth + 7) // 8 * 8, "0")
        head = num(depth, 1) + (num(int(bits, 2), len(bits) // 8) if bits else b"") + b"".join(s for s in siblings if s != bytes(32))
        if not some: return head + b"\x00", []
        (other, nodes), = some.items()
        if other != key: return head + b"\x01" + other + num(len(nodes)) + root(nodes, b"\x11"), []
        all_indices = self.indices[key]
        inside = [n for n, index in enumerate(all_indices) if a <= index < b]
        below = sum(index < a for index in all_indices)
        first = max(0, below - 1)
        last = min(len(all_indices) - 1, below + len(inside))
        if drop is not None: first, last = drop(first, last)
        shown = all_indices[first:last + 1]
        path = range_hashes(nodes, first, len(shown), b"\x11")
        return (head + b"\x02" + num(len(nodes)) + num(first) + num(len(shown), 4) + b"".join(map(num, shown)) + num(len(path), 1) + b"".join(path)), shown


class Log:
    def __init__(self, width=1 << 20, actors=False):
        # A log born with leaves of type 3 finds every event by its actor too; an older one goes over to them later.
        self.type, self.map = (b"\x03", 2) if actors else (b"\x01", 1)
        self.leaves, self.hashes, self.info, self.chains, self.clock = [], [], [], {}, START
        self.width, self.sealed, self.live = width, [], Volume(0, 0)
        self.log_keys, self.witness = [(b"\x02", p256("log")), (b"\x01", ed("log"))], ed("witness")
        self.batch_keys = {name: p256("batch " + name) for name in ("ca", "sign", "ledger")}
    def body(self, action, subjects, n=None, **more):
        n = len(self.leaves) if n is None else n
        actor = more.pop("actor", {"subject": "urn:mdid:p:01JD000000000000000000000A"})
        body = {"action": action, "actor": actor, "id": "0193a5b0-0000-7000-8000-%012x" % n, "outcome": "success", "salt": url(sha(num(n))[:16]),
                "subjects": [{"key": url(key), "kind": kind} for kind, key in subjects], "time": text_time(self.clock), "v": 1,
                "where": {"node": "node-1", "region": "510000"}}
        body.update(more)
        return body
    def batch(self, source, bodies, change=None, epoch=None, first=None, gap=0, signed=True, key=None, prev=None):
        """Appends events that came in one batch. `change(place, parts)` may alter what an event is made of before it is hashed."""
        old_epoch, seq, head = self.chains.get(source, (1, 0, bytes(32)))
        epoch = old_epoch if epoch is None else epoch
        start = first if first is not None else seq + 1 + gap
        head, made = (head if prev is None else prev), []
        for place, body in enumerate(bodies):
            raw = body if isinstance(body, bytes) else canonical(body)
            parts = {"source": source.encode() if isinstance(source, str) else source, "epoch": epoch, "seq": start + place, "prev": head, "prefix": PREFIX, "raw": raw,
                     "digest": None, "time": None, "keys": None, "type": self.type, "more": b""}
            if change: change(place, parts)
            envelope = (parts["prefix"] + num(len(parts["source"]), 1) + parts["source"] + num(parts["epoch"]) + num(parts["seq"]) + parts["prev"]
                        + (parts["digest"] or sha(parts["raw"])))
            head = sha(envelope)
            try:
                said = json.loads(parts["raw"])
                keys = {base64.urlsafe_b64decode(s["key"] + "==") for s in said["subjects"]}
                if parts["type"] == b"\x03": keys.add(subject_key("actor", said["actor"]["subject"]))
                keys = sorted(keys)
            except Exception: keys = [subject_key("prescription", PRESCRIPTION)]
            keys = parts["keys"] if parts["keys"] is not None else keys
            self.clock += 1000
            leaf = (parts["type"] + num(len(keys), 1) + b"".join(keys) + num(self.clock if parts["time"] is None else parts["time"]) + num(len(envelope), 2) + envelope
                    + num(len(parts["raw"]), 2) + parts["raw"] + parts["more"])
            made.append((leaf, keys, sha(parts["raw"]), parts))
        epoch, source_bytes = made[0][3]["epoch"], made[0][3]["source"]
        message = b"trust.batch.v1\n" + num(len(source_bytes), 1) + source_bytes + num(epoch) + num(start) + num(len(bodies), 4) + head
        signature = sign_raw(key or self.batch_keys[source if isinstance(source, str) else "sign"], message if signed else message + b"!")
        self.chains[source] = (epoch, start + len(bodies) - 1, head)
        for place, (leaf, keys, _, _) in enumerate(made):
            batch = {"firstSeq": start, "count": len(bodies), "signature": b64(signature), "tail": [b64(m[2]) for m in made[place + 1:]]}
            self.append(leaf, keys, {"batch": batch})
        return len(self.leaves) - len(bodies)
    def append(self, leaf, keys, info):
        self.leaves.append(leaf)
        self.hashes.append(sha(b"\x00", leaf))
        self.info.append(info)
        if info is not None: self.live.add(len(self.leaves) - 1, self.hashes[-1], keys)
    def commit(self, change=None):
        covered, sealed_root = len(self.leaves), root([v.hash() for v in self.sealed], b"\x15")
        parts = {"type": 2, "map": self.map, "volume": len(self.sealed), "start": self.live.start, "covered": covered, "count": len(self.live.postings),
                 "trie": trie(self.live.postings), "sealed": sealed_root}
        if change: change(parts)
        leaf = (num(parts["type"], 1) + num(parts["map"], 4) + num(parts["volume"]) + num(parts["start"]) + num(parts["covered"]) + num(parts["count"])
                + parts["trie"] + parts["sealed"])
        self.append(leaf, [], None)
        self.state = (list(self.sealed), copy.deepcopy(self.live), leaf)
        if covered - self.live.start >= self.width:
            self.live.end = covered
            self.sealed.append(self.live)
            self.live = Volume(covered, 0)
        return len(self.leaves)
    def vkey(self, kind, key, name=ORIGIN):
        data = kind + (spki(key) if kind == b"\x02" else raw_key(key))
        return f"{name}+{(sha(data[1:]) if kind == bytes([2]) else sha(name.encode(), bytes([10]), data))[:4].hex()}+{b64(data)}"
    def note(self, size, witnessed=True, origin=ORIGIN, text=None, time=1_790_000_100, lines=None):
        text = text or f"{origin}\n{size}\n{b64(root(self.hashes[:size]))}\n"
        made = []
        for kind, key in self.log_keys:
            identity = bytes.fromhex(self.vkey(kind, key).split("+")[1])
            signature = key.sign(text.encode(), ec.ECDSA(hashes.SHA256())) if kind == b"\x02" else key.sign(text.encode())
            made.append(f"— {ORIGIN} {b64(identity + signature)}")
        if witnessed:
            identity = bytes.fromhex(self.vkey(b"\x04", self.witness, "w.example").split("+")[1])
            made.append(f"— w.example {b64(identity + num(time) + self.witness.sign(b'cosignature/v1' + chr(10).encode() + b'time %d' % time + chr(10).encode() + text.encode()))}")
        return text + "\n" + "".join(line + "\n" for line in (lines(made) if lines else made))


class Case:
    """One question of a log, and the file that answers it. Every step can be changed by the maker of a case before the next is taken."""
    def __init__(self, log, kind="prescription", identifier=PRESCRIPTION, key=None, since=None, until=None, case_number=None, region="510000", witnessed=None):
        self.log, self.size = log, len(log.leaves)
        self.kind, self.identifier, self.key = kind, identifier, key or subject_key(kind, identifier)
        self.since, self.until, self.case_number, self.region = since, until, case_number, region
        self.withheld, self.openings, self.attachments, self.state = set(), [], None, log.state
        self.a, self.b, self.before, self.after = 0, self.size - 1, None, None
        self.mutate_file, self.mutate_query, self.mutate_proof, self.drop, self.anchor, self.more_to = [], {}, None, None, None, 0
    def end(self, index): return {"leaf": b64(self.log.leaves[index]), "proof": [b64(h) for h in inclusion(self.log.hashes[:self.size], index)]}
    def period(self, a, b):
        self.a, self.b = a, b
        self.before, self.after = (self.end(a - 1) if a else None), (self.end(b) if b < self.size - 1 else None)
        return self
    def proof(self):
        sealed, live, commit = self.state
        parts, shown, overlapping = [], [], [n for n, v in enumerate(sealed) if self.a < self.b and v.start < self.b and v.end > self.a]
        for volume in [sealed[n] for n in overlapping] + [live]:
            part, indices = volume.part(self.key, self.a, self.b, self.drop)
            parts.append(part)
            shown += indices
        path = inclusion(self.log.hashes[:self.size], self.size - 1)
        data = b"SIX2" + num(self.size) + commit + num(len(path), 1) + b"".join(path) + num(len(overlapping), 4)
        if overlapping:
            hashes_ = range_hashes([v.hash() for v in sealed], overlapping[0], len(overlapping), b"\x15")
            data += num(overlapping[0], 4) + b"".join(num(sealed[n].start) + num(sealed[n].end) + trie(sealed[n].postings) for n in overlapping)
            data += num(len(hashes_), 1) + b"".join(hashes_)
        return data + b"".join(parts), shown
    def build(self):
        proof, shown = self.proof()
        hashed = self.log.hashes[:self.size]
        events = []
        for index in shown:
            common = {"index": index, "proof": [b64(h) for h in inclusion(hashed, index)]}
            events.append(dict(common, leafHash=b64(hashed[index])) if index in self.withheld else
                          dict(common, leaf=b64(self.log.leaves[index]), batch=copy.deepcopy(self.log.info[index]["batch"])))
        if self.mutate_proof: proof = self.mutate_proof(proof)
        log = self.log
        file = {
            "format": "trust.evidence.v5", "question": {
                "kind": self.kind, "identifier": self.identifier, "key": b64(self.key), "from": self.since and text_time(self.since),
                "to": self.until and text_time(self.until), "size": self.size, "region": self.region, "caseNumber": self.case_number},
            "checkpoint": log.note(self.size), "tree": {"root": b64(root(hashed)), "consistency": []},
            "range": {"from": self.a, "to": self.b, "before": self.before, "after": self.after}, "completeness": b64(proof), "events": events,
            "openings": self.openings, "anchor": self.anchor, "attachments": self.attachments,
            "policy": {"checkpointKeys": [log.vkey(kind, key) for kind, key in log.log_keys], "witnessKeys": [log.vkey(b"\x04", log.witness, "w.example")],
                       "witnessQuorum": 1, "batchKeys": {name: [b64(spki(key))] for name, key in log.batch_keys.items()}}}
        for mutate in self.mutate_file: mutate(file)
        query = dict(action="REG.query", basis="query:sha256:" + sha(b"trust.query.v3\n", *(sha(canonical(file[m])) for m in sorted(file))).hex())
        query.update(self.mutate_query)
        source, change = query.pop("source", "ledger"), query.pop("change", None)
        index = log.batch(source, [log.body(query.pop("action"), query.pop("subjects", [(self.kind, self.key)]), **query)], change)
        log.commit()
        after = log.hashes
        file["query"] = {"index": index, "leaf": b64(log.leaves[index]), "proof": [b64(h) for h in inclusion(after, index)], "batch": log.info[index]["batch"],
                         "checkpoint": log.note(len(after), witnessed=False), "consistency": [b64(h) for h in consistency(after, self.size)]}
        return file


# ---- Certificates and time-stamps
class Pki:
    """A root, an issuer, a time-stamping authority and people, all made for the corpus."""
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.serial = 1000
        self.root = self.issue("Corpus root", p256("root"), None, ca=True)
        self.issuing = self.issue("Corpus issuing", p256("issuing"), self.root, ca=True)
        self.tsa = self.issue("Corpus TSA", p256("tsa"), self.root, eku=[ExtendedKeyUsageOID.TIME_STAMPING], usage="digital_signature")
    def issue(self, name, key, issuer, ca=False, usage="content_commitment", eku=(), key_usage=True, more=(), days=(-700, 9000)):
        now, subject = datetime.datetime(2026, 11, 1), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.serial += 1
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0].subject if issuer else subject).public_key(key.public_key())
        builder = builder.serial_number(self.serial).not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
        if ca: builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
        wanted = ("key_cert_sign", "crl_sign") if ca else tuple(usage.split())
        if key_usage: builder = builder.add_extension(x509.KeyUsage(**{n: n in wanted for n in names}), True)
        if eku: builder = builder.add_extension(x509.ExtendedKeyUsage(list(eku)), True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        if issuer: builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key()), False)
        for extension, critical in more: builder = builder.add_extension(extension, critical)
        return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key
    def der(self, pair): return pair[0].public_bytes(serialization.Encoding.DER)
    def stamp(self, data, tsa=None):
        tsa, f = tsa or self.tsa, self.folder
        (f / "data").write_bytes(data)
        (f / "tsa.pem").write_bytes(tsa[0].public_bytes(serialization.Encoding.PEM))
        (f / "tsa.key").write_bytes(tsa[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (f / "serial").write_text("%04X" % self.serial)
        (f / "conf").write_text("[tsa]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1\ness_cert_id_alg=sha256\n")
        run = lambda *arguments: subprocess.run(["openssl", "ts", *arguments], cwd=f, check=True, capture_output=True)
        run("-query", "-data", "data", "-sha256", "-cert", "-out", "query")
        run("-reply", "-config", "conf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key", "-token_out", "-out", "token")
        return (f / "token").read_bytes()

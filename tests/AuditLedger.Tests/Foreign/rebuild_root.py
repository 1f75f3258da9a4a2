"""A reader of C2SP tlog-tiles logs, from the specification alone and with the standard library only.

rebuild_root.py URL [CERT KEY]: rebuilds the root of /checkpoint from hash tiles; with a client certificate also from entry bundles.
Prints "<size> <root in Base64>" when everything agrees.
"""
import base64, hashlib, ssl, struct, sys, urllib.request

BASE = sys.argv[1].rstrip("/")
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
if len(sys.argv) > 2:
    TLS.load_cert_chain(sys.argv[2], sys.argv[3])


def get(path):
    with urllib.request.urlopen(BASE + path, context=TLS) as answer:
        return answer.read()


def number(n):
    groups = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        groups.insert(0, "x%03d" % (n % 1000))
    return "/".join(groups)


def tiles(size, level):
    """Number and width of each tile of a level."""
    hashes = size >> (8 * level)
    full, rest = divmod(hashes, 256)
    return [(n, 256) for n in range(full)] + ([(full, rest)] if rest else [])


def path(kind, n, width):
    return "/tile/%s/%s%s" % (kind, number(n), "" if width == 256 else ".p/%d" % width)


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes):
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(root(hashes[:split]), root(hashes[split:]))


def main():
    origin, size, want = get("/checkpoint").decode().split("\n")[:3]
    size = int(size)
    below = []
    for level in range(8):
        hashes = []
        for n, width in tiles(size, level):
            tile = get(path(level, n, width))
            assert len(tile) == 32 * width, "tile length"
            hashes += [tile[i : i + 32] for i in range(0, len(tile), 32)]
        if level == 0:
            leaves = hashes
        else:
            assert hashes == [root(below[i * 256 : i * 256 + 256]) for i in range(len(hashes))], "level %d" % level
        below = hashes
        if not hashes:
            break
    found = root(leaves) if leaves else hashlib.sha256(b"").digest()
    assert base64.b64encode(found).decode() == want, "root"
    if len(sys.argv) > 2:
        entries = []
        for n, width in tiles(size, 0):
            bundle, at = get(path("entries", n, width)), 0
            while at < len(bundle):
                (length,) = struct.unpack_from(">H", bundle, at)
                entries.append(bundle[at + 2 : at + 2 + length])
                at += 2 + length
        assert [hashlib.sha256(b"\x00" + e).digest() for e in entries] == leaves, "entries"
    print(size, want)


main()

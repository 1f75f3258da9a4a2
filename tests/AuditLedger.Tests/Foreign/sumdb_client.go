// The Go checksum database's own client library (golang.org/x/mod/sumdb) as a reader of this log: its note verifier opens the checkpoint, its
// tile reader authenticates every tile, and its provers and checkers are held against the answers of the ledger.
//
// sumdb_client URL VKEY PROOFS CERT KEY SEED: prints "<size> <proofs checked>".
package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	base   string
	client *http.Client
)

func main() {
	base = strings.TrimSuffix(os.Args[1], "/")
	proofs, seed := number(os.Args[3]), number(os.Args[6])
	pair, err := tls.LoadX509KeyPair(os.Args[4], os.Args[5])
	must(err)
	// Whose log this is shows in the checkpoint's signature; the test's servers have no public certificate.
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}}}
	head := checkpoint(os.Args[2])
	reader := tlog.TileHashReader(head, &tiles{kept: map[string][]byte{}})
	random := rand.New(rand.NewSource(seed))
	for i := int64(0); i < proofs; i++ {
		inclusion(head, reader, random)
		consistency(head, reader, random)
	}
	leaves(head, reader)
	fmt.Println(head.N, 2*proofs)
}

// One signature line in a type this library knows is enough; it ignores the P-256, SM2 and witness lines.
func checkpoint(vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	opened, err := note.Open(get("/checkpoint"), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	check(lines[0] == verifier.Name(), "origin")
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: number(lines[1]), Hash: root}
}

func inclusion(head tlog.Tree, reader tlog.HashReader, random *rand.Rand) {
	size := 1 + random.Int63n(head.N)
	index := random.Int63n(size)
	root, err := tlog.TreeHash(size, reader)
	must(err)
	leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	must(err)
	answer := tlog.RecordProof(hashes(fmt.Sprintf("/proofs/inclusion?index=%d&size=%d", index, size)))
	must(tlog.CheckRecord(answer, size, root, index, leaf[0]))
	own, err := tlog.ProveRecord(size, index, reader)
	must(err)
	check(fmt.Sprint(own) == fmt.Sprint(answer), "another inclusion proof")
	leaf[0][7] ^= 1
	check(tlog.CheckRecord(answer, size, root, index, leaf[0]) != nil, "a proof of another leaf holds")
}

func consistency(head tlog.Tree, reader tlog.HashReader, random *rand.Rand) {
	to := 1 + random.Int63n(head.N)
	from := 1 + random.Int63n(to)
	older, err := tlog.TreeHash(from, reader)
	must(err)
	newer, err := tlog.TreeHash(to, reader)
	must(err)
	answer := tlog.TreeProof(hashes(fmt.Sprintf("/proofs/consistency?from=%d&to=%d", from, to)))
	must(tlog.CheckTree(answer, to, newer, from, older))
	older[7] ^= 1
	check(tlog.CheckTree(answer, to, newer, from, older) != nil, "a proof of another past holds")
}

// Entry bundles hash to the level-0 hashes that the tiles authenticate.
func leaves(head tlog.Tree, reader tlog.HashReader) {
	for first := int64(0); first < head.N; first += 256 {
		path := tlog.Tile{H: 8, L: 0, N: first / 256, W: int(min(256, head.N-first))}.Path()
		bundle := get(strings.Replace(path, "tile/8/0/", "/tile/entries/", 1))
		for index := first; len(bundle) > 0; index++ {
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			want, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			must(err)
			check(tlog.RecordHash(bundle[2:end]) == want[0], "an entry that is not its leaf")
			bundle = bundle[end:]
		}
	}
}

type tiles struct{ kept map[string][]byte }

func (t *tiles) Height() int { return 8 }

// C2SP paths name no height.
func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "/tile/", 1)
		if t.kept[path] == nil {
			t.kept[path] = get(path)
		}
		data = append(data, t.kept[path])
	}
	return data, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func hashes(path string) []tlog.Hash {
	var answer struct{ Hashes []string }
	must(json.Unmarshal(get(path), &answer))
	var all []tlog.Hash
	for _, text := range answer.Hashes {
		raw, err := base64.StdEncoding.DecodeString(text)
		must(err)
		var hash tlog.Hash
		check(copy(hash[:], raw) == len(hash), "a hash of another length")
		all = append(all, hash)
	}
	return all
}

func get(path string) []byte {
	answer, err := client.Get(base + path)
	must(err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	must(err)
	check(answer.StatusCode == 200, fmt.Sprint(answer.Status, " ", path))
	return data
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func must(err error) {
	if err != nil {
		check(false, err.Error())
	}
}

func check(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

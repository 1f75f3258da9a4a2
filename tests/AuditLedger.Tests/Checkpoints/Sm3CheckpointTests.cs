using System.Globalization;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Checkpoints;

/// <summary>SM2 lines and the tree under SM3, judged by tools that are not ours.</summary>
public sealed class Sm3CheckpointTests : IAsyncLifetime
{
    private const string Witness = "witness";

    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.AddAbsentWitness(Witness);
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task OpenSSL_verifies_the_SM2_lines_of_both_checkpoints()
    {
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        await Fill(client, 3);
        var vkey = (await File.ReadAllLinesAsync(Path.Combine(_fixture.Public, "ledger.vkeys"))).Single(l => Convert.FromBase64String(l.Split('+', 3)[2])[0] == 0xFF);
        var verifier = NoteVerifier.TryParse(vkey)!;
        var identifier = "\u00FFtrust.sm2.v1".Length;
        var key = Path.Combine(_fixture.Directory, "sm2.pem");
        await File.WriteAllTextAsync(key, "-----BEGIN PUBLIC KEY-----\n" + Convert.ToBase64String(Convert.FromBase64String(vkey.Split('+', 3)[2])[identifier..]) + "\n-----END PUBLIC KEY-----\n");
        foreach (var note in new[] { await client.GetStringAsync("checkpoint"), await Sm3Note(client, 4) })
        {
            var (text, lines) = SignedNote.TryRead(note)!.Value;
            Assert.Equal(3, lines.Count);
            var (message, signature) = (Path.Combine(_fixture.Directory, "text"), Path.Combine(_fixture.Directory, "signature"));
            await File.WriteAllTextAsync(message, text);
            await File.WriteAllBytesAsync(signature, lines.Single(l => l.IsOf(verifier)).Signature.ToArray());
            string[] verify = ["pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", message, "-sigfile", signature];
            Assert.Contains("Verified Successfully", await Command.Run("openssl", verify, default), StringComparison.Ordinal);
            await File.AppendAllTextAsync(message, "x");
            Assert.NotEqual(0, (await Command.Try("openssl", verify, default)).Code);
        }
    }

    [Fact]
    public async Task The_SM3_root_is_that_of_the_same_entries_and_stays_so_over_a_restart()
    {
        var (certificate, key) = _fixture.PemFiles(Witness);
        var script = Path.Combine(AppContext.BaseDirectory, "Foreign", "sm3_root.py");
        for (var start = 0; start < 2; start++)
        {
            await using var ledger = await _fixture.Start(_token);
            await ledger.Leads();
            using var client = _fixture.Client("ca", ledger.Address);
            await Fill(client, 300);
            var verifiers = (await File.ReadAllLinesAsync(Path.Combine(_fixture.Public, "ledger.vkeys"))).Select(l => NoteVerifier.TryParse(l)!).ToList();
            var size = Checkpoint.TryParse(SignedNote.TryOpen(await client.GetStringAsync("checkpoint"), verifiers, 3)!)!.Size;
            var checkpoint = Checkpoint.TryParse(SignedNote.TryOpen(await Sm3Note(client, size), verifiers, 3)!)!;
            Assert.Equal(LedgerFixture.Origin + "/sm3", checkpoint.Origin);
            var root = await Command.Run("python3", [script, ledger.Address.ToString(), certificate, key, checkpoint.Size.ToString(CultureInfo.InvariantCulture)], default);
            Assert.Equal(Convert.ToBase64String(checkpoint.Root), root.Trim());
        }
    }

    [Fact]
    public async Task A_stored_SM3_tree_that_was_altered_is_rebuilt_from_the_entries()
    {
        string before;
        await using (var ledger = await _fixture.Start(_token))
        {
            await ledger.Leads();
            using var client = _fixture.Client("ca", ledger.Address);
            await Fill(client, 6);
            before = (await Sm3Note(client, 7)).Split("\n\n")[0];
        }

        await _fixture.Database.Owner.Sql("UPDATE sm3_head SET sm3 = set_byte(sm3, 5, get_byte(sm3, 5) # 1)").Execute(default);
        await using var again = await _fixture.Start(_token);
        await again.Leads();
        using var after = _fixture.Client("ca", again.Address);
        Assert.Equal(before, (await Sm3Note(after, 7)).Split("\n\n")[0]);
    }

    private static async Task<string> Sm3Note(HttpClient client, long atLeast)
    {
        var note = "";
        await Eventually.Holds(
            async () =>
            {
                using var answer = await client.GetAsync("checkpoint/sm3");
                note = await answer.Content.ReadAsStringAsync();
                return answer.IsSuccessStatusCode && Checkpoint.TryParse(note.Split("\n\n")[0] + "\n")!.Size >= atLeast;
            },
            "the SM3 tree follows");
        return note;
    }

    private async Task Fill(HttpClient client, int events)
    {
        var link = new LedgerLink(client, "ca");
        var producer = _fixture.Producer("ca");
        var head = await link.OpenEpoch((await link.Head(default)).Hash, default);
        (producer.Epoch, producer.Head) = (head!.OpenEpoch, Convert.FromHexString(head.Hash));
        if (head.Epoch == 0)
        {
            Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(TestProducer.Ceremony()), 1, default));
        }

        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next([.. Enumerable.Range(0, events).Select(_ => producer.Body())]), events, default));
    }
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Evidence;
using Trust.Cli.Local;
using Trust.Cli.Verify;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>An evidence file made by a real ledger, verified by the offline verifier, and every way we know to falsify it.</summary>
public sealed class EvidenceTests(EvidenceTests.Made made) : IClassFixture<EvidenceTests.Made>
{
    [Fact]
    public void The_file_of_a_real_ledger_verifies_offline_with_all_events_and_signatures()
    {
        var verdict = EvidenceVerifier.Verify(made.File, made.Trusted);
        Assert.Null(verdict.Finding);
        Assert.Equal(["RX.sign", "RX.review", "RX.claim", "RX.dispense", "REG.query"], verdict.Events.Select(e => e.Action));
        Assert.Equal(["prescribe", "review"], verdict.Signatures.Select(s => s.Kind));
        Assert.Contains("VERIFIED", VerdictText.Write(verdict, english: true), StringComparison.Ordinal);
        Assert.Contains("验证通过", VerdictText.Write(verdict, english: false), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_flipped_byte_is_refused_by_name()
    {
        var random = new Random();
        var file = made.File.ToArray();
        var codes = new HashSet<string>(StringComparer.Ordinal);
        // One random bit in every sixth byte, from a random start: some thousands of verifications.
        for (var at = random.Next(6); at < file.Length; at += 6)
        {
            var original = file[at];
            file[at] ^= (byte)(1 << random.Next(8));
            var verdict = EvidenceVerifier.Verify(file, made.Trusted);
            Assert.True(verdict.Finding is not null, $"byte {at} changed from {(char)original} to {(char)file[at]} was accepted");
            Assert.Contains(verdict.Finding.Code, VerdictText.Codes);
            codes.Add(verdict.Finding.Code);
            file[at] = original;
        }

        Assert.True(codes.Count > 8, string.Join(' ', codes));
    }

    [Fact]
    public void A_dropped_a_moved_an_exchanged_and_an_altered_event_are_named()
    {
        var indices = Json()["events"]!.AsArray().Select(e => e!["index"]!.GetValue<long>()).ToList();
        for (var i = 0; i < indices.Count; i++)
        {
            Named(j => j["events"]!.AsArray().RemoveAt(i), "event-missing", indices[i]);
            Named(j => j["events"]![i]!["leaf"] = Flip(j["events"]![i]!["leaf"]!), "event-altered", indices[i]);
        }

        Named(j => Swap(j["events"]!.AsArray(), 1, 2), "event-reordered", indices[2]);
        Named(j => Swap(j["events"]!.AsArray(), 0, 3), "event-reordered", indices[3]);
        Named(j => { Swap(j["events"]!.AsArray(), 1, 2); Swap(j["manifest"]!["entries"]!.AsArray(), 1, 2); }, "manifest-order", indices[1]);
        Named(j => j["events"]!.AsArray().Add(j["query"]!.DeepClone()), "event-not-listed", null);
    }

    [Fact]
    public void Dropping_an_event_together_with_its_line_in_the_manifest_is_refused() => Named(
        j =>
        {
            j["events"]!.AsArray().RemoveAt(1);
            j["manifest"]!["entries"]!.AsArray().RemoveAt(1);
        },
        "manifest-not-logged",
        null);

    [Fact]
    public void Proofs_batches_and_keys_cannot_be_exchanged()
    {
        Named(j => j["events"]![1]!["proof"] = j["events"]![2]!["proof"]!.DeepClone(), "inclusion-proof", null);
        Named(j => j["events"]![1]!["batch"]!["signature"] = j["events"]![3]!["batch"]!["signature"]!.DeepClone(), "batch-signature", null);
        Named(j => j["events"]![1]!["batch"]!["count"] = 999, "batch-shape", null);
        Named(j => j["policy"]!["batchKeys"]!["sign"] = j["policy"]!["batchKeys"]!["ca"]!.DeepClone(), "key-not-trusted", null);
        Named(j => j["policy"]!["checkpointKeys"]!.AsArray().RemoveAt(0), "key-missing", null);
        Named(j => j["prescription"] = "rx-2", "other-subject", null);
        Named(j => j["query"] = j["events"]![0]!.DeepClone(), "time-falls", null);
        Named(j => j["attachments"] = null, "manifest-not-logged", null);
        Named(j => j["format"] = "trust.evidence.v2", "unknown-format", null);
        Named(j => j["extra"] = 1, "malformed-file", null);
    }

    [Fact]
    public void A_file_made_with_keys_of_its_own_does_not_vouch_for_itself()
    {
        Assert.Equal("key-not-trusted", EvidenceVerifier.Verify(made.File, made.Trusted with { CheckpointKeys = ["x+00000000+AQ=="] }).Finding!.Code);
        Assert.Equal("key-not-trusted", EvidenceVerifier.Verify(made.File, made.Trusted with { BatchKeys = new Dictionary<string, byte[]>(StringComparer.Ordinal) }).Finding!.Code);
        Assert.Equal("time-stamp", EvidenceVerifier.Verify(made.File, made.Trusted with { Roots = [] }).Finding!.Code);
    }

    [Fact]
    public void White_space_and_other_spellings_are_refused()
    {
        Assert.Equal("not-canonical", EvidenceVerifier.Verify([.. made.File, (byte)'\n'], made.Trusted).Finding!.Code);
        Assert.Equal("not-canonical", EvidenceVerifier.Verify(Encoding.UTF8.GetBytes(Json().ToJsonString()), made.Trusted).Finding?.Code ?? "not-canonical");
        Assert.Equal("malformed-file", EvidenceVerifier.Verify("[]"u8, made.Trusted).Finding!.Code);
        Assert.Equal("malformed-file", EvidenceVerifier.Verify([], made.Trusted).Finding!.Code);
    }

    [Fact]
    public async Task The_query_is_logged_before_the_answer_and_an_unknown_prescription_is_not_found()
    {
        var logged = await made.Ledger.App.Services.GetRequiredService<Npgsql.NpgsqlDataSource>()
            .Sql("SELECT count(*) FROM batches b JOIN sources s ON s.id = b.source WHERE s.name = 'ledger'").Scalar<long>(default);
        Assert.True(logged >= 1);
        Assert.Equal(404, Assert.IsType<ProblemHttpResult>((await made.Ask("rx-unknown")).Result).StatusCode);
    }

    private JsonObject Json() => JsonNode.Parse(made.File)!.AsObject();

    private byte[] Falsified(Action<JsonObject> change)
    {
        var json = Json();
        change(json);
        return CanonicalJson.Encode(JsonSerializer.SerializeToElement(json));
    }

    private void Named(Action<JsonObject> change, string code, long? index)
    {
        var finding = EvidenceVerifier.Verify(Falsified(change), made.Trusted).Finding;
        Assert.Equal(code, finding?.Code);
        if (index is not null)
        {
            Assert.Equal(index, finding!.Index);
        }
    }

    private static void Swap(JsonArray array, int a, int b)
    {
        var (first, second) = (array[a]!.DeepClone(), array[b]!.DeepClone());
        (array[a], array[b]) = (second, first);
    }

    private static JsonNode Flip(JsonNode base64)
    {
        var bytes = Convert.FromBase64String(base64.GetValue<string>());
        bytes[^20] ^= 1;
        return Convert.ToBase64String(bytes);
    }

    /// <summary>One ledger, one prescription, one file.</summary>
    public sealed class Made : IAsyncLifetime
    {
        private readonly SignedPrescription _signed = new();
        private LedgerFixture _fixture = null!;
        private WebApplication _sign = null!;

        internal RunningLedger Ledger { get; private set; } = null!;

        public ReadOnlyMemory<byte> FileBytes { get; private set; }

        public ReadOnlySpan<byte> File => FileBytes.Span;

        public TrustedList Trusted { get; private set; } = null!;

        public string PublicFolder => _fixture.Public;

        public async ValueTask InitializeAsync()
        {
            _fixture = await LedgerFixture.Create();
            var address = new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}");
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls(address.ToString());
            _sign = builder.Build();
            var attachments = await _signed.Attachments("rx-1");
            _sign.MapGet("/prescriptions/{id}/evidence", (string id) => id == "rx-1" ? Results.Text(attachments.ToJsonString(), "application/json") : Results.NotFound());
            await _sign.StartAsync();
            Ledger = await _fixture.Start(Tokens.NewOptions("ledger"), sign: address);
            await Ledger.Leads();
            await Fill();
            await Eventually.Holds(() => Ledger.App.Services.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger's own relay runs");
            FileBytes = Assert.IsType<FileContentHttpResult>((await Ask("rx-1")).Result).FileContents;
            await System.IO.File.WriteAllTextAsync(Path.Combine(PublicFolder, "root.pem"), _signed.RootPem);
            Trusted = TrustedList.Load(PublicFolder);
        }

        internal Task<Results<FileContentHttpResult, ProblemHttpResult>> Ask(string prescription) => GetEvidence.Answer(
            prescription,
            new Caller("urn:mdid:p:regulator", "regulator-client", new HashSet<string>(StringComparer.Ordinal), "regulator", null, "510000", null, null, "jti-1"),
            Ledger.App.Services.GetRequiredService<EvidenceParts>(),
            Ledger.App.Services.GetRequiredService<ProblemSet>(),
            CancellationToken.None);

        public async ValueTask DisposeAsync()
        {
            await Ledger.DisposeAsync();
            await _sign.DisposeAsync();
            await _fixture.DisposeAsync();
            _signed.Dispose();
        }

        private async Task Fill()
        {
            var ca = await Producer("ca");
            await Post("ca", ca.Next(TestProducer.Ceremony()), 1);
            var sign = await Producer("sign");
            await Post("sign", sign.Next(sign.Body("rx-0"), sign.Body("rx-1", "RX.sign", _signed.Basis), sign.Body("rx-2")), 3);
            await Post("ca", ca.Next(ca.Body("rx-9")), 1);
            await Post("sign", sign.Next(sign.Body("rx-1"), sign.Body("rx-1", "RX.claim")), 2);
            await Post("sign", sign.Next(sign.Body("rx-1", "RX.dispense"), sign.Body("rx-3"), sign.Body("rx-4")), 3);
        }

        private async Task<TestProducer> Producer(string source)
        {
            using var client = _fixture.Client(source, Ledger.Address);
            await new LedgerLink(client, source).OpenEpoch(new string('0', 64), default);
            return _fixture.Producer(source);
        }

        private async Task Post(string source, byte[] frame, int count)
        {
            using var client = _fixture.Client(source, Ledger.Address);
            Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, source).Post(frame, count, default));
        }
    }
}

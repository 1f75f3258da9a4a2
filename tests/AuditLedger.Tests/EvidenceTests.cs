using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Cli.Verify;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>An evidence file made by a real ledger and cosigned, verified by the offline verifiers, and every way we know to falsify it.</summary>
[Collection(nameof(EvidenceMade))]
public sealed class EvidenceTests(EvidenceMade made)
{
    private static readonly bool Long = Environment.GetEnvironmentVariable("TRUST_TEST_LONG") is not null;

    [Fact]
    public void The_file_of_a_real_ledger_verifies_offline_with_all_events_and_signatures()
    {
        var verdict = EvidenceVerifier.Verify(made.File, made.Trusted);
        Assert.Null(verdict.Finding);
        Assert.Equal(["RX.sign", "RX.review", "RX.claim", "RX.dispense"], verdict.Events.Select(e => e.Action));
        Assert.Equal(["prescribe", "review"], verdict.Signatures.Select(s => s.Kind));
        Assert.Equal(["w1.example"], verdict.Witnesses.Select(w => w.Name));
        Assert.Contains("VERIFIED: these 4 events are all", VerdictText.Write(verdict, english: true), StringComparison.Ordinal);
        Assert.Contains("验证通过：该主体在此时间段内的全部 4 个事件", VerdictText.Write(verdict, english: false), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_flipped_byte_is_refused_by_name()
    {
        var random = new Random();
        var file = made.File.ToArray();
        var codes = new HashSet<string>(StringComparer.Ordinal);
        // One random bit in every sixth byte, from a random start: some thousands of verifications; 100,000 in the long run.
        for (var (at, done) = (random.Next(6), 0); Long ? done < 100_000 : at < file.Length; at = Long ? random.Next(file.Length) : at + 6, done++)
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
        var indices = made.Json()["events"]!.AsArray().Select(e => e!["index"]!.GetValue<long>()).ToList();
        for (var i = 0; i < indices.Count; i++)
        {
            Named(j => j["events"]!.AsArray().RemoveAt(i), "event-missing", indices[i]);
            Named(j => j["events"]![i]!["leaf"] = Flip(j["events"]![i]!["leaf"]!), "event-altered", indices[i]);
        }

        Named(j => Swap(j["events"]!.AsArray(), 1, 2), "event-reordered", indices[2]);
        Named(j => Swap(j["events"]!.AsArray(), 0, 3), "event-reordered", indices[3]);
        Named(
            j => j["events"]!.AsArray().Add(new JsonObject { ["index"] = 1, ["leafHash"] = Convert.ToBase64String(new byte[32]), ["proof"] = new JsonArray() }),
            "event-not-listed", 1);
    }

    [Fact]
    public void Dropping_adding_or_moving_one_event_of_an_answer_is_refused_every_time()
    {
        // Against the proof itself, not the file around it: the index list in the proof is falsified along with the events.
        var random = new Random();
        var source = made.Json();
        var proof = Convert.FromBase64String(source["completeness"]!.GetValue<string>());
        var indices = source["events"]!.AsArray().Select(e => e!["index"]!.GetValue<long>()).ToList();
        var (size, root) = (source["question"]!["size"]!.GetValue<long>(), Convert.FromBase64String(source["tree"]!["root"]!.GetValue<string>()));
        var key = Convert.FromBase64String(source["question"]!["key"]!.GetValue<string>());
        var hashes = source["events"]!.AsArray().Select(e => MerkleProof.LeafHash(Convert.FromBase64String(e!["leaf"]!.GetValue<string>()))).ToList();
        Assert.True(CompletenessProof.TryRead(proof)!.Holds(size, root, key, 0, size - 1, hashes));
        for (var i = 0; i < (Long ? 10_000 : 1000); i++)
        {
            var (falsified, others) = FalsifiedProof.Make(random, proof, indices, hashes);
            Assert.False(CompletenessProof.TryRead(falsified) is { } read && read.Indices.Count() == others.Count && read.Holds(size, root, key, 0, size - 1, others));
        }
    }

    [Fact]
    public void Proofs_batches_and_keys_cannot_be_exchanged()
    {
        Named(j => j["events"]![1]!["proof"] = j["events"]![2]!["proof"]!.DeepClone(), "event-altered", null);
        Named(j => j["events"]![1]!["batch"]!["signature"] = j["events"]![3]!["batch"]!["signature"]!.DeepClone(), "batch-signature", null);
        Named(j => j["events"]![1]!["batch"]!["count"] = 999, "batch-shape", null);
        Named(j => j["policy"]!["batchKeys"]!["sign"] = j["policy"]!["batchKeys"]!["ca"]!.DeepClone(), "key-not-trusted", null);
        Named(j => j["policy"]!["checkpointKeys"]!.AsArray().RemoveAt(0), "key-missing", null);
        Named(j => j["policy"]!["witnessQuorum"] = 0, "witness-policy", null);
        Named(j => j["policy"]!["witnessKeys"]!.AsArray().RemoveAt(0), "witness-policy", null);
        Named(j => j["checkpoint"] = j["query"]!["checkpoint"]!.DeepClone(), "witness-quorum", null);
        Named(j => j["question"]!["identifier"] = "rx-2", "question-key", null);
        Named(j => j["question"]!["caseNumber"] = "CASE-1", "file-not-logged", null);
        Named(j => j["question"]!["region"] = "000000", "file-not-logged", null);
        Named(j => j["range"]!["from"] = 1, "period", null);
        Named(j => j["range"]!["before"] = new JsonObject { ["leaf"] = j["events"]![0]!["leaf"]!.DeepClone(), ["proof"] = j["events"]![0]!["proof"]!.DeepClone() }, "period", null);
        Named(j => j["query"]!["consistency"] = new JsonArray(), "query-event", null);
        Named(j => j["query"]!["leaf"] = j["events"]![0]!["leaf"]!.DeepClone(), "query-event", null);
        Named(j => j["attachments"]!["prescription"] = "rx-2", "attachment-prescription", null);
        Named(j => j["attachments"] = null, "file-not-logged", null);
        Named(j => j["openings"]!.AsArray().Add(new JsonObject { ["index"] = j["events"]![0]!["index"]!.DeepClone(), ["dataKey"] = Convert.ToBase64String(new byte[32]) }), "opening", null);
        Named(j => j["format"] = "trust.evidence.v1", "unknown-format", null);
        Named(j => j["extra"] = 1, "malformed-file", null);
    }

    [Fact]
    public async Task Batches_count_by_any_key_of_their_source_that_the_verifier_trusts_and_by_no_other()
    {
        var sign = made.Json()["policy"]!["batchKeys"]!["sign"]!.AsArray();
        Assert.Equal(2, sign.Count);
        Assert.Equal("batch-signature", EvidenceVerifier.Verify(Falsified(j => j["policy"]!["batchKeys"]!["sign"]!.AsArray().RemoveAt(1)), made.Trusted).Finding!.Code);
        var falsified = Falsified(j => j["policy"]!["batchKeys"]!["sign"]!.AsArray().RemoveAt(0));
        Assert.Equal("batch-signature", EvidenceVerifier.Verify(falsified, made.Trusted).Finding!.Code);
        Assert.StartsWith("REFUSED [batch-signature]", await made.Python(falsified), StringComparison.Ordinal);
        var current = made.Trusted.BatchKeys.ToDictionary(k => k.Key, IReadOnlyList<byte[]> (k) => [k.Value[0]], StringComparer.Ordinal);
        Assert.Equal("key-not-trusted", EvidenceVerifier.Verify(made.File, made.Trusted with { BatchKeys = current }).Finding!.Code);
    }

    [Fact]
    public async Task Nothing_can_be_left_out_of_a_file_that_would_not_be_missed()
    {
        Action<JsonObject>[] changes =
        [
            j => j["anchor"] = null,
            j => j["policy"]!["batchKeys"]!.AsObject().Remove("idp"),
        ];
        foreach (var change in changes)
        {
            var file = Falsified(change);
            Assert.Equal("file-not-logged", EvidenceVerifier.Verify(file, made.Trusted).Finding!.Code);
            Assert.StartsWith("REFUSED [file-not-logged]", await made.Python(file), StringComparison.Ordinal);
        }

        // An event of the prescription that is withheld beside its signatures could be one whose signature was left out.
        var withheld = Falsified(j => j["events"]![2] = new JsonObject
        {
            ["index"] = j["events"]![2]!["index"]!.DeepClone(),
            ["leafHash"] = Convert.ToBase64String(MerkleProof.LeafHash(Convert.FromBase64String(j["events"]![2]!["leaf"]!.GetValue<string>()))),
            ["proof"] = j["events"]![2]!["proof"]!.DeepClone(),
        });
        Assert.Equal("attachment-events", EvidenceVerifier.Verify(withheld, made.Trusted).Finding!.Code);

        var key = System.Buffers.Text.Base64Url.EncodeToString(made.Patient.Key);
        var opened = JsonNode.Parse(await made.Bytes($"/evidence/patient/{key}?caseNumber=CASE-2026-7", "510000"))!;
        Assert.Single(opened["openings"]!.AsArray());
        opened["openings"] = new JsonArray();
        Assert.Equal("file-not-logged", Finding(opened).Code);
    }

    [Fact]
    public async Task A_file_says_since_when_its_log_has_stood_by_the_time_stamp_of_an_outside_authority()
    {
        var verdict = EvidenceVerifier.Verify(made.File, made.Trusted);
        Assert.InRange(verdict.AnchoredAt!.Value, DateTimeOffset.UtcNow.AddMinutes(-10), DateTimeOffset.UtcNow);
        Named(j => j["anchor"]!["token"] = Flip(j["anchor"]!["token"]!), "anchor", null);
        Named(j => j["anchor"]!["checkpoint"] = j["query"]!["checkpoint"]!.DeepClone(), "anchor", null);
        var forged = Falsified(j => j["anchor"]!["token"] = Flip(j["anchor"]!["token"]!));
        Assert.StartsWith("REFUSED [anchor]", await made.Python(forged), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_made_with_keys_of_its_own_does_not_vouch_for_itself()
    {
        Assert.Equal("key-not-trusted", EvidenceVerifier.Verify(made.File, made.Trusted with { CheckpointKeys = ["x+00000000+AQ=="] }).Finding!.Code);
        Assert.Equal("key-not-trusted", EvidenceVerifier.Verify(made.File, made.Trusted with { BatchKeys = new Dictionary<string, IReadOnlyList<byte[]>>(StringComparer.Ordinal) }).Finding!.Code);
        Assert.Equal("witness-policy", EvidenceVerifier.Verify(made.File, made.Trusted with { WitnessQuorum = 2 }).Finding!.Code);
        Assert.Equal("anchor", EvidenceVerifier.Verify(made.File, made.Trusted with { Roots = [] }).Finding!.Code);
        Assert.Contains(made.Trusted.Roots, root => EvidenceVerifier.Verify(made.File, made.Trusted with { Roots = [root] }).Finding!.Code is "time-stamp");
    }

    [Fact]
    public void White_space_and_other_spellings_are_refused()
    {
        Assert.Equal("not-canonical", EvidenceVerifier.Verify([.. made.File, (byte)'\n'], made.Trusted).Finding!.Code);
        Assert.Equal("not-canonical", EvidenceVerifier.Verify(Encoding.UTF8.GetBytes(made.Json().ToJsonString()), made.Trusted).Finding?.Code ?? "not-canonical");
        Assert.Equal("malformed-file", EvidenceVerifier.Verify("[]"u8, made.Trusted).Finding!.Code);
        Assert.Equal("malformed-file", EvidenceVerifier.Verify([], made.Trusted).Finding!.Code);
    }

    [Fact]
    public async Task An_answer_to_a_narrower_period_does_not_pass_for_the_one_asked()
    {
        var all = EvidenceVerifier.Verify(made.File, made.Trusted).Events;
        string Ask(DateTimeOffset from, DateTimeOffset to) => $"/evidence/prescription/rx-1?from={from:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}&to={to:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}";
        var wide = JsonNode.Parse(await made.Bytes(Ask(all[1].Time, all[3].Time), "510000"))!;
        foreach (var narrow in (string[])[Ask(all[2].Time, all[3].Time), Ask(all[1].Time, all[2].Time)])
        {
            var forged = wide.DeepClone();
            var answer = JsonNode.Parse(await made.Bytes(narrow + $"&size={wide["question"]!["size"]}", "510000"))!;
            foreach (var member in (string[])["range", "completeness", "events"])
            {
                forged[member] = answer[member]!.DeepClone();
            }

            Assert.Equal("period", Finding(forged).Code);
            // Nor when what shows the narrower end is left out, or taken from the wider answer.
            foreach (var end in (string[])["before", "after"])
            {
                var without = forged.DeepClone();
                without["range"]![end] = null;
                Assert.Equal("period", Finding(without).Code);
                without["range"]![end] = wide["range"]![end]!.DeepClone();
                Assert.Equal("period", Finding(without).Code);
            }
        }
    }

    [Fact]
    public async Task A_period_is_shown_to_a_regulator_who_may_see_none_of_its_neighbours()
    {
        var all = EvidenceVerifier.Verify(made.File, made.Trusted).Events;
        var verdict = await made.Verified($"/evidence/prescription/rx-1?from={all[1].Time:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}&to={all[3].Time:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}", region: "130000");
        Assert.Empty(verdict.Events);
        // Counted are at least those of the period; the range may reach beyond it.
        Assert.True(verdict.Withheld.Count >= 2);
    }

    [Theory]
    [InlineData("rx-5")] // b64 is not critical (RFC 7797 6)
    [InlineData("rx-6")] // something is critical that no verifier knows (RFC 7515 4.1.11)
    public async Task A_signature_whose_header_must_not_be_understood_otherwise_is_refused(string prescription)
    {
        var file = await made.Bytes("/evidence/prescription/" + prescription, "510000");
        Assert.Equal("signature-header", EvidenceVerifier.Verify(file, made.Trusted).Finding!.Code);
        Assert.StartsWith("REFUSED [signature-header]", await made.Python(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signer_whom_the_log_does_not_name_is_refused()
    {
        var file = await made.Bytes("/evidence/prescription/rx-2", "510000");
        Assert.Equal("signer-not-logged", EvidenceVerifier.Verify(file, made.Trusted).Finding!.Code);
        Assert.StartsWith("REFUSED [signer-not-logged]", await made.Python(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signature_that_commits_to_a_seal_and_mentions_the_author_is_not_the_authors()
    {
        var file = await made.Bytes("/evidence/prescription/rx-7", "510000");
        Assert.Equal("signature-kind", EvidenceVerifier.Verify(file, made.Trusted).Finding!.Code);
        Assert.StartsWith("REFUSED [signature-kind]", await made.Python(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_act_of_signing_that_the_log_holds_has_its_signature_in_the_file()
    {
        foreach (var left in (int[])[0, 1])
        {
            var file = Falsified(j =>
            {
                var signatures = j["attachments"]!["signatures"]!.AsArray();
                while (signatures.Count > left)
                {
                    signatures.RemoveAt(left);
                }
            });
            Assert.Equal("signature-missing", EvidenceVerifier.Verify(file, made.Trusted).Finding!.Code);
            Assert.StartsWith("REFUSED [signature-missing]", await made.Python(file), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_second_verifier_reaches_the_same_verdict_on_good_and_falsified_files()
    {
        Assert.StartsWith("VERIFIED", await made.Python(made.File.ToArray()), StringComparison.Ordinal);
        Action<JsonObject>[] falsifications =
        [
            j => j["events"]!.AsArray().RemoveAt(1),
            j => Swap(j["events"]!.AsArray(), 1, 2),
            j => j["events"]![2]!["leaf"] = Flip(j["events"]![2]!["leaf"]!),
            j => j["events"]![1]!["batch"]!["signature"] = j["events"]![3]!["batch"]!["signature"]!.DeepClone(),
            j => j["completeness"] = Flip(j["completeness"]!),
            j => j["checkpoint"] = j["query"]!["checkpoint"]!.DeepClone(),
            j => j["policy"]!["witnessQuorum"] = 0,
            j => j["question"]!["identifier"] = "rx-2",
            j => j["question"]!["caseNumber"] = "CASE-1",
            j => j["range"]!["from"] = 1,
            j => j["tree"]!["root"] = Flip(j["tree"]!["root"]!),
            j => j["extra"] = 1,
            j => j["range"]!["before"] = new JsonObject { ["leaf"] = j["events"]![0]!["leaf"]!.DeepClone(), ["proof"] = j["events"]![0]!["proof"]!.DeepClone() },
            j => j["query"]!["consistency"] = new JsonArray(),
            j => j["attachments"] = null,
            j => j["policy"]!["batchKeys"]!["sign"] = j["policy"]!["batchKeys"]!["ca"]!.DeepClone(),
        ];
        foreach (var falsify in falsifications)
        {
            var file = Falsified(falsify);
            var code = EvidenceVerifier.Verify(file, made.Trusted).Finding!.Code;
            Assert.StartsWith($"REFUSED [{code}]", await made.Python(file), StringComparison.Ordinal);
        }

        Assert.StartsWith("NO EVENT", await made.Python(await made.Bytes("/evidence/prescription/rx-unknown", "510000")), StringComparison.Ordinal);
        Assert.StartsWith("VERIFIED", await made.Python(await made.Bytes("/evidence/prescription/rx-1", "510100")), StringComparison.Ordinal);
        var all = EvidenceVerifier.Verify(made.File, made.Trusted).Events;
        var period = $"/evidence/prescription/rx-1?from={all[1].Time:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}&to={all[3].Time:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}";
        Assert.StartsWith("VERIFIED", await made.Python(await made.Bytes(period, "510000")), StringComparison.Ordinal);
    }

    private Finding Finding(JsonNode forged) =>
        EvidenceVerifier.Verify(CanonicalJson.Encode(JsonSerializer.SerializeToElement(forged)), made.Trusted).Finding!;

    private byte[] Falsified(Action<JsonObject> change)
    {
        var json = made.Json();
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
}

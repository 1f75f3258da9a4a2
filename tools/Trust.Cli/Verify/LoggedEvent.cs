using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>A leaf taken apart and checked in itself (docs/LEDGER-FORMAT.md §3, §4, §6).</summary>
internal sealed record LoggedEvent(
    long Index, byte[] LeafHash, List<byte[]> Keys, DateTimeOffset Time, string Source, long Epoch, long Seq, byte[] Prev, byte[] EnvelopeHash, JsonElement Body)
{
    private const int MaxBody = 8192;

    private static readonly byte[] EnvelopeTag = "trust.envelope.v1\n"u8.ToArray();

    private static readonly string[] TextMembers =
        ["action", "basis", "class", "correlation", "id", "onBehalfOf", "outcome", "permitNo", "purpose", "reason", "ruleVersion"];

    public string Action => Body.GetProperty("action").GetString()!;

    public string Outcome => Body.GetProperty("outcome").GetString()!;

    public string Actor => Body.GetProperty("actor").GetProperty("subject").GetString()!;

    public string? ActorCertificate => Body.GetProperty("actor").TryGetProperty("certificate", out var hash) ? hash.GetString() : null;

    public string? Basis => Body.TryGetProperty("basis", out var basis) ? basis.GetString() : null;

    /// <summary>The sealed detail, opened with its data key; null when there is none or the key is another (docs/LEDGER-FORMAT.md §3).</summary>
    public string? Opened(byte[] dataKey)
    {
        const int nonce = 12;
        const int tag = 16;
        if (!Body.TryGetProperty("sealed", out var text) || Strict.Base64UrlBytes(text.GetString()!) is not { Length: >= nonce + tag } box)
        {
            return null;
        }

        var plain = new byte[box.Length - nonce - tag];
        using var cipher = new AesGcm(dataKey, tag);
        try
        {
            cipher.Decrypt(box.AsSpan(0, nonce), box.AsSpan(nonce, plain.Length), box.AsSpan(nonce + plain.Length), plain, Encoding.ASCII.GetBytes(Body.GetProperty("id").GetString()!));
            return Encoding.UTF8.GetString(plain);
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    public static LoggedEvent Read(long index, byte[] leaf)
    {
        var at = 0;
        ReadOnlySpan<byte> Take(int length)
        {
            EvidenceRefusedException.When(length < 0 || leaf.Length - at < length, "leaf-malformed", index);
            at += length;
            return leaf.AsSpan(at - length, length);
        }

        EvidenceRefusedException.When(Take(1)[0] != 1, "leaf-type", index);
        var count = Take(1)[0];
        var keys = new List<byte[]>(count);
        for (var i = 0; i < count; i++)
        {
            keys.Add(Take(32).ToArray());
        }

        var micros = BinaryPrimitives.ReadInt64BigEndian(Take(8));
        EvidenceRefusedException.When(micros is < 0 or > 253_402_300_799_999_999, "leaf-malformed", index, "time");
        var envelope = Take(BinaryPrimitives.ReadUInt16BigEndian(Take(2))).ToArray();
        var body = Take(BinaryPrimitives.ReadUInt16BigEndian(Take(2))).ToArray();
        EvidenceRefusedException.When(at != leaf.Length, "leaf-malformed", index, "length");
        var place = ReadEnvelope(index, envelope, SHA256.HashData(body));
        var parsed = ReadBody(index, body);
        CheckKeys(index, keys, parsed);
        return new LoggedEvent(
            index, SHA256.HashData([0, .. leaf]), keys, DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond),
            place.Source, place.Epoch, place.Seq, place.Prev, SHA256.HashData(envelope), parsed);
    }

    private static (string Source, long Epoch, long Seq, byte[] Prev) ReadEnvelope(long index, byte[] envelope, byte[] bodyHash)
    {
        var head = EnvelopeTag.Length;
        EvidenceRefusedException.When(
            envelope.Length <= head || !envelope.AsSpan().StartsWith(EnvelopeTag) || envelope.Length != head + 1 + envelope[head] + 80,
            "envelope-malformed", index);
        var at = head + 1 + envelope[head];
        var source = Encoding.ASCII.GetString(envelope, head + 1, envelope[head]);
        EvidenceRefusedException.When(!envelope.AsSpan(at + 48).SequenceEqual(bodyHash), "body-hash", index);
        return (source, BinaryPrimitives.ReadInt64BigEndian(envelope.AsSpan(at)), BinaryPrimitives.ReadInt64BigEndian(envelope.AsSpan(at + 8)),
            envelope[(at + 16)..(at + 48)]);
    }

    private static JsonElement ReadBody(long index, byte[] bytes)
    {
        var parsed = StrictJson.TryParse(bytes, new JsonLimits(MaxBody, 4), out var body, out _);
        EvidenceRefusedException.When(!parsed || !CanonicalJson.Encode(body).AsSpan().SequenceEqual(bytes), "body-malformed", index);
        try
        {
            Strict.Members(body, "body", "action", "actor", "basis?", "class?", "correlation?", "id", "onBehalfOf?", "outcome", "permitNo?",
                "purpose?", "reason?", "ruleVersion?", "salt", "sealed?", "subjects", "time", "v", "where");
            Strict.Members(body.GetProperty("actor"), "actor", "certificate?", "institution?", "role?", "subject");
            Strict.Members(body.GetProperty("where"), "where", "node", "region");
        }
        catch (EvidenceRefusedException e)
        {
            throw new EvidenceRefusedException(new Finding("body-malformed", index, e.Finding.Detail));
        }

        foreach (var text in TextMembers.Where(n => body.TryGetProperty(n, out _)).Select(n => body.GetProperty(n))
            .Concat(body.GetProperty("actor").EnumerateObject().Select(p => p.Value))
            .Concat(body.GetProperty("where").EnumerateObject().Select(p => p.Value)))
        {
            EvidenceRefusedException.When(
                text.ValueKind != JsonValueKind.String || Encoding.UTF8.GetByteCount(text.GetString()!) is 0 or > 256, "body-malformed", index, "text");
        }

        CheckFixed(index, body);
        return body;
    }

    private static void CheckFixed(long index, JsonElement body)
    {
        EvidenceRefusedException.When(body.GetProperty("v") is not { ValueKind: JsonValueKind.Number } v || v.GetRawText() is not "1", "body-malformed", index, "v");
        EvidenceRefusedException.When(body.GetProperty("outcome").GetString() is not ("success" or "refused" or "failed"), "body-malformed", index, "outcome");
        var salt = body.GetProperty("salt");
        EvidenceRefusedException.When(
            salt.ValueKind != JsonValueKind.String || Strict.Base64UrlBytes(salt.GetString()!) is not { Length: 16 }, "body-malformed", index, "salt");
        var time = body.GetProperty("time");
        EvidenceRefusedException.When(
            time.ValueKind != JsonValueKind.String || !DateTime.TryParseExact(
                time.GetString(), "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "body-malformed", index, "time");
    }

    private static void CheckKeys(long index, List<byte[]> keys, JsonElement body)
    {
        var subjects = body.GetProperty("subjects");
        EvidenceRefusedException.When(subjects.ValueKind != JsonValueKind.Array, "body-malformed", index, "subjects");
        var expected = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var subject in subjects.EnumerateArray())
        {
            var key = subject.ValueKind == JsonValueKind.Object && subject.TryGetProperty("key", out var text) && text.ValueKind == JsonValueKind.String
                && subject.TryGetProperty("kind", out _) && subject.EnumerateObject().Count() == 2
                ? Strict.Base64UrlBytes(text.GetString()!)
                : null;
            EvidenceRefusedException.When(key is not { Length: 32 }, "body-malformed", index, "subjects");
            expected.Add(Convert.ToHexString(key!));
        }

        EvidenceRefusedException.When(!keys.Select(Convert.ToHexString).SequenceEqual(expected, StringComparer.Ordinal), "subject-keys", index);
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Trust.Cli.Verify;

/// <summary>A leaf taken apart and checked in itself (docs/LEDGER-FORMAT.md §3, §4, §6).</summary>
internal sealed record LoggedEvent(
    long Index, byte[] LeafHash, List<byte[]> Keys, DateTimeOffset Time, string Source, long Epoch, long Seq, byte[] Prev, byte[] EnvelopeHash, JsonElement Body, bool ByActor)
{
    private const byte FirstVisible = 0x21;
    private const byte LastVisible = 0x7E;

    private static readonly byte[] EnvelopeTag = "trust.envelope.v1\n"u8.ToArray();

    public string Action => Body.GetProperty("action").GetString()!;

    public string Outcome => Body.GetProperty("outcome").GetString()!;

    public string Actor => Body.GetProperty("actor").GetProperty("subject").GetString()!;

    public string Id => Body.GetProperty("id").GetString()!;

    public string Region => Body.GetProperty("where").GetProperty("region").GetString()!;

    public string? ActorInstitution => Body.GetProperty("actor").TryGetProperty("institution", out var institution) ? institution.GetString() : null;

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

        EvidenceRefusedException.When(leaf is not [1 or 3, ..], "leaf-type", index);
        Take(1);
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
        var parsed = BodyGrammar.Read(index, body);
        CheckKeys(index, keys, parsed, leaf[0] == 3);
        return new LoggedEvent(
            index, SHA256.HashData([0, .. leaf]), keys, DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond),
            place.Source, place.Epoch, place.Seq, place.Prev, SHA256.HashData(envelope), parsed, leaf[0] == 3);
    }

    private static (string Source, long Epoch, long Seq, byte[] Prev) ReadEnvelope(long index, byte[] envelope, byte[] bodyHash)
    {
        var head = EnvelopeTag.Length;
        EvidenceRefusedException.When(
            envelope.Length <= head || !envelope.AsSpan().StartsWith(EnvelopeTag) || envelope.Length != head + 1 + envelope[head] + 80,
            "envelope-malformed", index);
        var at = head + 1 + envelope[head];
        var source = envelope.AsSpan(head + 1, envelope[head]);
        var (epoch, seq) = (BinaryPrimitives.ReadInt64BigEndian(envelope.AsSpan(at)), BinaryPrimitives.ReadInt64BigEndian(envelope.AsSpan(at + 8)));
        EvidenceRefusedException.When(
            source.IsEmpty || source.ContainsAnyExceptInRange(FirstVisible, LastVisible) || epoch < 0 || seq < 1, "envelope-malformed", index, "content");
        EvidenceRefusedException.When(!envelope.AsSpan(at + 48).SequenceEqual(bodyHash), "body-hash", index);
        return (Encoding.ASCII.GetString(source), epoch, seq, envelope[(at + 16)..(at + 48)]);
    }

    // Those of the body, in a leaf of type 3 with the actor's, sorted as bytes, each once.
    private static void CheckKeys(long index, List<byte[]> keys, JsonElement body, bool byActor)
    {
        var expected = body.GetProperty("subjects").EnumerateArray()
            .Select(subject => Strict.Base64UrlBytes(subject.GetProperty("key").GetString()!)!)
            .Concat(byActor ? [Question.KeyOf(Question.Actor, body.GetProperty("actor").GetProperty("subject").GetString()!)] : [])
            .Select(Convert.ToHexString)
            .ToHashSet(StringComparer.Ordinal).Order(StringComparer.Ordinal);
        EvidenceRefusedException.When(!keys.Select(Convert.ToHexString).SequenceEqual(expected, StringComparer.Ordinal), "subject-keys", index);
    }
}

using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Trust.LogFormat.Index;

namespace Trust.LogFormat;

/// <summary>Where an event arose.</summary>
/// <param name="Region">GB/T 2260 code of the service.</param>
/// <param name="Node">Name of the instance.</param>
public sealed record EventPlace(string Region, string Node);

/// <summary>Canonical bytes of an event as they are stored, hashed and sent, with the key that opens the sealed detail.</summary>
/// <param name="Id">The event.</param>
/// <param name="Action">Its action.</param>
/// <param name="Bytes">RFC 8785 JSON, at most <see cref="EventBody.MaxBytes"/>.</param>
/// <param name="DataKey">32 bytes that travel beside the body, or empty.</param>
public sealed record BuiltEvent(EventId Id, string Action, byte[] Bytes, byte[] DataKey);

/// <summary>Builds the body v1 of docs/LEDGER-FORMAT.md §3. Members are written in RFC 8785 order, so no later canonicalisation is needed.</summary>
public static class EventBody
{
    // What would need an escape in JSON, and the C1 controls, which terminals obey.
    private static readonly SearchValues<char> NeverInText = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7f, 0x21)).Select(c => (char)c), '"', '\\']);

    /// <summary>Largest body, in bytes.</summary>
    public const int MaxBytes = 8192;

    /// <summary>Most subjects of one event.</summary>
    public const int MaxSubjects = 64;

    /// <summary>Longest text member, in UTF-8 bytes.</summary>
    public const int MaxText = 256;

    /// <summary>Largest sealed plaintext, in bytes.</summary>
    public const int MaxSealed = 4096;

    internal const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    /// <summary>Builds and checks a body by the ledger's own rules.</summary>
    /// <param name="e">What happened.</param>
    /// <param name="place">Where.</param>
    /// <param name="now">The producer's clock; truncated to microseconds.</param>
    /// <param name="refusal">Why the event cannot be recorded; null on success.</param>
    /// <returns>The bytes, or null.</returns>
    public static BuiltEvent? TryBuild(AuditEvent e, EventPlace place, DateTimeOffset now, out string? refusal)
    {
        if (e.Sealed.Length > MaxSealed)
        {
            refusal = "sealed-too-large";
            return null;
        }

        refusal = TextsOf(e, place).FirstOrDefault(text => text.Value is not null && text.Value.AsSpan().ContainsAny(NeverInText)).Member;
        if (refusal is not null)
        {
            return null;
        }

        var id = e.Id ?? new EventId(Guid.CreateVersion7(now));
        var dataKey = e.Sealed.IsEmpty ? [] : RandomNumberGenerator.GetBytes(32);
        var text = new StringBuilder(1024);
        Write(text, e, place, now, id, dataKey);
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        refusal = EventBodyReader.Check(bytes);
        return refusal is null ? new BuiltEvent(id, e.Action, bytes, dataKey) : null;
    }

    /// <summary>Opens the sealed detail of a body.</summary>
    /// <param name="sealedText">The member <c>sealed</c>.</param>
    /// <param name="dataKey">32 bytes.</param>
    /// <param name="id">The event, which the encryption binds.</param>
    /// <exception cref="CryptographicException">Wrong key or altered bytes.</exception>
    public static byte[] Open(string sealedText, ReadOnlySpan<byte> dataKey, EventId id)
    {
        var bytes = Base64Url.DecodeFromChars(sealedText);
        if (bytes.Length < 28)
        {
            throw new CryptographicException("The sealed detail is shorter than nonce and tag.");
        }

        var plaintext = new byte[bytes.Length - 28];
        using var aes = new AesGcm(dataKey, 16);
        aes.Decrypt(bytes.AsSpan(0, 12), bytes.AsSpan(12, plaintext.Length), bytes.AsSpan(bytes.Length - 16), plaintext, IdBytes(id));
        return plaintext;
    }

    private static void Write(StringBuilder text, AuditEvent e, EventPlace place, DateTimeOffset now, EventId id, byte[] dataKey)
    {
        text.Append('{');
        Member(text, "action", e.Action);
        text.Append(",\"actor\":{");
        var first = true;
        Optional(text, "certificate", e.Actor.Certificate, ref first);
        Optional(text, "institution", e.Actor.Institution, ref first);
        Optional(text, "role", e.Actor.Role, ref first);
        Optional(text, "subject", e.Actor.Subject, ref first);
        text.Append('}');
        first = false;
        Optional(text, "basis", e.Basis, ref first);
        Optional(text, "class", e.Class, ref first);
        Optional(text, "correlation", e.Correlation, ref first);
        Optional(text, "id", id.ToString(), ref first);
        Optional(text, "onBehalfOf", e.OnBehalfOf, ref first);
        Optional(text, "outcome", e.Outcome, ref first);
        Optional(text, "permitNo", e.PermitNo, ref first);
        Optional(text, "purpose", e.Purpose, ref first);
        Optional(text, "reason", e.Reason, ref first);
        Optional(text, "ruleVersion", e.RuleVersion, ref first);
        Optional(text, "salt", Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)), ref first);
        Optional(text, "sealed", Seal(e.Sealed.Span, dataKey, id), ref first);
        text.Append(",\"subjects\":[");
        WriteSubjects(text, e.Subjects);
        text.Append(']');
        Optional(text, "time", now.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture), ref first);
        text.Append(",\"v\":1,\"where\":{");
        Member(text, "node", place.Node);
        text.Append(',');
        Member(text, "region", place.Region);
        text.Append("}}");
    }

    private static void WriteSubjects(StringBuilder text, IReadOnlyList<SubjectKey> subjects)
    {
        var seen = new HashSet<SubjectKey>();
        foreach (var subject in subjects)
        {
            if (!seen.Add(subject))
            {
                continue;
            }

            text.Append(seen.Count == 1 ? "{" : ",{");
            Member(text, "key", Base64Url.EncodeToString(subject.Key));
            text.Append(',');
            Member(text, "kind", subject.Kind);
            text.Append('}');
        }
    }

    private static string? Seal(ReadOnlySpan<byte> plaintext, byte[] dataKey, EventId id)
    {
        if (dataKey.Length == 0)
        {
            return null;
        }

        var bytes = new byte[12 + plaintext.Length + 16];
        RandomNumberGenerator.Fill(bytes.AsSpan(0, 12));
        using var aes = new AesGcm(dataKey, 16);
        aes.Encrypt(bytes.AsSpan(0, 12), plaintext, bytes.AsSpan(12, plaintext.Length), bytes.AsSpan(bytes.Length - 16), IdBytes(id));
        return Base64Url.EncodeToString(bytes);
    }

    private static byte[] IdBytes(EventId id) => Encoding.ASCII.GetBytes(id.ToString());

    // Everything of an event that is written as it is.
    private static IEnumerable<(string Member, string? Value)> TextsOf(AuditEvent e, EventPlace place) =>
    [
        ("action", e.Action), ("actor", e.Actor.Certificate), ("actor", e.Actor.Institution), ("actor", e.Actor.Role), ("actor", e.Actor.Subject),
        ("basis", e.Basis), ("class", e.Class), ("correlation", e.Correlation), ("onBehalfOf", e.OnBehalfOf), ("outcome", e.Outcome),
        ("permitNo", e.PermitNo), ("purpose", e.Purpose), ("reason", e.Reason), ("ruleVersion", e.RuleVersion), ("where", place.Node), ("where", place.Region),
    ];

    // Text is written raw, after it was judged value by value: judged as a whole, a value could end its member and write others
    // (docs/LEDGER-FORMAT.md §3).
    private static void Member(StringBuilder text, string name, string value) =>
        text.Append('"').Append(name).Append("\":\"").Append(value).Append('"');

    private static void Optional(StringBuilder text, string name, string? value, ref bool first)
    {
        if (value is null)
        {
            return;
        }

        if (!first)
        {
            text.Append(',');
        }

        first = false;
        Member(text, name, value);
    }
}

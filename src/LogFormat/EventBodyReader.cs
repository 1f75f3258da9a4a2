using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Trust.LogFormat;

/// <summary>
/// Strict reader of body v1. The grammar is smaller than JSON: members in one order, no white space, no escapes, so a body has
/// exactly one spelling and being read is being canonical. Runs at the producer before storing and at the ledger before sequencing.
/// </summary>
public ref struct EventBodyReader
{
    private static readonly SearchValues<byte> Forbidden = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\', 0x7f]);

    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);

    private const int TimeLength = 27;
    private const int RegionLength = 6;

    private readonly ReadOnlySpan<byte> _body;
    private int _at;
    private string? _refusal;

    private EventBodyReader(ReadOnlySpan<byte> body) => _body = body;

    /// <summary>Checks a body; null when it is good, otherwise a code naming the first broken rule.</summary>
    public static string? Check(ReadOnlySpan<byte> body) => Check(body, null, out _);

    /// <summary>Checks a body and collects what the sequencer needs.</summary>
    /// <param name="body">Untrusted bytes.</param>
    /// <param name="keys">Receives 32 bytes per subject in body order; may be null.</param>
    /// <param name="action">The action, when the body is good.</param>
    /// <param name="byActor">Whether the actor's key is among the keys (a leaf of type 3).</param>
    /// <returns>Null when good, otherwise a code naming the first broken rule.</returns>
    public static string? Check(ReadOnlySpan<byte> body, IBufferWriter<byte>? keys, out string action, bool byActor = false)
    {
        action = "";
        if (body.Length > EventBody.MaxBytes)
        {
            return "too-large";
        }

        if (!Utf8.IsValid(body))
        {
            return "not-utf8";
        }

        var reader = new EventBodyReader(body);
        reader.Read(keys, byActor, ref action);
        return reader._refusal;
    }

    /// <summary>When it happened, by the producer's clock.</summary>
    /// <param name="body">A body that <see cref="Check(ReadOnlySpan{byte})"/> found good: no text in it holds a quotation mark.</param>
    public static DateTimeOffset TimeOf(ReadOnlySpan<byte> body)
    {
        var name = ",\"time\":\""u8;
        var text = body.Slice(body.LastIndexOf(name) + name.Length, TimeLength);
        return DateTimeOffset.ParseExact(Encoding.ASCII.GetString(text), EventBody.TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
    }

    /// <summary>Whether there is sealed detail.</summary>
    /// <param name="body">A body that <see cref="Check(ReadOnlySpan{byte})"/> found good: no text in it holds a quotation mark.</param>
    public static bool HoldsSealed(ReadOnlySpan<byte> body) => body.IndexOf(",\"sealed\":\""u8) >= 0;

    private void Read(IBufferWriter<byte>? keys, bool byActor, ref string action)
    {
        Literal("{\"action\":"u8);
        var name = EventCatalogue.Find(Text("action"));
        if (name is null)
        {
            Refuse("unknown-action");
        }

        ReadActor(byActor ? keys : null);
        Optional(",\"basis\":"u8, "basis");
        Optional(",\"class\":"u8, "class");
        Optional(",\"correlation\":"u8, "correlation");
        Literal(",\"id\":"u8);
        ReadId();
        Optional(",\"onBehalfOf\":"u8, "onBehalfOf");
        Literal(",\"outcome\":"u8);
        var outcome = Text("outcome");
        if (!outcome.SequenceEqual("success"u8) && !outcome.SequenceEqual("refused"u8) && !outcome.SequenceEqual("failed"u8))
        {
            Refuse("outcome");
        }

        Optional(",\"permitNo\":"u8, "permitNo");
        Optional(",\"purpose\":"u8, "purpose");
        Optional(",\"reason\":"u8, "reason");
        Optional(",\"ruleVersion\":"u8, "ruleVersion");
        Literal(",\"salt\":"u8);
        Binary("salt", 16, 16);
        if (Next(",\"sealed\":"u8))
        {
            Binary("sealed", 28, 28 + EventBody.MaxSealed);
        }

        ReadSubjects(keys);
        Literal(",\"time\":"u8);
        ReadTime();
        Literal(",\"v\":1,\"where\":{\"node\":"u8);
        Text("node");
        Literal(",\"region\":"u8);
        var region = Text("region");
        if (region.Length != RegionLength || Number(region) < 0)
        {
            Refuse("region");
        }

        Literal("}}"u8);
        if (_at != _body.Length)
        {
            Refuse("trailing-bytes");
        }

        action = name ?? "";
    }

    private void ReadActor(IBufferWriter<byte>? keys)
    {
        Literal(",\"actor\":{"u8);
        if (Next("\"certificate\":"u8))
        {
            var certificate = Text("certificate");
            if (certificate.Length != 64 || !IsHex(certificate))
            {
                Refuse("certificate");
            }

            Literal(","u8);
        }

        if (Next("\"institution\":"u8))
        {
            Text("institution");
            Literal(","u8);
        }

        if (Next("\"role\":"u8))
        {
            Text("role");
            Literal(","u8);
        }

        Literal("\"subject\":"u8);
        var subject = Text("subject");
        if (_refusal is null)
        {
            keys?.Write(SubjectKey.Actor(Encoding.UTF8.GetString(subject)).Key);
        }

        Literal("}"u8);
    }

    private void ReadId()
    {
        var text = Text("id");
        if (text.Length != 36 || text[14] != (byte)'7' || text[19] is not ((byte)'8' or (byte)'9' or (byte)'a' or (byte)'b') || (text[8], text[13], text[18], text[23]) != ((byte)'-', (byte)'-', (byte)'-', (byte)'-')
            || !IsHex(text[..8]) || !IsHex(text[9..13]) || !IsHex(text[14..18]) || !IsHex(text[19..23]) || !IsHex(text[24..]))
        {
            Refuse("id");
        }
    }

    // 2026-11-22T09:30:00.000000Z, and a day and time that there are.
    private void ReadTime()
    {
        var text = Text("time");
        if (text.Length != TimeLength || (text[4], text[7], text[10], text[13]) != ((byte)'-', (byte)'-', (byte)'T', (byte)':')
            || (text[16], text[19], text[26]) != ((byte)':', (byte)'.', (byte)'Z')
            || Number(text[..4]) is not (> 0 and var year) || Number(text[5..7]) is not (>= 1 and <= 12 and var month)
            || Number(text[8..10]) is not (>= 1 and var day) || day > DateTime.DaysInMonth(year, month)
            || Number(text[11..13]) is not (>= 0 and < 24) || Number(text[14..16]) is not (>= 0 and < 60) || Number(text[17..19]) is not (>= 0 and < 60)
            || Number(text[20..26]) < 0)
        {
            Refuse("time");
        }
    }

    private static bool IsHex(ReadOnlySpan<byte> text) => !text.ContainsAnyExcept(HexDigits);

    // -1 when it is not digits alone.
    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return -1;
            }

            number = (10 * number) + digit - '0';
        }

        return number;
    }

    private void ReadSubjects(IBufferWriter<byte>? keys)
    {
        Literal(",\"subjects\":["u8);
        var count = 0;
        Span<byte> key = stackalloc byte[64];
        while (_refusal is null && (count == 0 ? Next("{\"key\":"u8) : Next(",{\"key\":"u8)))
        {
            if (++count > EventBody.MaxSubjects)
            {
                Refuse("too-many-subjects");
                return;
            }

            var text = Text("key");
            if (text.Length != 43 || !Decodes(text, key, out var length) || length != SubjectKey.Size)
            {
                Refuse("key");
                return;
            }

            keys?.Write(key[..SubjectKey.Size]);
            Literal(",\"kind\":"u8);
            var kind = Text("kind");
            if (kind.Length is 0 or > 32 || kind.ContainsAnyExceptInRange((byte)'a', (byte)'z'))
            {
                Refuse("kind");
            }

            Literal("}"u8);
        }

        Literal("]"u8);
    }

    private void Binary(string name, int min, int max)
    {
        var text = Quoted(name, Base64Url.GetEncodedLength(max));
        var buffer = ArrayPool<byte>.Shared.Rent(max + 3);
        if (!Decodes(text, buffer, out var length) || length < min || length > max)
        {
            Refuse(name);
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    // Re-encoding catches the second spelling that unused low bits of the last character would allow.
    private static bool Decodes(ReadOnlySpan<byte> text, Span<byte> bytes, out int length)
    {
        length = 0;
        if (text.Contains((byte)'=') || Base64Url.DecodeFromUtf8(text, bytes, out var consumed, out length) != OperationStatus.Done
            || consumed != text.Length)
        {
            return false;
        }

        Span<byte> last = stackalloc byte[4];
        var tail = length % 3;
        return tail == 0 || (Base64Url.TryEncodeToUtf8(bytes.Slice(length - tail, tail), last, out var written)
            && text[^written..].SequenceEqual(last[..written]));
    }

    private void Optional(ReadOnlySpan<byte> prefix, string name)
    {
        if (Next(prefix))
        {
            Text(name);
        }
    }

    private ReadOnlySpan<byte> Text(string name)
    {
        var text = Quoted(name, EventBody.MaxText);
        if (_refusal is null && (text.Length == 0 || IdentityNumber.Occurs(text)))
        {
            Refuse(text.Length == 0 ? name : "identity-number");
        }

        return text;
    }

    private ReadOnlySpan<byte> Quoted(string name, int max)
    {
        if (!Next("\""u8))
        {
            Refuse(name);
            return default;
        }

        var rest = _body[_at..];
        var end = rest.IndexOfAny(Forbidden);
        if (end < 0 || rest[end] != (byte)'"' || end > max || HoldsC1(rest[..end]))
        {
            Refuse(name);
            return default;
        }

        _at += end + 1;
        return rest[..end];
    }

    // U+0080 to U+009F are control characters too, and in UTF-8 two bytes each, the first 0xC2. The body is valid UTF-8.
    private static bool HoldsC1(ReadOnlySpan<byte> text)
    {
        for (int at; (at = text.IndexOf((byte)0xC2)) >= 0; text = text[(at + 2)..])
        {
            if (text[at + 1] < 0xA0)
            {
                return true;
            }
        }

        return false;
    }

    private bool Next(scoped ReadOnlySpan<byte> literal)
    {
        if (_refusal is not null || !_body[_at..].StartsWith(literal))
        {
            return false;
        }

        _at += literal.Length;
        return true;
    }

    private void Literal(scoped ReadOnlySpan<byte> literal)
    {
        if (!Next(literal))
        {
            Refuse("malformed");
        }
    }

    private void Refuse(string code) => _refusal ??= code;
}

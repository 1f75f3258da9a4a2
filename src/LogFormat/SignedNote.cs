using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;
using Trust.LogFormat.Index;

namespace Trust.LogFormat;

/// <summary>
/// A verifier key in the C2SP vkey form <c>name+hash+base64(type ‖ key)</c>. Types: 01 Ed25519; 02 P-256; 04 Ed25519 cosignature with time;
/// FF "trust.sm2.v1", a private type of C2SP signed-note: SM2 with SM3 under the ID 1234567812345678, DER. Lines of other types
/// (06, ML-DSA-44 cosignatures) belong to keys that are never known here, so they are ignored.
/// </summary>
public sealed class NoteVerifier
{
    private readonly NoteKeyType _type;
    private readonly byte[] _key;

    private NoteVerifier(string name, NoteKeyType type, byte[] key)
    {
        Name = name;
        _type = type;
        _key = key;
        KeyId = type == NoteKeyType.Ecdsa
            ? SHA256.HashData(key)[..4]
            : SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', .. Prefix(type), .. key])[..4];
    }

    /// <summary>Key name.</summary>
    public string Name { get; }

    /// <summary>First four bytes of the key's hash: with name and type, or, for P-256, of the SubjectPublicKeyInfo alone.</summary>
    public ReadOnlyMemory<byte> KeyId { get; }

    /// <summary>True for a witness's key, whose signature carries a time.</summary>
    public bool IsCosigner => _type == NoteKeyType.Cosignature;

    /// <summary>The vkey line.</summary>
    public string VKey => $"{Name}+{Convert.ToHexStringLower(KeyId.Span)}+{Convert.ToBase64String([.. Prefix(_type), .. _key])}";

    /// <summary>A verifier of Ed25519 lines.</summary>
    /// <param name="name">Key name.</param>
    /// <param name="publicKey">32 bytes.</param>
    public static NoteVerifier Ed25519(string name, ReadOnlySpan<byte> publicKey) => new(name, NoteKeyType.Ed25519, publicKey.ToArray());

    /// <summary>A verifier of a witness's lines (C2SP tlog-cosignature, cosignature/v1).</summary>
    /// <param name="name">Key name.</param>
    /// <param name="publicKey">32 bytes, Ed25519.</param>
    public static NoteVerifier Cosigner(string name, ReadOnlySpan<byte> publicKey) => new(name, NoteKeyType.Cosignature, publicKey.ToArray());

    /// <summary>A verifier of P-256 lines.</summary>
    /// <param name="name">Key name.</param>
    /// <param name="subjectPublicKeyInfo">DER.</param>
    public static NoteVerifier P256(string name, ReadOnlySpan<byte> subjectPublicKeyInfo) => new(name, NoteKeyType.Ecdsa, subjectPublicKeyInfo.ToArray());

    /// <summary>A verifier of SM2 lines.</summary>
    /// <param name="name">Key name.</param>
    /// <param name="subjectPublicKeyInfo">DER.</param>
    public static NoteVerifier Sm2(string name, ReadOnlySpan<byte> subjectPublicKeyInfo) => new(name, NoteKeyType.Sm2, subjectPublicKeyInfo.ToArray());

    /// <summary>Reads a vkey line; null when malformed, of another type, or when its hash is wrong.</summary>
    public static NoteVerifier? TryParse(string vkey)
    {
        var parts = vkey.Split('+', 3);
        var buffer = new byte[256];
        if (parts.Length != 3 || !SignedNote.IsName(parts[0]) || !Convert.TryFromBase64String(parts[2], buffer, out var length))
        {
            return null;
        }

        var body = buffer.AsSpan(0, length);
        foreach (var type in Enum.GetValues<NoteKeyType>())
        {
            var prefix = Prefix(type);
            if (!body.StartsWith(prefix) || (type is NoteKeyType.Ed25519 or NoteKeyType.Cosignature ? body.Length != 33 : body.Length <= prefix.Length))
            {
                continue;
            }

            var verifier = new NoteVerifier(parts[0], type, body[prefix.Length..].ToArray());
            return string.Equals(vkey, verifier.VKey, StringComparison.Ordinal) ? verifier : null;
        }

        return null;
    }

    /// <summary>True when the signature covers the text.</summary>
    public bool Verify(ReadOnlySpan<byte> text, ReadOnlySpan<byte> signature)
    {
        try
        {
            switch (_type)
            {
                case NoteKeyType.Ed25519:
                    return signature.Length == 64 && Crypto.Ed25519.Verify(_key, text, signature);
                case NoteKeyType.Cosignature:
                    return signature.Length == Cosignature.Size
                        && Crypto.Ed25519.Verify(_key, Cosignature.Message(text, Cosignature.TimeOf(signature)), signature[8..]);
                case NoteKeyType.Sm2:
                    return Crypto.Sm2.Verify(_key, text, signature) == Sm2Verdict.Valid;
                default:
                    using (var key = ECDsa.Create())
                    {
                        key.ImportSubjectPublicKeyInfo(_key, out _);
                        return key.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
                    }
            }
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    // The key's bytes follow at once: the identifier of the private type has a fixed length, so no two types share a spelling.
    private static ReadOnlySpan<byte> Prefix(NoteKeyType type) => type switch
    {
        NoteKeyType.Ed25519 => [1],
        NoteKeyType.Ecdsa => [2],
        NoteKeyType.Cosignature => [4],
        _ => [0xFF, (byte)'t', (byte)'r', (byte)'u', (byte)'s', (byte)'t', (byte)'.', (byte)'s', (byte)'m', (byte)'2', (byte)'.', (byte)'v', (byte)'1'],
    };

    private enum NoteKeyType
    {
        Ed25519,
        Ecdsa,
        Cosignature,
        Sm2,
    }
}

/// <summary>A witness's signature (C2SP tlog-cosignature, cosignature/v1): <c>u64 seconds since 1970 ‖ Ed25519</c>.</summary>
public static class Cosignature
{
    /// <summary>Bytes of a cosignature.</summary>
    public const int Size = 8 + 64;

    /// <summary>What the Ed25519 key signs.</summary>
    /// <param name="text">The checkpoint's text.</param>
    /// <param name="seconds">When the witness saw it, seconds since 1970.</param>
    public static byte[] Message(ReadOnlySpan<byte> text, ulong seconds) =>
        [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {seconds}\n")), .. text];

    /// <summary>The line's value from its parts.</summary>
    /// <param name="seconds">Seconds since 1970, as signed.</param>
    /// <param name="signature">64 bytes.</param>
    public static byte[] Write(ulong seconds, ReadOnlySpan<byte> signature)
    {
        var bytes = new byte[Size];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, seconds);
        signature.CopyTo(bytes.AsSpan(8));
        return bytes;
    }

    /// <summary>The time inside a cosignature of <see cref="Size"/> bytes, seconds since 1970.</summary>
    public static ulong TimeOf(ReadOnlySpan<byte> cosignature) => BinaryPrimitives.ReadUInt64BigEndian(cosignature);
}

/// <summary>One signature line of a note: <c>— name base64(keyId ‖ signature)</c>.</summary>
/// <param name="Name">Key name.</param>
/// <param name="KeyId">Four bytes.</param>
/// <param name="Signature">What the key type says.</param>
public sealed record NoteLine(string Name, ReadOnlyMemory<byte> KeyId, ReadOnlyMemory<byte> Signature)
{
    private const string Prefix = "\u2014 ";

    /// <summary>The line without its newline.</summary>
    public override string ToString() => $"{Prefix}{Name} {Convert.ToBase64String([.. KeyId.Span, .. Signature.Span])}";

    /// <summary>True when the line claims to be of this key.</summary>
    public bool IsOf(NoteVerifier key) => string.Equals(key.Name, Name, StringComparison.Ordinal) && key.KeyId.Span.SequenceEqual(KeyId.Span);

    /// <summary>Reads a line without its newline; null when it is not in the one spelling.</summary>
    public static NoteLine? TryParse(string line)
    {
        var parts = line.Split(' ');
        if (parts.Length != 3 || parts[0] != "\u2014" || !SignedNote.IsName(parts[1]))
        {
            return null;
        }

        var buffer = new byte[parts[2].Length];
        return Convert.TryFromBase64String(parts[2], buffer, out var length) && length >= 5
            && string.Equals(Convert.ToBase64String(buffer, 0, length), parts[2], StringComparison.Ordinal)
            ? new NoteLine(parts[1], buffer.AsMemory(0, 4), buffer.AsMemory(4, length - 4))
            : null;
    }
}

/// <summary>A C2SP signed note.</summary>
public static class SignedNote
{
    /// <summary>Largest note read, in characters.</summary>
    public const int MaxLength = 65_536;

    /// <summary>Writes a note: text, blank line, one line a signature.</summary>
    /// <param name="text">Ends with a newline.</param>
    /// <param name="lines">Signer's name, key id and signature.</param>
    public static string Write(string text, IEnumerable<(NoteVerifier Key, byte[] Signature)> lines) =>
        Write(text, lines.Select(l => new NoteLine(l.Key.Name, l.Key.KeyId, l.Signature)));

    /// <summary>Writes a note from its lines.</summary>
    /// <param name="text">Ends with a newline.</param>
    /// <param name="lines">In order.</param>
    public static string Write(string text, IEnumerable<NoteLine> lines) => text + "\n" + string.Concat(lines.Select(l => l + "\n"));

    /// <summary>Takes a note apart; null when it is malformed. Nothing is verified.</summary>
    /// <param name="note">Untrusted.</param>
    public static (string Text, IReadOnlyList<NoteLine> Lines)? TryRead(string note)
    {
        var split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        // A note whose last line is empty has no signature line at all.
        if (note.Length > MaxLength || split < 0 || !note.EndsWith('\n') || note.Length < split + 3)
        {
            return null;
        }

        var text = note[..(split + 1)];
        if (text.Any(c => char.IsControl(c) && c != '\n'))
        {
            return null;
        }

        var lines = new List<NoteLine>();
        foreach (var line in note[(split + 2)..^1].Split('\n'))
        {
            if (NoteLine.TryParse(line) is not { } read)
            {
                return null;
            }

            lines.Add(read);
        }

        return (text, lines);
    }

    /// <summary>
    /// Opens a note. Lines of unknown keys are ignored; a bad line of a known key spoils the note.
    /// </summary>
    /// <param name="note">Untrusted.</param>
    /// <param name="keys">Known keys.</param>
    /// <param name="atLeast">How many different known keys must have signed.</param>
    /// <returns>The text with its final newline, or null.</returns>
    public static string? TryOpen(string note, IReadOnlyList<NoteVerifier> keys, int atLeast)
    {
        if (TryRead(note) is not var (text, lines))
        {
            return null;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        var good = new HashSet<NoteVerifier>();
        foreach (var line in lines)
        {
            if (keys.FirstOrDefault(line.IsOf) is not { } key)
            {
                continue;
            }

            if (!key.Verify(bytes, line.Signature.Span))
            {
                return null;
            }

            good.Add(key);
        }

        return good.Count >= atLeast ? text : null;
    }

    internal static bool IsName(string name) => name.Length > 0 && !name.Contains('+', StringComparison.Ordinal) && !name.Any(char.IsWhiteSpace);
}

using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;

namespace Trust.Kernel.Audit;

/// <summary>A verifier key in the C2SP vkey form <c>name+hash+base64(type ‖ key)</c>; type 01 Ed25519, type 02 P-256.</summary>
public sealed class NoteVerifier
{
    private const byte TypeEd25519 = 1;
    private const byte TypeEcdsa = 2;

    private readonly byte _type;
    private readonly byte[] _key;

    private NoteVerifier(string name, byte type, byte[] key)
    {
        Name = name;
        _type = type;
        _key = key;
        KeyId = type == TypeEcdsa
            ? SHA256.HashData(key)[..4]
            : SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', type, .. key])[..4];
    }

    /// <summary>Key name.</summary>
    public string Name { get; }

    /// <summary>First four bytes of the key's hash: with the name for Ed25519, of the SubjectPublicKeyInfo alone for P-256.</summary>
    public ReadOnlyMemory<byte> KeyId { get; }

    /// <summary>The vkey line.</summary>
    public string VKey => $"{Name}+{Convert.ToHexStringLower(KeyId.Span)}+{Convert.ToBase64String([_type, .. _key])}";

    /// <summary>A verifier of Ed25519 lines.</summary>
    /// <param name="name">Key name.</param>
    /// <param name="publicKey">32 bytes.</param>
    public static NoteVerifier Ed25519(string name, ReadOnlySpan<byte> publicKey) => new(name, TypeEd25519, publicKey.ToArray());

    /// <summary>A verifier of P-256 lines.</summary>
    /// <param name="name">Key name.</param>
    /// <param name="subjectPublicKeyInfo">DER.</param>
    public static NoteVerifier P256(string name, ReadOnlySpan<byte> subjectPublicKeyInfo) => new(name, TypeEcdsa, subjectPublicKeyInfo.ToArray());

    /// <summary>Reads a vkey line; null when malformed or its hash is wrong.</summary>
    public static NoteVerifier? TryParse(string vkey)
    {
        var parts = vkey.Split('+', 3);
        var buffer = new byte[256];
        if (parts.Length != 3 || !SignedNote.IsName(parts[0]) || !Convert.TryFromBase64String(parts[2], buffer, out var length)
            || length < 2 || (buffer[0] == TypeEd25519 && length != 33) || buffer[0] is not (TypeEd25519 or TypeEcdsa))
        {
            return null;
        }

        var verifier = new NoteVerifier(parts[0], buffer[0], buffer[1..length]);
        return string.Equals(parts[1], Convert.ToHexStringLower(verifier.KeyId.Span), StringComparison.Ordinal) ? verifier : null;
    }

    /// <summary>True when the signature covers the text.</summary>
    public bool Verify(ReadOnlySpan<byte> text, ReadOnlySpan<byte> signature)
    {
        if (_type == TypeEd25519)
        {
            return signature.Length == 64 && Crypto.Ed25519.Verify(_key, text, signature);
        }

        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(_key, out _);
            return key.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}

/// <summary>A C2SP signed note.</summary>
public static class SignedNote
{
    /// <summary>Largest note read, in characters.</summary>
    public const int MaxLength = 65_536;

    private const string LinePrefix = "\u2014 ";

    /// <summary>Writes a note: text, blank line, one line a signature.</summary>
    /// <param name="text">Ends with a newline.</param>
    /// <param name="lines">Signer's name, key id and signature.</param>
    public static string Write(string text, IEnumerable<(NoteVerifier Key, byte[] Signature)> lines)
    {
        var note = new StringBuilder(text).Append('\n');
        foreach (var (key, signature) in lines)
        {
            note.Append(LinePrefix).Append(key.Name).Append(' ')
                .Append(Convert.ToBase64String([.. key.KeyId.Span, .. signature])).Append('\n');
        }

        return note.ToString();
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
        var split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (note.Length > MaxLength || split < 0 || !note.EndsWith('\n'))
        {
            return null;
        }

        var text = note[..(split + 1)];
        var bytes = Encoding.UTF8.GetBytes(text);
        if (text.Any(c => char.IsControl(c) && c != '\n'))
        {
            return null;
        }

        var good = new HashSet<NoteVerifier>();
        foreach (var line in note[(split + 2)..^1].Split('\n'))
        {
            if (!TryReadLine(line, out var name, out var keyId, out var signature))
            {
                return null;
            }

            var key = keys.FirstOrDefault(k =>
                string.Equals(k.Name, name, StringComparison.Ordinal) && k.KeyId.Span.SequenceEqual(keyId));
            if (key is not null && !key.Verify(bytes, signature))
            {
                return null;
            }

            if (key is not null)
            {
                good.Add(key);
            }
        }

        return good.Count >= atLeast ? text : null;
    }

    internal static bool IsName(string name) => name.Length > 0 && !name.Contains('+', StringComparison.Ordinal) && !name.Any(char.IsWhiteSpace);

    private static bool TryReadLine(string line, out string name, out byte[] keyId, out byte[] signature)
    {
        (name, keyId, signature) = ("", [], []);
        var parts = line.Split(' ');
        if (parts.Length != 3 || parts[0] != "\u2014" || !IsName(parts[1]))
        {
            return false;
        }

        var buffer = new byte[parts[2].Length];
        if (!Convert.TryFromBase64String(parts[2], buffer, out var length) || length < 5)
        {
            return false;
        }

        (name, keyId, signature) = (parts[1], buffer[..4], buffer[4..length]);
        return true;
    }
}

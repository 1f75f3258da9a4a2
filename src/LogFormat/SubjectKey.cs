using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Trust.LogFormat.Index;

namespace Trust.LogFormat;

/// <summary>Names one subject of an event by 32 bytes under which the ledger is searched (docs/LEDGER-FORMAT.md §2).</summary>
public sealed class SubjectKey : IEquatable<SubjectKey>
{
    /// <summary>Bytes of a key.</summary>
    public const int Size = 32;

    private static readonly byte[] Tag = "trust.key.v1\n"u8.ToArray();

    private readonly byte[] _key;

    private SubjectKey(string kind, byte[] key)
    {
        Kind = kind;
        _key = key;
    }

    /// <summary>What the key stands for: <c>patient</c>, <c>practitioner</c>, <c>institution</c>, <c>prescription</c>, <c>certificate</c>, <c>client</c> …</summary>
    public string Kind { get; }

    /// <summary>The 32 bytes.</summary>
    public ReadOnlySpan<byte> Key => _key;

    /// <summary>The key anyone can recompute from a public identifier: SHA-256 of tagged, length-prefixed bytes.</summary>
    /// <param name="kind">1 to 32 characters a-z.</param>
    /// <param name="identifier">1 to 1,024 bytes of UTF-8.</param>
    /// <exception cref="ArgumentException">A length is outside its bounds.</exception>
    public static SubjectKey Of(string kind, string identifier)
    {
        CheckKind(kind);
        var id = Encoding.UTF8.GetBytes(identifier);
        if (id.Length is 0 or > 1024)
        {
            throw new ArgumentException("A subject identifier has 1 to 1,024 bytes.", nameof(identifier));
        }

        var message = new byte[Tag.Length + 1 + kind.Length + 2 + id.Length];
        Tag.CopyTo(message, 0);
        var at = Tag.Length;
        message[at++] = (byte)kind.Length;
        at += Encoding.ASCII.GetBytes(kind, message.AsSpan(at));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(at), (ushort)id.Length);
        id.CopyTo(message, at + 2);
        return new SubjectKey(kind, SHA256.HashData(message));
    }

    /// <summary>A practitioner by <c>urn:mdid:p:…</c>.</summary>
    public static SubjectKey Practitioner(string urn) => Of("practitioner", urn);

    /// <summary>An institution by <c>urn:mdid:o:…</c>.</summary>
    public static SubjectKey Institution(string urn) => Of("institution", urn);

    /// <summary>A prescription by its identifier.</summary>
    public static SubjectKey Prescription(string identifier) => Of("prescription", identifier);

    /// <summary>A certificate by the SHA-256 of its DER, lower-case hex.</summary>
    public static SubjectKey Certificate(string sha256Hex) => Of("certificate", sha256Hex);

    /// <summary>Whoever acts, by what an event's <c>actor.subject</c> says: a person, a client or a service.</summary>
    public static SubjectKey Actor(string subject) => Of("actor", subject);

    /// <summary>A patient: 32 random bytes minted by the identity provider, bound by a <c>SUBJECT.bind</c> event; nobody can recompute them.</summary>
    /// <exception cref="ArgumentException">Not 32 bytes.</exception>
    public static SubjectKey Patient(ReadOnlySpan<byte> key32) => FromBytes("patient", key32);

    /// <summary>A key read back from an event body.</summary>
    /// <exception cref="ArgumentException">Not 32 bytes, or the kind is malformed.</exception>
    public static SubjectKey FromBytes(string kind, ReadOnlySpan<byte> key32)
    {
        CheckKind(kind);
        return key32.Length == Size
            ? new SubjectKey(kind, key32.ToArray())
            : throw new ArgumentException("A subject key has 32 bytes.", nameof(key32));
    }

    /// <inheritdoc/>
    public bool Equals(SubjectKey? other) =>
        other is not null && string.Equals(Kind, other.Kind, StringComparison.Ordinal) && Key.SequenceEqual(other.Key);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SubjectKey);

    /// <inheritdoc/>
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(_key);

    /// <inheritdoc/>
    public override string ToString() => $"{Kind}:{Convert.ToHexStringLower(_key)}";

    private static void CheckKind(string kind)
    {
        if (kind.Length is 0 or > 32 || kind.AsSpan().ContainsAnyExceptInRange('a', 'z'))
        {
            throw new ArgumentException("A subject kind has 1 to 32 characters a-z.", nameof(kind));
        }
    }
}

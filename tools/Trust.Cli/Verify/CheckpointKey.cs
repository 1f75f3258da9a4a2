using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;

namespace Trust.Cli.Verify;

/// <summary>A key of a log or of a witness, from its vkey line (docs/LEDGER-FORMAT.md §7).</summary>
/// <param name="Name">Key name.</param>
/// <param name="Id">Four bytes that its signature lines begin with.</param>
/// <param name="Type">Signature type.</param>
/// <param name="Key">The public key.</param>
internal sealed record CheckpointKey(string Name, byte[] Id, byte Type, byte[] Key)
{
    private const byte Ed25519Type = 1;
    private const byte P256Type = 2;
    private const byte CosignatureType = 4;
    private const byte PrivateType = 0xFF;
    private const long FirstSecondOfYear10000 = 253_402_300_800;

    private static readonly byte[] Sm2Type = [PrivateType, .. "trust.sm2.v1"u8];

    /// <summary>Reads a key of a log.</summary>
    /// <exception cref="EvidenceRefusedException">Not the vkey line of one.</exception>
    public static CheckpointKey OfLog(string vkey) => Parse(vkey, witness: false);

    /// <summary>Reads a key of a witness.</summary>
    /// <exception cref="EvidenceRefusedException">Not the vkey line of one.</exception>
    public static CheckpointKey OfWitness(string vkey) => Parse(vkey, witness: true);

    /// <summary>Whether a line's signature is good over the text of a note.</summary>
    public bool Verifies(byte[] text, ReadOnlySpan<byte> signature)
    {
        switch (Type)
        {
            case Ed25519Type:
                return signature.Length == 64 && Ed25519.Verify(Key, text, signature);
            case PrivateType:
                return Sm2.Verify(Key, text, signature) == Sm2Verdict.Valid;
            case CosignatureType:
                // C2SP tlog-cosignature: the time is signed together with the whole text of the checkpoint.
                return signature.Length == 8 + 64 && Seconds(signature) is >= 0 and < FirstSecondOfYear10000 && Ed25519.Verify(
                    Key, [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {Seconds(signature)}\n")), .. text], signature[8..]);
            default:
                using (var key = ECDsa.Create())
                {
                    key.ImportSubjectPublicKeyInfo(Key, out _);
                    return key.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
                }
        }
    }

    /// <summary>Refuses a key that no signature could be checked with.</summary>
    /// <exception cref="EvidenceRefusedException">Not a key of its type.</exception>
    public void CheckUsable() => EvidenceRefusedException.When(
        Type switch { P256Type => !IsP256(Key), PrivateType => Key.Length == 0, _ => Key.Length != 32 }, "malformed-key", null, Name);

    /// <summary>Whether the bytes are the SubjectPublicKeyInfo of a P-256 key.</summary>
    /// <param name="spki">Untrusted.</param>
    public static bool IsP256(byte[] spki)
    {
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(spki, out var read);
            return read == spki.Length && key.ExportParameters(false).Curve.Oid.Value is "1.2.840.10045.3.1.7";
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>When a witness cosigned, by a signature that <see cref="Verifies"/> found good.</summary>
    public static DateTimeOffset CosignedAt(ReadOnlySpan<byte> signature) => DateTimeOffset.FromUnixTimeSeconds(Seconds(signature));

    private static long Seconds(ReadOnlySpan<byte> signature) => BinaryPrimitives.ReadInt64BigEndian(signature);

    private static CheckpointKey Parse(string vkey, bool witness)
    {
        var parts = vkey.Split('+', 3);
        EvidenceRefusedException.When(parts.Length != 3 || parts[0].Length == 0 || parts[0].Contains(' ', StringComparison.Ordinal), "policy-malformed", null, vkey);
        var bytes = Strict.Base64Bytes(parts[2]) ?? [];
        EvidenceRefusedException.When(bytes.Length == 0, "policy-malformed", null, vkey);
        var (type, key) = (bytes[0], bytes[1..]);
        var sm2 = bytes.AsSpan().StartsWith(Sm2Type);
        EvidenceRefusedException.When(witness ? type != CosignatureType : type is not (Ed25519Type or P256Type) && !sm2, "policy-malformed", null, vkey);
        var id = SHA256.HashData(type == P256Type ? key : [.. Encoding.UTF8.GetBytes(parts[0]), 0x0A, .. bytes])[..4];
        EvidenceRefusedException.When(!string.Equals(Convert.ToHexStringLower(id), parts[1], StringComparison.Ordinal), "policy-malformed", null, vkey);
        return new CheckpointKey(parts[0], id, type, sm2 ? bytes[Sm2Type.Length..] : key);
    }
}

using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;

namespace Trust.Cli.Verify;

/// <summary>A checkpoint whose every signature line was verified (docs/LEDGER-FORMAT.md §7).</summary>
/// <param name="Origin">Name of the log.</param>
/// <param name="Size">Leaves.</param>
/// <param name="Root">RFC 6962 root.</param>
/// <param name="Witnesses">Names and times of the witnesses that cosigned.</param>
internal sealed record SignedCheckpoint(string Origin, long Size, byte[] Root, IReadOnlyList<(string Name, DateTimeOffset Time)> Witnesses)
{
    /// <summary>Opens the note: each key of the log signed exactly once, each witness at most once, and nobody else.</summary>
    /// <param name="note">Untrusted.</param>
    /// <param name="logKeys">Keys of the log that the verifier trusts.</param>
    /// <param name="witnessKeys">Witnesses that the verifier trusts.</param>
    public static SignedCheckpoint Open(string note, IReadOnlyList<string> logKeys, IReadOnlyList<string> witnessKeys)
    {
        var split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        EvidenceRefusedException.When(split < 0 || !note.EndsWith('\n') || logKeys.Count == 0, "checkpoint-malformed");
        var text = note[..(split + 1)];
        var signed = Encoding.UTF8.GetBytes(text);
        var log = logKeys.Select(CheckpointKey.Parse).ToList();
        var open = log.Concat(witnessKeys.Select(CheckpointKey.Parse)).ToList();
        var witnesses = new List<(string, DateTimeOffset)>();
        // A cosignature does not bind its name, so one key under two names is one witness.
        var counted = new HashSet<string>(StringComparer.Ordinal);
        foreach (var line in note[(split + 2)..^1].Split('\n'))
        {
            var parts = line.Split(' ');
            EvidenceRefusedException.When(parts.Length != 3 || parts[0] != "\u2014", "checkpoint-malformed");
            var bytes = Decode(parts[2]);
            var key = open.Find(k => string.Equals(k.Name, parts[1], StringComparison.Ordinal) && bytes.AsSpan().StartsWith(k.Id));
            EvidenceRefusedException.When(key is null || !key.Verifies(signed, bytes.AsSpan(4)), "checkpoint-signature", null, parts[1]);
            open.Remove(key!);
            if (!log.Remove(key!) && counted.Add(Convert.ToHexString(key!.Key)))
            {
                witnesses.Add((key!.Name, CheckpointKey.CosignedAt(bytes.AsSpan(4))));
            }
        }

        EvidenceRefusedException.When(log.Count > 0, "checkpoint-signature", null, "lines");
        return Parse(text, logKeys) with { Witnesses = witnesses };
    }

    private static SignedCheckpoint Parse(string text, IReadOnlyList<string> vkeys)
    {
        var lines = text.Split('\n');
        var size = 0L;
        EvidenceRefusedException.When(
            lines.Length != 4 || !long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out size)
            || !string.Equals(size.ToString(CultureInfo.InvariantCulture), lines[1], StringComparison.Ordinal), "checkpoint-malformed");
        EvidenceRefusedException.When(
            !vkeys.All(k => k.StartsWith(lines[0] + "+", StringComparison.Ordinal)), "checkpoint-signature", null, "origin");
        var root = Decode(lines[2]);
        EvidenceRefusedException.When(root.Length != 32, "checkpoint-malformed");
        return new SignedCheckpoint(lines[0], size, root, []);
    }

    private static byte[] Decode(string text)
    {
        var buffer = new byte[text.Length];
        var good = Convert.TryFromBase64String(text, buffer, out var length)
            && string.Equals(Convert.ToBase64String(buffer, 0, length), text, StringComparison.Ordinal);
        EvidenceRefusedException.When(!good || length < 5, "checkpoint-malformed");
        return buffer[..length];
    }

    private sealed record CheckpointKey(string Name, byte[] Id, byte Type, byte[] Key)
    {
        private const byte Ed25519Type = 1;
        private const byte P256Type = 2;
        private const byte CosignatureType = 4;
        private const byte PrivateType = 0xFF;

        private static readonly byte[] Sm2Type = [PrivateType, .. "trust.sm2.v1"u8];

        public static CheckpointKey Parse(string vkey)
        {
            var parts = vkey.Split('+', 3);
            EvidenceRefusedException.When(parts.Length != 3, "policy-malformed", null, vkey);
            var bytes = Decode(parts[2]);
            var (type, key) = (bytes[0], bytes[1..]);
            var sm2 = bytes.AsSpan().StartsWith(Sm2Type);
            EvidenceRefusedException.When(type is not (Ed25519Type or P256Type or CosignatureType) && !sm2, "policy-malformed", null, vkey);
            var id = SHA256.HashData(type == P256Type ? key : [.. Encoding.UTF8.GetBytes(parts[0]), 0x0A, .. bytes])[..4];
            EvidenceRefusedException.When(
                !string.Equals(Convert.ToHexStringLower(id), parts[1], StringComparison.Ordinal), "policy-malformed", null, vkey);
            return new CheckpointKey(parts[0], id, type, sm2 ? bytes[Sm2Type.Length..] : key);
        }

        public bool Verifies(byte[] text, ReadOnlySpan<byte> signature)
        {
            switch (Type)
            {
                case Ed25519Type:
                    return Ed25519.Verify(Key, text, signature);
                case PrivateType:
                    return Sm2.Verify(Key, text, signature) == Sm2Verdict.Valid;
                case CosignatureType:
                    // C2SP tlog-cosignature: the time is signed together with the whole text of the checkpoint.
                    return signature.Length == 8 + 64 && Seconds(signature) is >= 0 and < 253_402_300_800 && Ed25519.Verify(
                        Key, [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {Seconds(signature)}\n")), .. text], signature[8..]);
                default:
                    using (var key = ECDsa.Create())
                    {
                        key.ImportSubjectPublicKeyInfo(Key, out _);
                        return key.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
                    }
            }
        }

        public static DateTimeOffset CosignedAt(ReadOnlySpan<byte> signature) => DateTimeOffset.FromUnixTimeSeconds(Seconds(signature));

        private static long Seconds(ReadOnlySpan<byte> signature) => BinaryPrimitives.ReadInt64BigEndian(signature);
    }
}

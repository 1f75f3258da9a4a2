using System.Formats.Asn1;

namespace Trust.Pkcs11;

/// <summary>SubjectPublicKeyInfo (RFC 5280 4.1, RFC 5480, RFC 8410) from the attributes a token shows.</summary>
internal static class PublicKeyInfo
{
    /// <summary>CKA_EC_PARAMS of P-256: OID 1.2.840.10045.3.1.7.</summary>
    public static readonly byte[] P256 = Convert.FromHexString("06082A8648CE3D030107");

    /// <summary>CKA_EC_PARAMS of SM2: OID 1.2.156.10197.1.301.</summary>
    public static readonly byte[] Sm2 = Convert.FromHexString("06082A811CCF5501822D");

    /// <summary>CKA_EC_PARAMS of Ed25519: OID 1.3.101.112.</summary>
    public static readonly byte[] Edwards25519 = Convert.FromHexString("06032B6570");

    /// <summary>The algorithm a curve stands for; null for curves not used here.</summary>
    public static KeyAlgorithm? CurveOf(ReadOnlySpan<byte> parameters) =>
        parameters.SequenceEqual(P256) ? KeyAlgorithm.EcdsaP256
        : parameters.SequenceEqual(Sm2) ? KeyAlgorithm.Sm2
        : null;

    /// <summary>Of a key on a curve of 256 bits; null where the point is none of 65 bytes.</summary>
    public static byte[]? Ec(byte[] parameters, byte[] point)
    {
        if (Unwrap(point, 65) is not { } bare)
        {
            return null;
        }

        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier("1.2.840.10045.2.1");
                writer.WriteEncodedValue(parameters);
            }

            writer.WriteBitString(bare);
        }

        return writer.Encode();
    }

    /// <summary>Of an Ed25519 key; null where the point is none of 32 bytes (Ed448 has the same key type).</summary>
    public static byte[]? Ed25519(byte[] point)
    {
        if (Unwrap(point, 32) is not { } bare)
        {
            return null;
        }

        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier("1.3.101.112");
            }

            writer.WriteBitString(bare);
        }

        return writer.Encode();
    }

    /// <summary>Of a 3072-bit RSA key; null where modulus or exponent is none.</summary>
    public static byte[]? Rsa(byte[] modulus, byte[] exponent)
    {
        if (modulus is not { Length: 384 } || modulus[0] == 0 || exponent is not [not 0, ..])
        {
            return null;
        }

        var inner = new AsnWriter(AsnEncodingRules.DER);
        using (inner.PushSequence())
        {
            inner.WriteIntegerUnsigned(modulus);
            inner.WriteIntegerUnsigned(exponent);
        }

        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier("1.2.840.113549.1.1.1");
                writer.WriteNull();
            }

            writer.WriteBitString(inner.Encode());
        }

        return writer.Encode();
    }

    // PKCS#11 wraps the point in an OCTET STRING; some modules hand it out bare. What is neither belongs to a key of another program.
    private static byte[]? Unwrap(byte[] point, int length)
    {
        if (point.Length == length)
        {
            return point;
        }

        try
        {
            return AsnDecoder.ReadOctetString(point, AsnEncodingRules.DER, out _) is { } inner && inner.Length == length ? inner : null;
        }
        catch (AsnContentException)
        {
            return null;
        }
    }
}

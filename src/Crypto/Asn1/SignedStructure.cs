using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>SIGNED{ToBeSigned} (RFC 5280 4.1.1): certificates, CRLs and certification requests share it.</summary>
public static class SignedStructure
{
    /// <summary>Puts to-be-signed bytes and a signature together; the bytes are not touched.</summary>
    /// <param name="tbs">The very bytes that were linted and signed.</param>
    /// <param name="suite">The algorithm; for certificates and CRLs the same as inside the bytes.</param>
    /// <param name="rawSignature">As the token gave it (r‖s for EC and SM2).</param>
    public static byte[] Assemble(ReadOnlyMemory<byte> tbs, SignatureSuite suite, ReadOnlySpan<byte> rawSignature)
    {
        var signature = suite.EncodeSignature(rawSignature);
        return Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteEncodedValue(tbs.Span);
                w.WriteEncodedValue(suite.AlgorithmIdentifier.Span);
                w.WriteBitString(signature);
            }
        });
    }

    /// <summary>Hashes, signs by the delegate, assembles.</summary>
    public static async ValueTask<byte[]> Sign(
        ReadOnlyMemory<byte> tbs, SignatureSuite suite, ReadOnlyMemory<byte> signerPublicKey, DigestSigner signer, CancellationToken ct) =>
        Assemble(tbs, suite, await signer(suite.DigestToSign(signerPublicKey, tbs.Span), ct));

    /// <summary>Takes a structure apart.</summary>
    internal static (ReadOnlyMemory<byte> Tbs, SignatureSuite? Suite, byte[] Signature) Split(ReadOnlyMemory<byte> der)
    {
        var signed = Der.OneSequence(der);
        var tbs = signed.PeekEncodedValue();
        _ = signed.ReadEncodedValue();
        var suite = SignatureSuite.FromAlgorithmIdentifier(signed.ReadEncodedValue().Span);
        var signature = Der.ReadWholeBits(signed);
        signed.ThrowIfNotEmpty();
        return (tbs, suite, signature);
    }
}

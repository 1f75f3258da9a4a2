using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Jose;

namespace Trust.Kernel.Hosting.Senders;

/// <summary>A sender's public key as it stands in a proof: P-256 for ES256, or RSA of 2048 to 4096 bits for PS256 (FAPI 2.0 5.4).</summary>
internal sealed class ProofKey : IDisposable
{
    // RFC 7518 6.2.2, 6.3.2 and 6.4.1: with any of these it is a private or a shared key, and whoever sent it has given it away.
    private static readonly string[] Private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    private readonly ECDsa? _ec;
    private readonly RSA? _rsa;

    private ProofKey(ECDsa? ec, RSA? rsa, string thumbprint) => (_ec, _rsa, Thumbprint) = (ec, rsa, thumbprint);

    /// <summary>RFC 7638 thumbprint, base64url.</summary>
    public string Thumbprint { get; }

    /// <summary>Reads a JSON Web Key; null for other kinds, private ones and points that are not on the curve.</summary>
    public static ProofKey? Of(JsonElement jwk)
    {
        if (jwk.ValueKind is not JsonValueKind.Object || Private.Any(member => jwk.TryGetProperty(member, out _)))
        {
            return null;
        }

        try
        {
            return Jws.Text(jwk, "kty") switch
            {
                "EC" when Jws.Text(jwk, "crv") is "P-256" => Ec(Jws.Text(jwk, "x"), Jws.Text(jwk, "y")),
                "RSA" => Rsa(Jws.Text(jwk, "n"), Jws.Text(jwk, "e")),
                _ => null,
            };
        }
        // No base64url; no point of the curve; no modulus.
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return null;
        }
    }

    /// <summary>Verifies a signature value, base64url, of one of the two algorithms.</summary>
    public bool Verifies(string? algorithm, ReadOnlySpan<byte> input, string signature)
    {
        if (!Base64Url.IsValid(signature))
        {
            return false;
        }

        var value = Base64Url.DecodeFromChars(signature);
        return algorithm switch
        {
            "ES256" when _ec is not null => value.Length == 64 && _ec.VerifyData(input, value, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation),
            "PS256" when _rsa is not null => _rsa.VerifyData(input, value, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            _ => false,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ec?.Dispose();
        _rsa?.Dispose();
    }

    private static ProofKey? Ec(string? x, string? y)
    {
        // RFC 7518 6.2.1.2: the coordinates are exactly as long as the field.
        if (x is not { Length: 43 } || y is not { Length: 43 })
        {
            return null;
        }

        var point = new ECPoint { X = Base64Url.DecodeFromChars(x), Y = Base64Url.DecodeFromChars(y) };
        return new ProofKey(ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point }), null, new Jwk(x, y).Thumbprint);
    }

    private static ProofKey? Rsa(string? n, string? e)
    {
        // 4096 bits are 683 characters; longer keys only make the work longer.
        if (n is not { Length: > 0 and <= 683 } || e is not { Length: > 0 and <= 8 })
        {
            return null;
        }

        var rsa = RSA.Create(new RSAParameters { Modulus = Base64Url.DecodeFromChars(n), Exponent = Base64Url.DecodeFromChars(e) });
        if (rsa.KeySize < 2048)
        {
            rsa.Dispose();
            return null;
        }

        return new ProofKey(null, rsa, Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($$"""{"e":"{{e}}","kty":"RSA","n":"{{n}}"}"""))));
    }
}

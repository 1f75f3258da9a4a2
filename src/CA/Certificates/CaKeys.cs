using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Kernel.Keys;
using Trust.Pkcs11;

namespace Trust.CA.Certificates;

/// <summary>
/// The CA's signing keys by label: in the token or, for SM2 where the token has none, sealed by a key of the token and used by
/// libcrypto in this process. Such keys are labelled <c>software</c>; a production profile refuses them.
/// </summary>
public sealed class CaKeys(IToken token, NpgsqlDataSource db, CaOptions options) : IDisposable
{
    private readonly SoftwareKeys _software = new(db);

    /// <summary>The signer behind a label.</summary>
    /// <exception cref="TokenException">No such key.</exception>
    public async Task<DigestSigner> SignerOf(string label, CancellationToken ct)
    {
        if (await token.Find(new KeyRef(label), ct) is not null)
        {
            return (digest, cancel) => token.Sign(new KeyRef(label), digest, cancel);
        }

        var key = await _software.Open(token, label, ct)
            ?? throw new TokenException("NO_SUCH_KEY", $"Neither token nor sealed store holds a key named {label}.");
        return (digest, _) => ValueTask.FromResult(key.SignDigest(digest.Span));
    }

    /// <summary>Makes a key, or finds the one made before; answers its public key.</summary>
    /// <param name="holder">The token to make it in: the CA's, or the root's during the ceremony.</param>
    /// <param name="label">Label.</param>
    /// <param name="algorithm">P-256, or SM2 (sealed software where the token has none).</param>
    /// <param name="lane">Whether anyone may have it sign.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="TokenException">Software keys are not allowed here.</exception>
    public async Task<(ReadOnlyMemory<byte> Spki, DigestSigner Signer)> Ensure(
        IToken holder, string label, KeyAlgorithm algorithm, TokenLane lane, CancellationToken ct)
    {
        var key = new KeyRef(label);
        if (algorithm == KeyAlgorithm.Sm2 && !options.TokenHasSm2)
        {
            return await EnsureSoftware(holder, label, ct);
        }

        var held = await holder.FindOrGenerate(key, algorithm, ct);
        return (held.SubjectPublicKeyInfo, (digest, cancel) => holder.Sign(key, digest, lane, cancel));
    }

    /// <inheritdoc/>
    public void Dispose() => _software.Dispose();

    private async Task<(ReadOnlyMemory<byte> Spki, DigestSigner Signer)> EnsureSoftware(IToken holder, string label, CancellationToken ct)
    {
        if (!options.AllowSoftwareSm2)
        {
            throw new TokenException("SOFTWARE_KEY", "This profile allows no software keys: configure a token with SM2.");
        }

        var key = await _software.Ensure(holder, label, ct);
        return (key.SubjectPublicKeyInfo, (digest, _) => ValueTask.FromResult(key.SignDigest(digest.Span)));
    }
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.CA.Certificates;

/// <summary>
/// The CA's signing keys by label: in the token or, for SM2 where the token has none, sealed by a key of the token and used by
/// libcrypto in this process. Such keys are labelled <c>software</c>; a production profile refuses them.
/// </summary>
public sealed class CaKeys(IToken token, NpgsqlDataSource db, CaOptions options) : IDisposable
{
    private const string SelectKey = "SELECT spki, sealed FROM software_keys WHERE label = $1";
    private const string InsertKey = "INSERT INTO software_keys (label, spki, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    private static readonly KeyRef Wrap = new("software-sm2-wrap");

    private readonly ConcurrentDictionary<string, Sm2PrivateKey> _open = new(StringComparer.Ordinal);

    /// <summary>The signer behind a label.</summary>
    /// <exception cref="TokenException">No such key.</exception>
    public async Task<DigestSigner> SignerOf(string label, CancellationToken ct)
    {
        if (await token.Find(new KeyRef(label), ct) is not null)
        {
            return (digest, cancel) => token.Sign(new KeyRef(label), digest, cancel);
        }

        var key = await OpenSoftware(token, label, ct)
            ?? throw new TokenException("NO_SUCH_KEY", $"Neither token nor sealed store holds a key named {label}.");
        return (digest, _) => ValueTask.FromResult(key.SignDigest(digest.Span));
    }

    /// <summary>Makes a key, or finds the one made before; answers its public key.</summary>
    /// <param name="holder">The token to make it in: the CA's, or the root's during the ceremony.</param>
    /// <param name="label">Label.</param>
    /// <param name="algorithm">P-256, or SM2 (sealed software where the token has none).</param>
    /// <exception cref="TokenException">Software keys are not allowed here.</exception>
    public async Task<(ReadOnlyMemory<byte> Spki, DigestSigner Signer)> Ensure(IToken holder, string label, KeyAlgorithm algorithm, CancellationToken ct)
    {
        var key = new KeyRef(label);
        if (algorithm == KeyAlgorithm.Sm2 && !options.TokenHasSm2)
        {
            return await EnsureSoftware(holder, label, ct);
        }

        var held = await holder.Find(key, ct) ?? await holder.Generate(key, algorithm, ct);
        return (held.SubjectPublicKeyInfo, (digest, cancel) => holder.Sign(key, digest, cancel));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var key in _open.Values)
        {
            key.Dispose();
        }
    }

    private async Task<(ReadOnlyMemory<byte> Spki, DigestSigner Signer)> EnsureSoftware(IToken holder, string label, CancellationToken ct)
    {
        if (!options.AllowSoftwareSm2)
        {
            throw new TokenException("SOFTWARE_KEY", "This profile allows no software keys: configure a token with SM2.");
        }

        if (await OpenSoftware(holder, label, ct) is not { } key)
        {
            _ = await holder.Find(Wrap, ct) ?? await holder.Generate(Wrap, KeyAlgorithm.Aes256, ct);
            using var made = Sm2PrivateKey.Generate();
            var pkcs8 = made.ExportPkcs8();
            try
            {
                var sealedKey = await holder.Encrypt(Wrap, pkcs8, AssociatedData(label, made.SubjectPublicKeyInfo.Span), ct);
                await db.Sql(InsertKey).With(label).With(made.SubjectPublicKeyInfo.ToArray()).With(sealedKey).Execute(ct);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(pkcs8);
            }

            key = await OpenSoftware(holder, label, ct) ?? throw new InvalidOperationException("A sealed key vanished.");
        }

        return (key.SubjectPublicKeyInfo, (digest, _) => ValueTask.FromResult(key.SignDigest(digest.Span)));
    }

    private async Task<Sm2PrivateKey?> OpenSoftware(IToken holder, string label, CancellationToken ct)
    {
        if (_open.TryGetValue(label, out var open))
        {
            return open;
        }

        var row = await db.Sql(SelectKey).With(label).One(r => Tuple.Create(r.GetFieldValue<byte[]>(0), r.GetFieldValue<byte[]>(1)), ct);
        if (row is null)
        {
            return null;
        }

        var pkcs8 = await holder.Decrypt(Wrap, row.Item2, AssociatedData(label, row.Item1), ct);
        try
        {
            return _open.GetOrAdd(label, Sm2PrivateKey.ImportPkcs8(pkcs8));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pkcs8);
        }
    }

    // The blob authenticates which key it is: it cannot be moved to another label or public key.
    private static byte[] AssociatedData(string label, ReadOnlySpan<byte> spki) =>
        [.. Encoding.UTF8.GetBytes($"trust.software-key.v1\n{label}\n"), .. SHA256.HashData(spki)];
}

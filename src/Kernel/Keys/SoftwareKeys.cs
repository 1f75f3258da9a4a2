using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Crypto;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.Kernel.Keys;

/// <summary>
/// SM2 keys of a service whose token has no SM2: sealed by a key of the token, kept in the service's table <c>software_keys</c>, used by libcrypto
/// in this process. Labelled <c>software</c> wherever they appear; a production profile refuses them.
/// </summary>
public sealed class SoftwareKeys(NpgsqlDataSource db) : IDisposable
{
    private const string SelectKey = "SELECT spki, sealed FROM software_keys WHERE label = $1";
    private const string InsertKey = "INSERT INTO software_keys (label, spki, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    private static readonly KeyRef Wrap = new("software-sm2-wrap");

    private readonly ConcurrentDictionary<string, Sm2PrivateKey> _open = new(StringComparer.Ordinal);

    /// <summary>Makes a key, or finds the one made before.</summary>
    /// <param name="holder">The token whose key seals it.</param>
    /// <param name="label">Label.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="TokenException">The token is away, or the sealed bytes were changed.</exception>
    public async Task<Sm2PrivateKey> Ensure(IToken holder, string label, CancellationToken ct)
    {
        if (await Open(holder, label, ct) is { } known)
        {
            return known;
        }

        _ = await holder.FindOrGenerate(Wrap, KeyAlgorithm.Aes256, ct);
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

        return await Open(holder, label, ct) ?? throw new InvalidOperationException("A sealed key vanished.");
    }

    /// <summary>The key of that label; null when there is none.</summary>
    /// <exception cref="TokenException">The token is away, or the sealed bytes were changed.</exception>
    public async Task<Sm2PrivateKey?> Open(IToken holder, string label, CancellationToken ct)
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

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var key in _open.Values)
        {
            key.Dispose();
        }
    }

    // The blob authenticates which key it is: it cannot be moved to another label or public key.
    private static byte[] AssociatedData(string label, ReadOnlySpan<byte> spki) =>
        [.. Encoding.UTF8.GetBytes($"trust.software-key.v1\n{label}\n"), .. SHA256.HashData(spki)];
}

using System.Collections.Concurrent;
using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;

namespace Trust.CA.Certificates;

/// <summary>A CA of ours.</summary>
/// <param name="Name">For example <c>practitioner-issuing</c>; part of its CRL and certificate addresses.</param>
/// <param name="Parent">The CA above; null for a root.</param>
/// <param name="Certificate">Its certificate.</param>
/// <param name="KeyLabel">Label of its key.</param>
public sealed record Authority(string Name, string? Parent, Certificate Certificate, string KeyLabel)
{
    /// <summary>The suite its key signs with.</summary>
    public SignatureSuite Suite { get; } = SignatureSuite.ForKey(Certificate.SubjectPublicKeyInfo)
        ?? throw new InvalidOperationException($"The key of {Name} has no signature suite.");
}

/// <summary>The CAs the ceremony made. They never change, so they are read once.</summary>
public sealed class IssuerDirectory(NpgsqlDataSource db)
{
    private const string Select = "SELECT name, parent, certificate, key_label FROM issuers";
    private const string Insert = "INSERT INTO issuers (name, parent, certificate, key_label) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

    private readonly ConcurrentDictionary<string, Authority> _known = new(StringComparer.Ordinal);

    /// <summary>A CA by name; null when the ceremony has not made it.</summary>
    public async Task<Authority?> Find(string name, CancellationToken ct)
    {
        if (!_known.ContainsKey(name))
        {
            _ = await All(ct);
        }

        return _known.GetValueOrDefault(name);
    }

    /// <summary>All CAs.</summary>
    public async Task<IReadOnlyCollection<Authority>> All(CancellationToken ct)
    {
        if (_known.IsEmpty)
        {
            foreach (var row in await db.Sql(Select).All(
                r => new Authority(r.GetString(0), r.Nullable<string>(1), Certificate.Parse(r.GetFieldValue<byte[]>(2)), r.GetString(3)), ct))
            {
                _known[row.Name] = row;
            }
        }

        return [.. _known.Values];
    }

    /// <summary>Records a CA that the ceremony made.</summary>
    public async Task Add(Authority authority, CancellationToken ct)
    {
        await db.Sql(Insert).With(authority.Name).With(authority.Parent).With(authority.Certificate.Der.ToArray()).With(authority.KeyLabel).Execute(ct);
        _known[authority.Name] = authority;
    }

    /// <summary>The chain from a CA up to its root, the CA itself first.</summary>
    public async Task<IReadOnlyList<Certificate>> Chain(string name, CancellationToken ct)
    {
        var chain = new List<Certificate>();
        for (var at = await Find(name, ct); at is not null; at = at.Parent is null ? null : await Find(at.Parent, ct))
        {
            chain.Add(at.Certificate);
        }

        return chain;
    }
}

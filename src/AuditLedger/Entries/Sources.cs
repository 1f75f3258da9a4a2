using System.Security.Cryptography;

namespace Trust.AuditLedger.Entries;

/// <summary>A producer and the key that signs its batches.</summary>
internal sealed class Source : IDisposable
{
    private readonly byte[] _spki;
    private readonly ThreadLocal<ECDsa> _key;

    public Source(string name, byte[] spki)
    {
        Name = name;
        _spki = spki;
        // An ECDsa object is not documented as safe for concurrent use; one a thread costs less than one a batch.
        _key = new ThreadLocal<ECDsa>(
            () =>
            {
                var key = ECDsa.Create();
                key.ImportSubjectPublicKeyInfo(_spki, out _);
                return key;
            },
            trackAllValues: true);
    }

    public string Name { get; }

    public ReadOnlySpan<byte> BatchKey => _spki;

    public bool Verifies(ReadOnlySpan<byte> digest, ReadOnlySpan<byte> signature) =>
        _key.Value!.VerifyHash(digest, signature, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    public void Dispose()
    {
        foreach (var key in _key.Values)
        {
            key.Dispose();
        }

        _key.Dispose();
    }
}

/// <summary>The producers declared in configuration; nobody else can append.</summary>
internal sealed class Sources : IDisposable
{
    private readonly Dictionary<string, Source> _byName;

    public Sources(AuditLedgerOptions options) =>
        _byName = options.Sources.ToDictionary(s => s.Name, s => new Source(s.Name, File.ReadAllBytes(s.BatchKeyFile)), StringComparer.Ordinal);

    public IEnumerable<Source> All => _byName.Values;

    public IReadOnlyList<string> Names => [.. _byName.Keys];

    public Source? Find(string name) => _byName.GetValueOrDefault(name);

    public void Dispose()
    {
        foreach (var source in _byName.Values)
        {
            source.Dispose();
        }
    }
}

using System.Security.Cryptography;

namespace Trust.AuditLedger.Entries;

/// <summary>A key that signs batches.</summary>
internal sealed class BatchKey : IDisposable
{
    private readonly ThreadLocal<ECDsa> _key;

    public BatchKey(byte[] spki)
    {
        SubjectPublicKeyInfo = spki;
        // An ECDsa object is not documented as safe for concurrent use; one a thread costs less than one a batch.
        _key = new ThreadLocal<ECDsa>(
            () =>
            {
                var key = ECDsa.Create();
                key.ImportSubjectPublicKeyInfo(spki, out _);
                return key;
            },
            trackAllValues: true);
    }

    public byte[] SubjectPublicKeyInfo { get; }

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

/// <summary>A producer and the keys of its batches: one for what it sends, and those before it, for what is stored.</summary>
internal sealed class Source(string name, byte[] current, IEnumerable<byte[]> earlier) : IDisposable
{
    private readonly BatchKey[] _keys = [new(current), .. earlier.Select(spki => new BatchKey(spki))];

    public string Name { get; } = name;

    /// <summary>SubjectPublicKeyInfo of each, the current one first.</summary>
    public IReadOnlyList<byte[]> BatchKeys => [.. _keys.Select(k => k.SubjectPublicKeyInfo)];

    /// <summary>Whether a batch may be taken in: a key that was given up, stolen perhaps, signs nothing new.</summary>
    public bool Sends(ReadOnlySpan<byte> digest, ReadOnlySpan<byte> signature) => _keys[0].Verifies(digest, signature);

    /// <summary>Whether a stored batch is its own.</summary>
    public bool Sent(ReadOnlySpan<byte> digest, ReadOnlySpan<byte> signature)
    {
        foreach (var key in _keys)
        {
            if (key.Verifies(digest, signature))
            {
                return true;
            }
        }

        return false;
    }

    public void Dispose() => Array.ForEach(_keys, k => k.Dispose());
}

/// <summary>The producers declared in configuration; nobody else can append.</summary>
internal sealed class Sources : IDisposable
{
    private readonly Dictionary<string, Source> _byName;

    public Sources(AuditLedgerOptions options) => _byName = options.Sources.ToDictionary(
        s => s.Name, s => new Source(s.Name, File.ReadAllBytes(s.BatchKeyFile), s.EarlierBatchKeyFiles.Select(File.ReadAllBytes)), StringComparer.Ordinal);

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

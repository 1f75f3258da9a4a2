using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Trust.Crypto.Asn1;

namespace Trust.CA.Revocation;

/// <summary>An answer that is kept for whoever asks the same.</summary>
/// <param name="response">OCSPResponse, DER.</param>
/// <param name="until">Until when it is given out.</param>
/// <param name="clock">Time.</param>
internal sealed class KeptOcspAnswer(byte[] response, DateTimeOffset until, TimeProvider clock) : OcspAnswer(response)
{
    private volatile bool _dropped;

    /// <summary>Whether it may be given out now.</summary>
    public bool IsFresh => !_dropped && until > clock.GetUtcNow();

    /// <summary>Ways of asking that lead here without being read; guarded by itself.</summary>
    public List<string> Texts { get; } = [];

    /// <summary>The certificate has changed.</summary>
    public void Drop() => _dropped = true;

    /// <inheritdoc/>
    public override Task ExecuteAsync(HttpContext httpContext)
    {
        if (HttpMethods.IsGet(httpContext.Request.Method) || HttpMethods.IsHead(httpContext.Request.Method))
        {
            var seconds = Math.Max(0, (int)(until - clock.GetUtcNow()).TotalSeconds);
            httpContext.Response.Headers.CacheControl = $"max-age={seconds}, public, no-transform, must-revalidate";
        }

        return base.ExecuteAsync(httpContext);
    }
}

/// <summary>
/// Answers without nonce by the CertID that was asked, so that every way of encoding one question meets one answer and costs one
/// signature. The commonest ways of asking also lead to their answer by their text, without being read. A certificate has at most an
/// answer for each hash algorithm; nothing grows with how often it is asked.
/// </summary>
internal sealed class OcspCache
{
    private const int MostAnswers = 100_000;
    private const int MostTexts = 4;
    // A question about one certificate by SHA-256 without extensions has some 150 characters, with escapes 200.
    private const int LongestText = 300;
    private const string NeverIssued = "";

    private readonly ConcurrentDictionary<string, KeptOcspAnswer> _byText = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, KeptOcspAnswer> _byId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, byte>> _idsOf = new(StringComparer.Ordinal);
    private long _generation;

    /// <summary>Counts the changes of certificates; an answer made from rows read before one must not be kept.</summary>
    public long Generation => Interlocked.Read(ref _generation);

    /// <summary>How many entries there are, of whatever kind.</summary>
    public int Size => _byText.Count + _byId.Count + _idsOf.Values.Sum(ids => ids.Count);

    /// <summary>The name of a question in here.</summary>
    public static string KeyOf(CertificateId id) => string.Concat(
        id.HashOid, ":", Convert.ToHexString(id.IssuerNameHash.Span), Convert.ToHexString(id.IssuerKeyHash.Span), Convert.ToHexString(id.SerialNumber.Span));

    /// <summary>The answer to a question that was asked in these very characters before; null when there is none.</summary>
    public KeptOcspAnswer? FindByText(string text) => _byText.TryGetValue(text, out var kept) && kept.IsFresh ? kept : null;

    /// <summary>The answer to a question; null when there is none. Remembers its text, if it has one.</summary>
    public KeptOcspAnswer? Find(string key, string? text)
    {
        if (!_byId.TryGetValue(key, out var kept) || !kept.IsFresh)
        {
            return null;
        }

        Remember(kept, text);
        return kept;
    }

    /// <summary>Keeps an answer, unless a certificate has changed meanwhile.</summary>
    /// <param name="key">The question.</param>
    /// <param name="text">The characters it was asked in; null for none.</param>
    /// <param name="sha256">The certificate, hex; null when it was never issued.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="generation">Read before the rows were.</param>
    public void Keep(string key, string? text, string? sha256, KeptOcspAnswer answer, long generation)
    {
        if (_byId.Count >= MostAnswers)
        {
            Clear();
        }

        if (_byId.TryGetValue(key, out var before))
        {
            Forget(before);
        }

        _byId[key] = answer;
        _idsOf.GetOrAdd(sha256 ?? NeverIssued, _ => new(StringComparer.Ordinal))[key] = 0;
        Remember(answer, text);

        // Asked after it was entered: a change either is seen here, or finds the answer and drops it.
        if (generation != Generation)
        {
            Remove(key);
        }
    }

    /// <summary>A certificate has changed, or was issued.</summary>
    public void Changed(string sha256)
    {
        // Whatever is being made from older rows must not enter either.
        _ = Interlocked.Increment(ref _generation);
        foreach (var name in new[] { sha256, NeverIssued })
        {
            if (_idsOf.TryRemove(name, out var keys))
            {
                foreach (var key in keys.Keys)
                {
                    Remove(key);
                }
            }
        }
    }

    private void Remove(string key)
    {
        if (_byId.TryRemove(key, out var kept))
        {
            Forget(kept);
        }
    }

    private void Remember(KeptOcspAnswer kept, string? text)
    {
        if (text is not { Length: <= LongestText })
        {
            return;
        }

        lock (kept.Texts)
        {
            if (kept.IsFresh && kept.Texts.Count < MostTexts && !kept.Texts.Contains(text, StringComparer.Ordinal))
            {
                kept.Texts.Add(text);
                _byText[text] = kept;
            }
        }
    }

    private void Forget(KeptOcspAnswer kept)
    {
        kept.Drop();
        lock (kept.Texts)
        {
            foreach (var text in kept.Texts)
            {
                _byText.TryRemove(new(text, kept));
            }
        }
    }

    private void Clear()
    {
        _byText.Clear();
        _byId.Clear();
        _idsOf.Clear();
    }
}

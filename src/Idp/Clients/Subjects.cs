using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Text;
using Trust.Pkcs11;

namespace Trust.Idp.Clients;

/// <summary>
/// Who a person is to a client: the one place that says <c>sub</c> (OpenID Connect Core 8). A pairwise subject is a keyed hash of sector and person under a
/// key that never leaves the token: the same for all clients of one sector, and nobody without the token can tell whose it is.
/// </summary>
public sealed class Subjects(IToken token)
{
    private const int MostKept = 50_000;
    private readonly ConcurrentDictionary<(string Sector, string Person), string> _known = new();
    private volatile bool _hasKey;

    /// <summary>The key of the hash.</summary>
    public static KeyRef Key { get; } = new("pairwise-subjects");

    /// <summary>Core 8.1: the host of the document that lists the sector's addresses, or of the redirect URIs, which share one.</summary>
    public static string SectorOf(Client client)
    {
        ArgumentNullException.ThrowIfNull(client);
        return new Uri(client.Metadata.SectorIdentifierUri ?? client.RedirectUris[0]).IdnHost;
    }

    /// <summary>The person's <c>sub</c> for a client.</summary>
    public async ValueTask<string> Of(Client client, string person, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(client);
        if (client.Metadata.SubjectType is not "pairwise")
        {
            return person;
        }

        var sector = SectorOf(client);
        if (_known.TryGetValue((sector, person), out var known))
        {
            return known;
        }

        if (!_hasKey)
        {
            // An installation from before has no such key yet.
            _ = await token.FindOrGenerate(Key, KeyAlgorithm.HmacSha256, ct);
            _hasKey = true;
        }

        // Neither a host nor an identifier of ours has a line break in it.
        var subject = Base64Url.EncodeToString(await token.Mac(Key, Encoding.UTF8.GetBytes($"trust.pairwise.v1\n{sector}\n{person}"), ct));
        if (_known.Count >= MostKept)
        {
            _known.Clear();
        }

        return _known[(sector, person)] = subject;
    }

    /// <summary>Whether a subject that a client named is this person.</summary>
    public async ValueTask<bool> Is(Client client, string person, string subject, CancellationToken ct) =>
        string.Equals(await Of(client, person, ct), subject, StringComparison.Ordinal);
}

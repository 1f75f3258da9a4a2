using System.Net.Http.Headers;
using System.Security.Cryptography;
using Trust.Crypto.Asn1;
using Trust.Kernel.Residency;

namespace Trust.AuditLedger.Anchoring;

/// <summary>A verified time-stamp.</summary>
/// <param name="Authority">Peer name of the authority.</param>
/// <param name="Token">ContentInfo, DER.</param>
/// <param name="Time">genTime.</param>
/// <param name="Ends">When the authority's certificate ends, and with it what the token proves alone.</param>
internal sealed record Stamp(string Authority, byte[] Token, DateTimeOffset Time, DateTimeOffset Ends);

/// <summary>Asks one outside authority, and believes only what verifies.</summary>
internal sealed class StampingAuthority(StampingAuthorityOptions options, Outbound outbound, TimeProvider clock)
{
    private const int NonceSize = 16;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    // Beyond this one of two clocks is wrong, and nobody can say which.
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    private readonly List<Certificate> _roots = [.. options.RootFiles.SelectMany(file => Certificate.ParsePem(File.ReadAllText(file)))];

    /// <summary>Its peer name.</summary>
    public string Name => options.Peer;

    /// <summary>Stamps data.</summary>
    /// <returns>The stamp, or why there is none.</returns>
    public async Task<(Stamp? Stamp, string Why)> Ask(byte[] data, CancellationToken ct)
    {
        var nonce = RandomNumberGenerator.GetBytes(NonceSize);
        nonce[0] = (byte)((nonce[0] & 0x7F) | 0x40); // A positive INTEGER without a leading zero has one spelling.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        try
        {
            using var content = new ByteArrayContent(new TimeStampRequest(Oids.Sha256, SHA256.HashData(data), Nonce: nonce).Encode());
            content.Headers.ContentType = new MediaTypeHeaderValue("application/timestamp-query");
            using var request = new HttpRequestMessage(HttpMethod.Post, options.Path) { Content = content };
            using var answer = await outbound.Client(options.Peer).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (!answer.IsSuccessStatusCode)
            {
                return (null, $"HTTP {(int)answer.StatusCode}");
            }

            await answer.Content.LoadIntoBufferAsync(TimeStamp.MaxBytes, limit.Token);
            return Judge(await answer.Content.ReadAsByteArrayAsync(limit.Token), data, nonce, limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return (null, e is OperationCanceledException ? "no answer in time" : e.Message);
        }
    }

    private (Stamp?, string) Judge(byte[] response, byte[] data, byte[] nonce, CancellationToken ct)
    {
        if (TimeStamp.TokenOf(response) is not { } token)
        {
            return (null, "it granted no time-stamp");
        }

        return TimeStamp.Verify(token, data, [], _roots, nonce, ct) switch
        {
            TimeStampOutcome.Proved(var info, _) when (info.Time - clock.GetUtcNow()).Duration() > Tolerance =>
                (null, $"its clock says {info.Time:O}, ours {clock.GetUtcNow():O}"),
            TimeStampOutcome.Proved(var info, var path) => (new Stamp(Name, token.ToArray(), info.Time, path[0].NotAfter), ""),
            TimeStampOutcome.Refused(var reason, var why) => (null, $"its time-stamp does not verify: {reason} {why}"),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }
}

using System.Collections.Concurrent;
using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Login;

/// <summary>
/// Who was refused too often waits, and nobody else. A certificate is counted only by handshakes that possessed its key, a person only by a card that was itself found
/// good, so neither can be made to wait by somebody else. An address and a client are counted by cards of strangers and make strangers alone wait: a good card from
/// the same ward is never asked.
/// </summary>
/// <remarks>What is counted of strangers is kept in memory: a flood of them must not write rows.</remarks>
public sealed class CardThrottle(NpgsqlDataSource db, TimeProvider clock)
{
    /// <summary>Refusals that make nobody wait.</summary>
    public const int Free = 10;

    /// <summary>Counted anew after so long without a refusal.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(15);

    private const int MostStrangers = 50_000;
    private const string FindSql = "SELECT max(until) FROM card_throttles WHERE kind = $1 AND key = $2 AND until > $3";

    // The wait doubles with each refusal after it is over: 30 s, 1 min … 15 min. Attempts that are made to wait count nothing and prolong nothing.
    private const string Count = """
        INSERT INTO card_throttles AS t (kind, key, failures, last_at) VALUES ($1, $2, 1, $3)
        ON CONFLICT (kind, key) DO UPDATE SET
            failures = CASE WHEN GREATEST(t.last_at, t.until) < $3 - $4 THEN 1 ELSE t.failures + 1 END,
            until = CASE WHEN GREATEST(t.last_at, t.until) >= $3 - $4 AND t.failures >= $5
                         THEN $3 + LEAST($4, interval '30 seconds' * power(2, LEAST(t.failures - $5, 10))) END,
            last_at = $3
        """;
    private const string Forget = "DELETE FROM card_throttles WHERE (kind = 'certificate' AND key = $1) OR (kind = 'person' AND key = $2)";
    private readonly ConcurrentDictionary<(string Kind, string Key), (int Failures, DateTimeOffset LastAt, DateTimeOffset Until)> _strangers = new();

    /// <summary>Until when a certificate waits; null when it need not.</summary>
    public Task<DateTimeOffset?> OfCertificate(string certificate, CancellationToken ct) => Until("certificate", certificate, ct);

    /// <summary>Until when a person waits; null when they need not.</summary>
    public Task<DateTimeOffset?> OfPerson(string person, CancellationToken ct) => Until("person", person, ct);

    /// <summary>A refused card of ours is counted, in the transaction that records the refusal.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="certificate">SHA-256 hex of the certificate, whose key the handshake proved.</param>
    /// <param name="person">Its holder, where the certificate was good and the person is why; null otherwise.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Refused(NpgsqlTransaction tx, string certificate, string? person, CancellationToken ct)
    {
        foreach (var (kind, key) in new[] { ("certificate", certificate), ("person", person) })
        {
            if (key is not null)
            {
                await tx.Sql(Count).With(kind).With(key).With(clock.GetUtcNow()).With(Window).With(Free).Execute(ct);
            }
        }
    }

    /// <summary>A card that logged in has no refusals behind it any more.</summary>
    public Task Accepted(string certificate, string person, CancellationToken ct) => db.Sql(Forget).With(certificate).With(person).Execute(ct);

    /// <summary>Counts a stranger's card by address and client; answers until when such cards wait from there, or null.</summary>
    public DateTimeOffset? Stranger(string? address, string? client)
    {
        var now = clock.GetUtcNow();
        if (_strangers.Count >= MostStrangers)
        {
            foreach (var (key, seen) in _strangers)
            {
                if (now - seen.LastAt > Window)
                {
                    _strangers.TryRemove(key, out _);
                }
            }
        }

        // An address has a ward behind it, a client a hospital.
        return Later(One("address", address, Free, now), One("client", client, Free * 10, now));
    }

    private DateTimeOffset? One(string kind, string? key, int free, DateTimeOffset now)
    {
        if (key is null || (_strangers.Count >= MostStrangers && !_strangers.ContainsKey((kind, key))))
        {
            return null;
        }

        var (failures, _, until) = _strangers.AddOrUpdate(
            (kind, key), _ => (1, now, default), (_, seen) => seen.Until > now ? seen
                : now - Max(seen.LastAt, seen.Until) > Window ? (1, now, default)
                : (seen.Failures + 1, now, seen.Failures >= free ? now + Wait(seen.Failures - free) : default));
        return failures > free && until > now ? until : null;
    }

    /// <summary>The wait after so many refusals beyond the free ones.</summary>
    internal static TimeSpan Wait(int beyond)
    {
        var wait = TimeSpan.FromSeconds(30) * Math.Pow(2, Math.Min(beyond, 10));
        return wait < Window ? wait : Window;
    }

    private async Task<DateTimeOffset?> Until(string kind, string key, CancellationToken ct)
    {
        var until = await db.Sql(FindSql).With(kind).With(key).With(clock.GetUtcNow()).Scalar<DateTime?>(ct);
        return until is { } at ? new DateTimeOffset(at, TimeSpan.Zero) : null;
    }

    private static DateTimeOffset Max(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static DateTimeOffset? Later(DateTimeOffset? a, DateTimeOffset? b) => a is { } x && b is { } y ? Max(x, y) : a ?? b;
}

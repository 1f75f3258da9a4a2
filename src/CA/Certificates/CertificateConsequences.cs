using Npgsql;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;

namespace Trust.CA.Certificates;

/// <summary>What a change of a person's or institution's standing does to certificates, in the same transaction.</summary>
public static class CertificateConsequences
{
    private const string Revoke = """
        WITH changed AS (
            UPDATE certificates SET state = 'revoked'
            WHERE (holder = $1 OR ($1 = '' AND institution = $2)) AND ($2 = '' OR institution = $2 OR holder = $2) AND state IN ('good', 'hold')
            RETURNING sha256, issuer, serial, holder)
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, at, recorded_by)
        SELECT sha256, issuer, serial, 'revoked', $3, 'registry', $4, $5 FROM changed RETURNING sha256
        """;
    private const string Hold = """
        WITH changed AS (
            UPDATE certificates SET state = 'hold' WHERE holder = $1 AND state = 'good' RETURNING sha256, issuer, serial)
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, at, recorded_by)
        SELECT sha256, issuer, serial, 'hold', 6, 'registry', $2, $3 FROM changed RETURNING sha256
        """;

    // An officer's own hold stays: only what the registry held does the registry give back.
    private const string Resume = """
        WITH changed AS (
            UPDATE certificates c SET state = 'good' WHERE holder = $1 AND state = 'hold'
              AND (SELECT cause FROM certificate_states s WHERE s.sha256 = c.sha256 ORDER BY id DESC LIMIT 1) = 'registry'
            RETURNING sha256, issuer, serial)
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, at, recorded_by)
        SELECT sha256, issuer, serial, 'good', 0, 'registry', $2, $3 FROM changed RETURNING sha256
        """;

    /// <summary>Revokes everything a holder has.</summary>
    public static Task<List<FeedChange>> RevokeAll(
        NpgsqlTransaction tx, string holder, RevocationReason reason, DateTimeOffset at, string by, CancellationToken ct) =>
        Collect(tx.Sql(Revoke).With(holder).With(string.Empty).With((short)reason).With(at).With(by), holder, "revoked", ct);

    /// <summary>Revokes what a person holds under one institution.</summary>
    public static Task<List<FeedChange>> RevokeUnder(
        NpgsqlTransaction tx, string holder, string institution, RevocationReason reason, DateTimeOffset at, string by, CancellationToken ct) =>
        Collect(tx.Sql(Revoke).With(holder).With(institution).With((short)reason).With(at).With(by), holder, "revoked", ct);

    /// <summary>Revokes what anyone holds under an institution.</summary>
    public static Task<List<FeedChange>> RevokeDependants(
        NpgsqlTransaction tx, string institution, RevocationReason reason, DateTimeOffset at, string by, CancellationToken ct) =>
        Collect(tx.Sql(Revoke).With(string.Empty).With(institution).With((short)reason).With(at).With(by), null, "revoked", ct);

    /// <summary>Puts everything a holder has on hold.</summary>
    public static Task<List<FeedChange>> HoldAll(NpgsqlTransaction tx, string holder, DateTimeOffset at, string by, CancellationToken ct) =>
        Collect(tx.Sql(Hold).With(holder).With(at).With(by), holder, "hold", ct);

    /// <summary>Takes the registry's own holds back.</summary>
    public static Task<List<FeedChange>> ResumeAll(NpgsqlTransaction tx, string holder, DateTimeOffset at, string by, CancellationToken ct) =>
        Collect(tx.Sql(Resume).With(holder).With(at).With(by), holder, "good", ct);

    private static async Task<List<FeedChange>> Collect(NpgsqlCommand command, string? person, string state, CancellationToken ct) =>
        [.. (await command.All(r => r.GetString(0), ct)).Select(sha => new FeedChange("certificate", sha, person, state))];
}

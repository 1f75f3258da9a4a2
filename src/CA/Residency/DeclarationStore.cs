using System.Text.Json;
using Npgsql;
using Trust.CA.Entitlements;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.CA.Residency;

/// <summary>A declaration as officers list it.</summary>
/// <param name="Id">The proposal.</param>
/// <param name="Version">The document's version.</param>
/// <param name="Sha256">The document's hash, hex: what both officers' cards sign.</param>
/// <param name="State"><c>proposed</c> or <c>in-force</c>; the highest version in force counts.</param>
/// <param name="ProposedBy">The first officer.</param>
/// <param name="ProposedAt">When.</param>
/// <param name="ExpiresAt">When a proposal lapses.</param>
/// <param name="AcceptedBy">The second officer.</param>
/// <param name="AcceptedAt">Since when it is in force.</param>
public sealed record DeclarationSummary(
    Guid Id, int Version, string Sha256, string State, string ProposedBy, DateTimeOffset ProposedAt, DateTimeOffset ExpiresAt, string? AcceptedBy = null, DateTimeOffset? AcceptedAt = null);

/// <summary>Keeps declarations, judges who signs them, and accepts those that two officers signed.</summary>
internal sealed class DeclarationStore(NpgsqlDataSource db, IToken token, Outbox outbox, OfficerDirectory officers, ServiceOptions options, TimeProvider clock)
{
    /// <summary>How long a proposal waits.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    private const string SelectNewest = "SELECT jws FROM residency_declarations WHERE state = 'in-force' ORDER BY version DESC LIMIT 1";
    private const string SelectVersion = "SELECT coalesce(max(version), 0) FROM residency_declarations WHERE state = 'in-force'";
    private const string SelectOne = "SELECT jws FROM residency_declarations WHERE id = $1";
    private const string SelectAll = """
        SELECT id, version, sha256, state, proposed_by, proposed_at, expires_at, accepted_by, accepted_at FROM residency_declarations
        WHERE (proposed_at, id) > ($1, $2) ORDER BY proposed_at, id LIMIT $3
        """;
    private const string SelectSummary = """
        SELECT id, version, sha256, state, proposed_by, proposed_at, expires_at, accepted_by, accepted_at FROM residency_declarations WHERE id = $1
        """;
    private const string Insert = """
        WITH act AS (INSERT INTO residency_declarations (id, version, sha256, jws, proposed_by, card_sha256, proposed_at, expires_at)
                     VALUES ($6, $7, $8, $9, $10, $11, $12, $13) RETURNING 1)
        """ + Outbox.Trace;

    // The first officer's voice counts only while it is one; nothing older than what is in force comes into force.
    private const string Accept = """
        UPDATE residency_declarations p SET state = 'in-force', jws = $2, accepted_by = $3, accepted_at = $4
        WHERE id = $1 AND state = 'proposed' AND expires_at > $4
          AND version > (SELECT coalesce(max(version), 0) FROM residency_declarations WHERE state = 'in-force')
          AND EXISTS (SELECT 1 FROM officers o JOIN certificates c ON c.holder = o.person
                      WHERE o.person = p.proposed_by AND o.active AND c.sha256 = p.card_sha256 AND c.state = 'good')
        """;

    /// <summary>The newest in force, as services take it; null before the first.</summary>
    public Task<byte[]?> Newest(CancellationToken ct) => db.Sql(SelectNewest).Scalar<byte[]>(ct);

    /// <summary>A declaration's serialization; null when there is none of that identifier.</summary>
    public Task<byte[]?> Find(Guid id, CancellationToken ct) => db.Sql(SelectOne).With(id).Scalar<byte[]>(ct);

    /// <summary>Where a declaration stands; null when there is none.</summary>
    public Task<DeclarationSummary?> Summary(Guid id, CancellationToken ct) => db.Sql(SelectSummary).With(id).One(Read, ct);

    /// <summary>A page, oldest first.</summary>
    public Task<List<DeclarationSummary>> List(Page page, CancellationToken ct) =>
        db.Sql(SelectAll).With(page.After.At).With(page.After.Id).With(page.Fetch).All(Read, ct);

    /// <summary>Reads what an officer sent: well formed, its signatures good, its document one that could come into force.</summary>
    /// <param name="jws">The general serialization.</param>
    /// <param name="fault">What is wrong.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<(SignedDeclaration Signed, ResidencyTerms Terms)?> Read(ReadOnlyMemory<byte> jws, List<string> fault, CancellationToken ct)
    {
        // As of today, and as services will read it for as long as it is in force.
        var now = clock.GetUtcNow();
        if (SignedDeclaration.TryRead(jws, Trust(), out var why) is not { } signed || ResidencyTerms.TryRead(signed.Document, now, out why) is not { } terms
            || ResidencyTerms.TryReadInForce(signed.Document, now, out why) is null)
        {
            fault.Add(why);
            return null;
        }

        if (!signed.Document.AsSpan().SequenceEqual(CanonicalJson.Encode(JsonElement.Parse(signed.Document))))
        {
            fault.Add("The document is not in its canonical form (RFC 8785).");
            return null;
        }

        var current = await db.Sql(SelectVersion).Scalar<int>(ct);
        if (terms.Declaration.Version <= current)
        {
            fault.Add($"Version {terms.Declaration.Version} is not above {current}, which is in force.");
            return null;
        }

        return (signed, terms);
    }

    /// <summary>The officer who signed, when the certificate is a good signature certificate of one; null otherwise.</summary>
    public Task<string?> OfficerOf(DeclarationSigner signer, CancellationToken ct) => officers.PersonOf(signer.Certificate.Sha256Hex, "officer-signature", ct);

    /// <summary>Keeps a proposal with its event.</summary>
    /// <returns>The proposal; why it is not kept, where it is not.</returns>
    public async Task<(DeclarationSummary Summary, Refusal? Refusal)> Propose(Officer officer, SignedDeclaration signed, ResidencyTerms terms)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var summary = new DeclarationSummary(Guid.CreateVersion7(now), terms.Declaration.Version, terms.Sha256, "proposed", officer.Person, now, now + Lifetime);
        var committed = await outbox.Commit(
            Event(officer.Actor, "residency-proposed", null, terms.Sha256, summary.Id), Insert,
            c => c.With(summary.Id).With(summary.Version).With(summary.Sha256).With(signed.Bytes).With(officer.Person).With(officer.CertificateSha256).With(now).With(summary.ExpiresAt));
        return (summary, committed is CommitOutcome.Refused(var why) ? CommonRefusals.From(why) : null);
    }

    /// <summary>Puts a declaration into force by ca's own signature.</summary>
    /// <param name="id">The proposal.</param>
    /// <param name="actor">Who accepts.</param>
    /// <param name="second">The second officer.</param>
    /// <param name="first">The first.</param>
    /// <param name="signed">The document with both signatures.</param>
    /// <param name="sha256">The document's hash.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Null when it is in force; otherwise why not.</returns>
    public async Task<Refusal?> PutInForce(Guid id, Actor actor, string second, string first, SignedDeclaration signed, string sha256, CancellationToken ct)
    {
        var jws = await Accepted(signed, ct);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        try
        {
            if (await tx.Sql(Accept).With(id).With(jws).With(second).With(Microseconds.Truncate(clock.GetUtcNow())).Execute(ct) == 0)
            {
                return CaRefusals.DeclarationClosed;
            }
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation)
        {
            // Another document of this version came into force at the same instant.
            return CaRefusals.DeclarationClosed;
        }

        if (await outbox.Append(tx, Event(actor, "residency-accepted", first, sha256, id), ct) is AppendOutcome.Refused(var why))
        {
            return CommonRefusals.From(why);
        }

        await tx.CommitAsync(ct);
        return null;
    }

    /// <summary>The document with the officers' signatures and ca's.</summary>
    public async Task<byte[]> Accepted(SignedDeclaration signed, CancellationToken ct)
    {
        var header = SignedDeclaration.AcceptedHeader;
        var own = await Jws.Sign(SignedDeclaration.Input(header, signed.Document), (digest, stop) => token.Sign(AnswerEntitlement.Key, digest, stop), ct);
        return SignedDeclaration.Write(signed.Document, [.. signed.Signers.Select(s => (s.Header, s.Signature)), (header, own)]);
    }

    /// <summary>Whom declarations are believed from.</summary>
    public DeclarationTrust Trust() => DeclarationTrust.Load(options.PublicDirectory);

    private static DeclarationSummary Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetInt32(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetFieldValue<DateTimeOffset>(5), r.GetFieldValue<DateTimeOffset>(6), r.Nullable<string>(7),
        r.IsDBNull(8) ? null : r.GetFieldValue<DateTimeOffset>(8));

    /// <summary>The event of an act on a declaration.</summary>
    public static AuditEvent Event(Actor actor, string reason, string? first, string sha256, Guid id) => new()
    {
        Action = "ADMIN.rule", Actor = actor, OnBehalfOf = first, Subjects = [SubjectKey.Of("declaration", sha256)], Outcome = EventOutcome.Success, Reason = reason,
        Basis = "residency:sha256:" + sha256, Correlation = id.ToString("D"),
    };
}

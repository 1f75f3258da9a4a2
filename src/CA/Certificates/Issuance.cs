using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.CA.Linting;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>A request that two officers approved, with the hashes they signed.</summary>
public sealed record ApprovedRequest(
    Guid Id, string Profile, byte[] ProfileSha256, string Holder, string? Institution, ReadOnlyMemory<byte> Spki, byte[] RegistrySha256);

/// <summary>What became of an issuance.</summary>
public abstract record IssueOutcome
{
    private IssueOutcome()
    {
    }

    /// <summary>The certificate.</summary>
    /// <param name="Issuer">Name of its CA.</param>
    /// <param name="Der">Its bytes.</param>
    public sealed record Issued(string Issuer, byte[] Der) : IssueOutcome;

    /// <summary>Refused for good.</summary>
    public sealed record Refused(Refusal Why) : IssueOutcome;

    /// <summary>Not now: the outbox refuses the intent.</summary>
    public sealed record LedgerAway(AppendRefusal Reason) : IssueOutcome;

    /// <summary>Not now: it goes on by itself, or when asked again.</summary>
    public sealed record Waiting(string Reason) : IssueOutcome;
}

/// <summary>
/// Issues: lint the bytes, reserve them with their confirmed intent, sign, record. A crash anywhere leaves either nothing, or a
/// reserved row that <see cref="ResumeIssuance"/> completes; at most one signature per reservation is ever released.
/// </summary>
public sealed class Issuance(
    NpgsqlDataSource db, IssuerDirectory issuers, CaKeys keys, CertificateStore store, RegistrySnapshot snapshots, ProfileSet profiles,
    Outbox outbox, CommitPoints points, CaOptions options, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<Issuance> log)
{
    /// <summary>Issues what a request with enough approvals asks for.</summary>
    public async Task<IssueOutcome> Issue(ApprovedRequest request, Actor actor, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var profile = profiles[request.Profile];

        // Asked again at the last moment: what was true at the request may not be true now.
        if (await snapshots.JudgeHolder(profile, request.Holder, request.Institution, now, ct) is not SnapshotOutcome.Fit fit
            || !fit.Sha256.AsSpan().SequenceEqual(request.RegistrySha256))
        {
            return await Refuse(request.Id, CaRefusals.RegistryChanged, ct);
        }

        if (!profile.Sha256.AsSpan().SequenceEqual(request.ProfileSha256))
        {
            return await Refuse(request.Id, CaRefusals.ProfileChanged, ct);
        }

        if (await issuers.Find(profile.Issuer, ct) is not { } issuer)
        {
            return new IssueOutcome.Waiting("no-such-issuer");
        }

        var plan = CertificatePlan.Make(profile, issuer, issuer.Suite, fit.Subject, request.Spki, now, options.Base);
        if (Linter.Lint(plan) is not LintOutcome.Passed passed)
        {
            return await Refuse(request.Id, CaRefusals.BreaksLint, ct);
        }

        points.Pass(CommitPoints.BeforeReserve);
        var row = CertificateRow.Reserved(plan, passed.Certificate.Redeem(), request.Id, request.Holder, request.Institution);
        return await store.Reserve(row, plan, Intent(request.Holder, request.Institution, actor, profile, request.Id), now, ct) switch
        {
            ConfirmOutcome.Confirmed => await Complete(row, actor, ct),
            ConfirmOutcome.Refused refused => new IssueOutcome.LedgerAway(refused.Reason),
            // Another approval came first; its issuance is under way or done.
            ConfirmOutcome.NoEffect => await store.FindByRequest(request.Id, ct) is { Der: { } done } first
                ? new IssueOutcome.Issued(first.Issuer, done) : new IssueOutcome.Waiting("under-way"),
            _ => Wait(request.Id, "no-receipt-yet"),
        };
    }

    /// <summary>Takes up a reserved certificate that was not finished: confirms the intent again, signs the same bytes, records.</summary>
    public async Task<IssueOutcome> Resume(CertificateRow row, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var profile = profiles[row.Profile];
        if (row.Request is { } request && await Lapsed(request, profile, row, now, ct) is { } why)
        {
            return await Refuse(request, why, ct);
        }

        var actor = new Actor("ca");
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await CertificateStore.TakeUp(tx, row, now, now - options.ResumeAfter, ct))
        {
            return new IssueOutcome.Waiting("under-way");
        }

        return await outbox.AppendConfirmed(tx, Intent(row.Holder, row.Institution, actor, profile, row.Request), ct) switch
        {
            ConfirmOutcome.Confirmed => await Complete(row, actor, ct),
            ConfirmOutcome.Refused refused => new IssueOutcome.LedgerAway(refused.Reason),
            _ => new IssueOutcome.Waiting("no-receipt-yet"),
        };
    }

    /// <summary>
    /// Issues for the system itself: service TLS, OCSP responders, the ceremony's. Recorded, not confirmed: the ledger needs such
    /// certificates itself before it can confirm anything. Only the end of the service stops it: a caller who hangs up must not leave
    /// a reservation behind.
    /// </summary>
    /// <param name="traced">False inside the ceremony, whose one first event covers its certificates by the transcript.</param>
    /// <exception cref="InvalidOperationException">The plan breaks a lint: a fault of the program or of the ceremony file.</exception>
    public async Task<Certificate> IssueForSystem(CertificatePlan plan, string holder, DigestSigner signer, Actor actor, bool traced = true)
    {
        var linted = Linter.Lint(plan);
        if (linted is not LintOutcome.Passed passed)
        {
            throw new InvalidOperationException($"Profile {plan.Profile.Name} for {holder} breaks: {string.Join(", ", ((LintOutcome.Failed)linted).Rules)}");
        }

        var row = CertificateRow.Reserved(plan, passed.Certificate.Redeem(), null, holder, null);
        await store.Reserve(row, plan, Microseconds.Truncate(clock.GetUtcNow()));
        var der = await Sign(row, plan.Suite, plan.Issuer?.Certificate.SubjectPublicKeyInfo ?? plan.Spki, signer, lifetime.ApplicationStopping);
        return Certificate.Parse(await store.Record(row, der, actor, null, traced));
    }

    // The officers signed facts; what they would not have signed today is not taken up.
    private async Task<Refusal?> Lapsed(Guid request, Profile profile, CertificateRow row, DateTimeOffset now, CancellationToken ct)
    {
        var signed = await store.RegistryOf(request, ct);
        return await snapshots.JudgeHolder(profile, row.Holder, row.Institution, now, ct) switch
        {
            SnapshotOutcome.Unfit(var why) => why,
            SnapshotOutcome.Fit fit when !fit.Sha256.AsSpan().SequenceEqual(signed) => CaRefusals.RegistryChanged,
            _ => await store.Approvals(request, now, ct) < GoodApprovals.Needed ? CaRefusals.ApprovalsLapsed : null,
        };
    }

    private static AuditEvent Intent(string holder, string? institution, Actor actor, Profile profile, Guid? request) => new()
    {
        Action = "CERT.issue",
        Actor = actor,
        Subjects = CertificateEvents.Subjects(holder, institution, null),
        Outcome = EventOutcome.Success,
        Reason = "intended",
        Basis = $"profile:sha256:{Convert.ToHexStringLower(profile.Sha256)}",
        Correlation = request?.ToString(),
    };

    private async Task<IssueOutcome> Complete(CertificateRow row, Actor actor, CancellationToken ct)
    {
        points.Pass(CommitPoints.AfterReserve);
        var issuer = await issuers.Find(row.Issuer, ct) ?? throw new InvalidOperationException($"Issuer {row.Issuer} vanished.");
        var signer = await keys.SignerOf(issuer.KeyLabel, ct);
        var der = await Sign(row, issuer.Suite, issuer.Certificate.SubjectPublicKeyInfo, signer, CancellationToken.None);
        points.Pass(CommitPoints.AfterSign);
        der = await store.Record(row, der, actor, row.Request?.ToString());
        points.Pass(CommitPoints.AfterRecord);
        CaLog.Issued(log, Certificate.Parse(der).Sha256Hex, row.Issuer, row.Profile);
        return new IssueOutcome.Issued(row.Issuer, der);
    }

    // Verified before it is recorded: a token that signs wrongly must not put its name to a person's certificate.
    private static async Task<byte[]> Sign(CertificateRow row, SignatureSuite suite, ReadOnlyMemory<byte> issuerKey, DigestSigner signer, CancellationToken ct)
    {
        var der = await SignedStructure.Sign(row.Tbs, suite, issuerKey, signer, ct);
        var certificate = Certificate.Parse(der);
        return certificate.IsSignedBy(issuerKey) && certificate.Tbs.Span.SequenceEqual(row.Tbs)
            ? der
            : throw new InvalidOperationException("The token's signature over a certificate does not verify.");
    }

    private async Task<IssueOutcome> Refuse(Guid request, Refusal why, CancellationToken ct)
    {
        await store.RefuseRequest(request, why.Name, ct);
        return new IssueOutcome.Refused(why);
    }

    private IssueOutcome.Waiting Wait(Guid request, string reason)
    {
        CaLog.IssuanceWaits(log, request, reason);
        return new IssueOutcome.Waiting(reason);
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Idp.Authorize;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Login;

/// <summary>What became of a card.</summary>
public abstract record CardOutcome
{
    private CardOutcome()
    {
    }

    /// <summary>Accepted; the handle takes the login to the browser that began it, once, within sixty seconds.</summary>
    public sealed record Accepted(string Handle) : CardOutcome;

    /// <summary>Refused by a named rule.</summary>
    public sealed record Refused(string Rule) : CardOutcome;

    /// <summary>Refused too often before; not judged until then.</summary>
    public sealed record Waits(DateTimeOffset Until) : CardOutcome;
}

/// <summary>
/// Login by a card's authentication certificate, shown in the initial TLS handshake of a host of its own.
/// The path is built to the configured practitioner-issuing CA before anything else; no URL inside a certificate is
/// ever contacted; the person is found by the certificate's hash in the registry, never by its name.
/// </summary>
public sealed class CardLogin(
    NpgsqlDataSource db, CardHolders holders, EntitlementClient entitlements, CardThrottle throttle, Outbox outbox, RefusalCounter strangers, ServiceOptions service, TimeProvider clock, ILogger<CardLogin> log)
{
    private const string Insert = "INSERT INTO card_logins (handle_hash, request_id, person, certificate, holder, expires_at, region, acr) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    private const string Use = """
        UPDATE card_logins SET used_at = $3 WHERE handle_hash = $1 AND request_id = $2 AND used_at IS NULL AND expires_at > $3 RETURNING certificate, holder, acr
        """;
    private static readonly TimeSpan HandleLife = TimeSpan.FromSeconds(60);
    private volatile Anchors? _anchors;

    /// <summary>Judges the card and leaves a handle for the waiting request.</summary>
    /// <param name="card">As shown in the handshake, which proved possession of its key.</param>
    /// <param name="requestId">Identifier of the waiting authorization request.</param>
    /// <param name="from">Address and client that the card is shown from, for counting strangers.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<CardOutcome> Accept(X509Certificate2 card, string requestId, (string? Address, string? Client) from, CancellationToken ct)
    {
        if (JudgePath(card) is { } rule)
        {
            // A stranger's card is counted, not recorded one by one: a flood must not spend the budget of real acts (DESIGN §6).
            IdpLog.CardRefused(log, rule);
            strangers.Count(rule);
            // Until there are anchors to judge by, nobody is a stranger.
            return rule is not "status-unknown" && throttle.Stranger(from.Address, from.Client) is { } later ? new CardOutcome.Waits(later) : new CardOutcome.Refused(rule);
        }

        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(card.RawDataMemory.Span));
        if (await throttle.OfCertificate(fingerprint, ct) is { } until)
        {
            strangers.Count("too-many-attempts");
            return new CardOutcome.Waits(until);
        }

        CardHolder? holder;
        try
        {
            holder = await holders.Find(fingerprint, ct);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return await Refuse("status-unknown", null, card, ct);
        }

        if (holder is null)
        {
            return await Refuse("certificate-unknown", null, card, ct);
        }

        if (holder.Status is "good" && await throttle.OfPerson(holder.Person, ct) is { } rest)
        {
            strangers.Count("too-many-attempts");
            return new CardOutcome.Waits(rest);
        }

        var entitlement = await entitlements.Check(new EntitlementQuestion(holder.Person, null, "login", fingerprint), ct);
        return entitlement is Entitlement.Deny deny
            ? await Refuse(deny.Reason, holder.Person, card, ct, holder.Status is "good" && !deny.Reason.StartsWith("certificate-", StringComparison.Ordinal))
            : await Leave(new ProvenCard(holder, fingerprint, AuthenticationContext.Card), requestId, ct);
    }

    /// <summary>Takes a handle, once, for the request it was made for.</summary>
    public async Task<ProvenCard?> Redeem(NpgsqlTransaction tx, string handle, AuthorizationRequest request, CancellationToken ct) =>
        await tx.Sql(Use).With(Secret.Hash("card-login", handle)).With(request.Id).With(clock.GetUtcNow())
            .One(r => new ProvenCard(JsonSerializer.Deserialize(r.GetString(1), IdpJson.Default.CardHolder)!, r.GetString(0), r.GetString(2)), ct);

    private async Task<CardOutcome> Leave(ProvenCard card, string requestId, CancellationToken ct)
    {
        await throttle.Accepted(card.Certificate, card.Holder.Person, ct);
        var handle = Secret.New();
        await db.Sql(Insert).With(Secret.Hash("card-login", handle)).With(Secret.Hash("request", requestId)).With(card.Holder.Person).With(card.Certificate)
            .With(JsonSerializer.Serialize(card.Holder, IdpJson.Default.CardHolder)).With(clock.GetUtcNow() + HandleLife)
            .With(service.Region).With(card.Acr).Execute(ct);
        return new CardOutcome.Accepted(handle);
    }

    private string? JudgePath(X509Certificate2 card)
    {
        if (!Certificate.TryParse(card.RawDataMemory, out var leaf, out _))
        {
            return "certificate-malformed";
        }

        // Read once they are all there: a file that comes late is taken up.
        if ((_anchors ??= Anchors.Read(service.PublicDirectory)) is not { } anchors)
        {
            return "status-unknown";
        }

        return CertificatePath.Build(leaf, anchors.Issuing, anchors.Roots, clock.GetUtcNow(), CertificateUsage.Authentication) switch
        {
            PathOutcome.Trusted => null,
            PathOutcome.Refused { Reason: PathRefusal.WrongUsage } => "wrong-key-usage",
            PathOutcome.Refused { Reason: PathRefusal.Expired or PathRefusal.NotYetValid } => "certificate-expired",
            _ => "certificate-foreign",
        };
    }

    private async Task<CardOutcome> Refuse(string rule, string? person, X509Certificate2 card, CancellationToken ct, bool isOfPerson = false)
    {
        IdpLog.CardRefused(log, rule);
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(card.RawDataMemory.Span));
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "AUTH.fail", Actor = new Actor(person ?? "anonymous", fingerprint), Outcome = EventOutcome.Refused, Reason = rule,
            Subjects = person is null ? [SubjectKey.Certificate(fingerprint)] : [SubjectKey.Practitioner(person), SubjectKey.Certificate(fingerprint)],
        }, ct);
        // That nothing could be known is nobody's failing.
        if (rule is not (Entitlement.Deny.StatusUnknown or Entitlement.Deny.ClockSkew))
        {
            await throttle.Refused(tx, fingerprint, isOfPerson ? person : null, ct);
        }

        await tx.CommitAsync(ct);
        return new CardOutcome.Refused(rule);
    }

    /// <summary>Without these no card's path can be judged.</summary>
    internal static IReadOnlyList<RequiredFile> RequiredFiles { get; } = [new("root.pem"), new("practitioner-issuing.pem")];

    private sealed record Anchors(IReadOnlyList<Certificate> Roots, IReadOnlyList<Certificate> Issuing)
    {
        public static Anchors? Read(string directory)
        {
            if (!RequiredFiles.All(f => File.Exists(Path.Combine(directory, f.Name))))
            {
                return null;
            }

            IReadOnlyList<Certificate> Pem(string file) =>
                File.Exists(Path.Combine(directory, file)) ? Certificate.ParsePem(File.ReadAllText(Path.Combine(directory, file))) : [];
            return new Anchors([.. Pem("root.pem"), .. Pem("root-sm2.pem")], [.. Pem("practitioner-issuing.pem"), .. Pem("practitioner-issuing-sm2.pem")]);
        }
    }
}

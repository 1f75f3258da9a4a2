namespace Trust.LogFormat;

/// <summary>Identity of an event: a UUIDv7 made by its producer.</summary>
/// <param name="Value">The UUID.</param>
public readonly record struct EventId(Guid Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString("D");
}

/// <summary>Who acted.</summary>
/// <param name="Subject">Internal identifier: <c>urn:mdid:p:…</c>, a client id, a service name or <c>anonymous</c>.</param>
/// <param name="Certificate">SHA-256 of the certificate used, lower-case hex.</param>
/// <param name="Role">Role in which the actor acted.</param>
/// <param name="Institution">Institution for which the actor acted, <c>urn:mdid:o:…</c>.</param>
public sealed record Actor(string Subject, string? Certificate = null, string? Role = null, string? Institution = null);

/// <summary>
/// What a producer says of one act. Text fields hold codes and identifiers: 1 to 256 characters without control characters,
/// quotation marks or backslashes, and no national identity number; anything personal goes into <see cref="Sealed"/>.
/// </summary>
public sealed record AuditEvent
{
    /// <summary>Its identity, for a producer that names the event in what the act brings forth, a UUIDv7 of the present; null for a fresh one.</summary>
    public EventId? Id { get; init; }

    /// <summary>Name in <see cref="EventCatalogue"/>.</summary>
    public required string Action { get; init; }

    /// <summary>Who acted.</summary>
    public required Actor Actor { get; init; }

    /// <summary>Everyone and everything concerned, at most 64; duplicates are dropped.</summary>
    public required IReadOnlyList<SubjectKey> Subjects { get; init; }

    /// <summary>One of <see cref="EventOutcome"/>.</summary>
    public required string Outcome { get; init; }

    /// <summary>Data class concerned (CLINICAL, IDENTITY …).</summary>
    public string? Class { get; init; }

    /// <summary>Purpose of use (TREATMENT, SUPERVISION …).</summary>
    public string? Purpose { get; init; }

    /// <summary>What entitles the act: consent, grant, law, case number, or a hash of what was acted on.</summary>
    public string? Basis { get; init; }

    /// <summary>Number of the permit used, for a cross-border act.</summary>
    public string? PermitNo { get; init; }

    /// <summary>Person in whose place the actor acts.</summary>
    public string? OnBehalfOf { get; init; }

    /// <summary>Reason code of a refusal or a failure.</summary>
    public string? Reason { get; init; }

    /// <summary>Version of the rules that decided.</summary>
    public string? RuleVersion { get; init; }

    /// <summary>Joins the events of one request.</summary>
    public string? Correlation { get; init; }

    /// <summary>Personal detail, at most 4 KiB; stored only encrypted under a fresh data key that can be destroyed.</summary>
    public ReadOnlyMemory<byte> Sealed { get; init; }
}

/// <summary>How an act ended.</summary>
public static class EventOutcome
{
    /// <summary>The act was done.</summary>
    public const string Success = "success";

    /// <summary>A rule refused the act.</summary>
    public const string Refused = "refused";

    /// <summary>The act was allowed and did not succeed.</summary>
    public const string Failed = "failed";
}

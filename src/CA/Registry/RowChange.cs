using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.CA.Feed;

namespace Trust.CA.Registry;

/// <summary>What a row does to rights; decides how many officers it takes.</summary>
internal enum Effect
{
    /// <summary>It changes nothing, or is refused.</summary>
    Nothing,

    /// <summary>It only takes rights away: one officer, at once.</summary>
    Narrows,

    /// <summary>It changes what no right depends on: one officer, at once.</summary>
    Corrects,

    /// <summary>It gives a right to someone: two officers.</summary>
    Widens,
}

/// <summary>An institution as the registry has it, or would.</summary>
public sealed record InstitutionFacts(
    string CreditCode, string Name, string Kind, string Region, string State, string? RegistrationNumber = null, string? Urn = null,
    DateTimeOffset? EffectiveFrom = null);

/// <summary>A practitioner as the registry has it, or would; of numbers that hold an identity number, the last four characters.</summary>
public sealed record PractitionerFacts(
    string Name, string Role, string LicenceNumber, string Category, IReadOnlyList<string> Scope, string Region, string State, string? Urn = null,
    string? IdentityType = null, string? IdentityLast4 = null, string? QualificationLast4 = null, DateTimeOffset? EffectiveFrom = null);

/// <summary>An affiliation's or filing's own members.</summary>
/// <param name="KindOrNumber">An affiliation's kind, a filing's number.</param>
/// <param name="From">When it begins.</param>
/// <param name="To">When it ends.</param>
public sealed record PlaceFacts(string KindOrNumber, DateTimeOffset From, DateTimeOffset? To = null);

/// <summary>Everything about one row that an officer judges it by.</summary>
public sealed record RowFacts(
    InstitutionFacts? Institution = null, PractitionerFacts? Practitioner = null, PlaceFacts? Affiliation = null, PlaceFacts? Filing = null);

/// <summary>What a row changed in the transaction, or would have.</summary>
/// <param name="Result">For the caller.</param>
/// <param name="Effect">What it does to rights.</param>
/// <param name="Before">What the registry had.</param>
/// <param name="After">What it has now.</param>
/// <param name="Feed">What followers must hear.</param>
internal sealed record RowChange(ImportResult Result, Effect Effect, RowFacts Before, RowFacts After, IReadOnlyList<FeedChange> Feed)
{
    /// <summary>A row that was refused or changes nothing.</summary>
    public static RowChange None(ImportResult result) => new(result, Effect.Nothing, new(), new(), []);

    /// <summary>A row that a rule refused.</summary>
    public static RowChange Refused(string kind, int row, RowFault fault, string? urn = null) => None(new ImportResult(kind, row, "refused", urn, fault.Rule, fault.Member));
}

/// <summary>Who holds a document.</summary>
/// <param name="Lookup">The keyed hash that it is found by here.</param>
/// <param name="Urn">Who holds it, or will; null for someone new while nobody gives identifiers.</param>
/// <param name="Why">Why nobody does.</param>
internal sealed record DocumentHolder(byte[] Lookup, string? Urn, Refusal? Why = null);

/// <summary>In whose name and when rows are written.</summary>
/// <param name="Tx">The transaction.</param>
/// <param name="Now">When they are recorded.</param>
/// <param name="Officer">The officer who sent them.</param>
/// <param name="ConfirmedBy">The second officer, when they needed one.</param>
/// <param name="Persons">The people that the rows are about, by kind and number of their documents, asked for before the transaction began.</param>
/// <param name="Residency">Knows the regions that rows may name, and whose data are stored here.</param>
internal sealed record WriteContext(
    NpgsqlTransaction Tx, DateTimeOffset Now, string Officer, string? ConfirmedBy, IReadOnlyDictionary<(string Type, string Number), DocumentHolder> Persons, ResidencyGate Residency)
{
    private readonly HashSet<string> _new = new(StringComparer.Ordinal);

    /// <summary>Notes an identifier given in this transaction.</summary>
    public string New(string urn)
    {
        _ = _new.Add(urn);
        return urn;
    }

    /// <summary>An identifier that was given before this transaction; null for one of its own, which another attempt would give anew.</summary>
    public string? Standing(string urn) => _new.Contains(urn) ? null : urn;
}

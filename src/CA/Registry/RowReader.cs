using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;

namespace Trust.CA.Registry;

/// <summary>A row as it was sent: bound to its kind's members, or with the fault of one of them.</summary>
/// <param name="Kind"><c>institution</c>, <c>practitioner</c>, <c>affiliation</c> or <c>filing</c>.</param>
/// <param name="Index">Position in its list, from 0.</param>
/// <param name="Row">The row; null when a member could not be read.</param>
/// <param name="Fault">Why it is null.</param>
public sealed record ReadRow(string Kind, int Index, RegistryRow? Row, RowFault? Fault = null);

/// <summary>What came of reading an import's body.</summary>
public abstract record ReadOutcome
{
    private ReadOutcome()
    {
    }

    /// <summary>The body has the form of an import; a row may still be faulty.</summary>
    public sealed record Rows(IReadOnlyList<ReadRow> All) : ReadOutcome;

    /// <summary>The body has not.</summary>
    public sealed record Malformed(Refusal Why) : ReadOutcome;
}

/// <summary>Members of a row by their names, however the row was written.</summary>
internal interface IRowFields
{
    /// <summary>A member's text; null when it is absent or empty.</summary>
    string? Text(string member);

    /// <summary>A member that is a list.</summary>
    IReadOnlyList<string> List(string member);
}

/// <summary>Binds rows, of JSON and CSV alike, to their kind's members.</summary>
internal static class RowReader
{
    private const string Scope = "scope";

    /// <summary>The kinds by the names of their lists, in the order in which rows may refer to each other.</summary>
    public static IReadOnlyList<(string List, string Kind)> Kinds { get; } =
        [("institutions", "institution"), ("practitioners", "practitioner"), ("affiliations", "affiliation"), ("filings", "filing")];

    /// <summary>A kind's members, and which a row must have.</summary>
    public static IReadOnlyDictionary<string, bool> MembersOf(string kind) => Members[kind];

    private static readonly Dictionary<string, Dictionary<string, bool>> Members = new(StringComparer.Ordinal)
    {
        ["institution"] = Named(["creditCode", "name", "kind", "region"], ["registrationNumber", "effectiveFrom"]),
        ["practitioner"] = Named(
            ["name", "identityType", "identityNumber", "role", "licenceNumber", "category", Scope, "region"], ["qualificationNumber", "state", "effectiveFrom"]),
        ["affiliation"] = Named(["practitioner", "institution", "kind", "from"], ["to"]),
        ["filing"] = Named(["practitioner", "institution", "number", "from"], ["to"]),
    };

    /// <summary>Whether a member is a list.</summary>
    public static bool IsList(string member) => member is Scope;

    /// <summary>Binds one row.</summary>
    public static ReadRow Bind(string kind, int index, IRowFields fields)
    {
        var row = new Binder(fields);
        RegistryRow bound = kind switch
        {
            "institution" => new InstitutionRow(
                row.Text("creditCode"), row.Text("name"), row.Text("kind"), row.Text("region"), row.Optional("registrationNumber"),
                row.OptionalInstant("effectiveFrom")),
            "practitioner" => new PractitionerRow(
                row.Text("name"), row.Text("identityType"), IdentifierRules.Fold(row.Text("identityNumber")), row.Text("role"), row.Text("licenceNumber"),
                row.Text("category"), row.List(Scope), row.Text("region"),
                row.Optional("qualificationNumber") is { } q ? IdentifierRules.Fold(q) : null, row.Optional("state"), row.OptionalInstant("effectiveFrom")),
            "affiliation" => new AffiliationRow(
                row.Text("practitioner"), row.Text("institution"), row.Text("kind"), row.Instant("from"), row.OptionalInstant("to")),
            _ => new FilingRow(row.Text("practitioner"), row.Text("institution"), row.Text("number"), row.Instant("from"), row.OptionalInstant("to")),
        };
        return row.Fault is null ? new ReadRow(kind, index, bound) : new ReadRow(kind, index, null, row.Fault);
    }

    private static Dictionary<string, bool> Named(string[] required, string[] optional)
    {
        var members = required.ToDictionary(m => m, _ => true, StringComparer.Ordinal);
        foreach (var member in optional)
        {
            members.Add(member, false);
        }

        return members;
    }

    // Keeps the first fault; what it stands for is then not used.
    private sealed class Binder(IRowFields fields)
    {
        public RowFault? Fault { get; private set; }

        public string? Optional(string member) => fields.Text(member);

        public string Text(string member) => fields.Text(member) ?? Missing(member);

        public IReadOnlyList<string> List(string member) => fields.List(member);

        public DateTimeOffset Instant(string member)
        {
            if (OptionalInstant(member) is { } instant)
            {
                return instant;
            }

            _ = Missing(member);
            return default;
        }

        public DateTimeOffset? OptionalInstant(string member)
        {
            if (fields.Text(member) is not { } text)
            {
                return null;
            }

            if (WrittenInstant.TryParse(text, out var instant))
            {
                return instant;
            }

            Fault ??= new RowFault("date", member);
            return default(DateTimeOffset);
        }

        private string Missing(string member)
        {
            Fault ??= new RowFault("missing", member);
            return "";
        }
    }
}

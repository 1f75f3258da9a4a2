namespace Trust.CA.Registry;

/// <summary>A row of an import, of one of the four kinds.</summary>
public abstract record RegistryRow;

/// <summary>An institution as imported.</summary>
/// <param name="CreditCode">统一社会信用代码.</param>
/// <param name="Name">Registered name.</param>
/// <param name="Kind"><c>hospital</c>, <c>internet-hospital</c>, <c>clinic</c>, <c>pharmacy</c> or <c>platform</c>.</param>
/// <param name="Region">GB/T 2260.</param>
/// <param name="RegistrationNumber">医疗机构登记号, where it has one.</param>
/// <param name="EffectiveFrom">When a new institution begins, at once or later; from when a change holds. Now when absent.</param>
public sealed record InstitutionRow(
    string CreditCode, string Name, string Kind, string Region, string? RegistrationNumber = null, DateTimeOffset? EffectiveFrom = null) : RegistryRow;

/// <summary>A practitioner as imported.</summary>
/// <param name="Name">As on the licence.</param>
/// <param name="IdentityType"><c>resident-id</c>, <c>hk-macau-taiwan</c>, <c>foreign-resident</c> or <c>passport</c>.</param>
/// <param name="IdentityNumber">By the rule of its document type (docs/RULES.md §2).</param>
/// <param name="Role"><c>physician</c>, <c>assistant-physician</c>, <c>pharmacist</c>, <c>retail-pharmacist</c> or <c>nurse</c>.</param>
/// <param name="LicenceNumber">执业证书编码.</param>
/// <param name="Category">Licence category, for example <c>clinical</c>.</param>
/// <param name="Scope">执业范围.</param>
/// <param name="Region">Practice place, GB/T 2260.</param>
/// <param name="QualificationNumber">资格证书编码, where known.</param>
/// <param name="State"><c>active</c> (a new person's default) or <c>pending</c>.</param>
/// <param name="EffectiveFrom">When a new licence begins, at once or later; from when a change holds. Now when absent.</param>
public sealed record PractitionerRow(
    string Name, string IdentityType, string IdentityNumber, string Role, string LicenceNumber, string Category,
    IReadOnlyList<string> Scope, string Region, string? QualificationNumber = null, string? State = null, DateTimeOffset? EffectiveFrom = null) : RegistryRow;

/// <summary>An affiliation or, with an end, its end.</summary>
/// <param name="Practitioner">URN, or licence number as <c>role:number</c>.</param>
/// <param name="Institution">URN or credit code.</param>
/// <param name="Kind"><c>main</c>, <c>multi-site</c> or <c>additional</c>.</param>
/// <param name="From">When it began.</param>
/// <param name="To">When it ends or ended; absent while no end is known.</param>
public sealed record AffiliationRow(string Practitioner, string Institution, string Kind, DateTimeOffset From, DateTimeOffset? To = null) : RegistryRow;

/// <summary>备案 for online practice at one institution.</summary>
/// <param name="Practitioner">URN, or licence number as <c>role:number</c>.</param>
/// <param name="Institution">URN or credit code.</param>
/// <param name="Number">Filing number.</param>
/// <param name="From">When it began.</param>
/// <param name="To">When it ends or ended; absent while no end is known.</param>
public sealed record FilingRow(string Practitioner, string Institution, string Number, DateTimeOffset From, DateTimeOffset? To = null) : RegistryRow;

/// <summary>One import.</summary>
public sealed record ImportRequest(
    IReadOnlyList<InstitutionRow>? Institutions = null,
    IReadOnlyList<PractitionerRow>? Practitioners = null,
    IReadOnlyList<AffiliationRow>? Affiliations = null,
    IReadOnlyList<FilingRow>? Filings = null);

/// <summary>What became of one row.</summary>
/// <param name="Kind"><c>institution</c>, <c>practitioner</c>, <c>affiliation</c> or <c>filing</c>.</param>
/// <param name="Row">Position in its list, from 0.</param>
/// <param name="Result"><c>created</c>, <c>updated</c>, <c>unchanged</c>, <c>proposed</c> (waits for a second officer) or <c>refused</c>.</param>
/// <param name="Urn">The subject's identifier, once it has one.</param>
/// <param name="Rule">The rule that refused, or a warning.</param>
/// <param name="Member">The member that broke the rule.</param>
public sealed record ImportResult(string Kind, int Row, string Result, string? Urn = null, string? Rule = null, string? Member = null)
{
    /// <summary>Whether the row changed the registry.</summary>
    internal bool Changed => Result is "created" or "updated";
}

/// <summary>The answer to an import or its confirmation.</summary>
/// <param name="Results">What became of each row, in the order of the import.</param>
/// <param name="Proposal">Where the rows wait that a second officer must confirm; absent when none does.</param>
public sealed record ImportResponse(IReadOnlyList<ImportResult> Results, ProposalReference? Proposal = null);

/// <summary>Rows that wait for a second officer.</summary>
/// <param name="Id">Names the proposal.</param>
/// <param name="Sha256">What the second officer confirms.</param>
/// <param name="Rows">How many rows wait.</param>
/// <param name="ExpiresAt">After this instant they can be confirmed no more.</param>
public sealed record ProposalReference(Guid Id, string Sha256, int Rows, DateTimeOffset ExpiresAt);

using Trust.Kernel.Identifiers;

namespace Trust.SignService.Prescriptions;

/// <summary>States of a prescription (docs/RULES.md §5), as stored and shown.</summary>
public static class PrescriptionStatus
{
    /// <summary>Bytes are fixed; the doctor has not signed.</summary>
    public const string Draft = "draft";

    /// <summary>Signed by its doctor; waits for a pharmacist.</summary>
    public const string Signed = "signed";

    /// <summary>Countersigned; the institution's seal follows.</summary>
    public const string Approved = "approved";

    /// <summary>Sent back with a reason; any change is a new prescription with new signatures.</summary>
    public const string Returned = "returned";

    /// <summary>Sealed and in force: a pharmacy may claim it.</summary>
    public const string Released = "released";

    /// <summary>Locked by one pharmacy.</summary>
    public const string Claimed = "claimed";

    /// <summary>Dispensed, once.</summary>
    public const string Dispensed = "dispensed";

    /// <summary>Withdrawn by its author or institution.</summary>
    public const string Voided = "voided";

    /// <summary>Past its validity.</summary>
    public const string Expired = "expired";
}

/// <summary>Clinical bytes as stored: sealed under the patient's key; in clear where an earlier version stored them; neither once shredded unsealed.</summary>
/// <param name="Clear">In clear.</param>
/// <param name="Sealed">Sealed.</param>
public sealed record StoredText(byte[]? Clear, byte[]? Sealed);

/// <summary>One prescription as stored.</summary>
/// <param name="Id">Identifier, in every address and event.</param>
/// <param name="Region">Governing region, GB/T 2260.</param>
/// <param name="Number">Prescription number at its institution.</param>
/// <param name="Institution">Prescribing institution.</param>
/// <param name="Author">The doctor.</param>
/// <param name="Patient">The patient's pseudonym.</param>
/// <param name="PatientKey">The patient's ledger key, 32 bytes.</param>
/// <param name="Category">ordinary, emergency, paediatric or chronic.</param>
/// <param name="Payload">RFC 8785 bytes, which <see cref="ClinicalText"/> opens.</param>
/// <param name="PayloadSha256">Their hash.</param>
/// <param name="Status">One of <see cref="PrescriptionStatus"/>.</param>
/// <param name="ValidUntil">First instant at which it is not valid any more.</param>
/// <param name="RuleVersion">Rules that admitted it.</param>
public sealed record PrescriptionRow(
    Guid Id,
    string Region,
    string Number,
    InstitutionId Institution,
    PersonId Author,
    PatientId Patient,
    byte[] PatientKey,
    string Category,
    StoredText Payload,
    byte[] PayloadSha256,
    string Status,
    DateTimeOffset ValidUntil,
    string RuleVersion)
{
    /// <summary>Pharmacy that holds the lock.</summary>
    public InstitutionId? ClaimedBy { get; init; }

    /// <summary>The pharmacist's reason.</summary>
    public StoredText? ReturnReason { get; init; }

    /// <summary>The payload's name inside signatures (sigD).</summary>
    public string ObjectUri => "urn:uuid:" + Id.ToString("D");
}

using Trust.Kernel.Identifiers;

namespace Trust.SignService.Prescriptions;

/// <summary>What the rules need to know of a prescription, read from its bundle.</summary>
/// <param name="Number">Prescription number.</param>
/// <param name="StatedAuthor">The doctor, as the prescription names her.</param>
/// <param name="StatedInstitution">The institution, as the prescription names it.</param>
/// <param name="Patient">The patient's pseudonym.</param>
/// <param name="BirthDate">The patient's.</param>
/// <param name="Category">ordinary, emergency, paediatric, chronic, or a controlled class.</param>
/// <param name="FollowUp">Follow-up visit with the record of an earlier diagnosis.</param>
/// <param name="GuardianPresent">Guardian and specialist accompany a child under six.</param>
/// <param name="Weight">Stated weight in kg, text.</param>
/// <param name="AuthoredOn">When it was written.</param>
/// <param name="ValidUntil">Last calendar day the doctor states, Asia/Shanghai.</param>
/// <param name="Medicines">1 to 5.</param>
public sealed record PrescriptionContent(
    string Number,
    StatedAuthor StatedAuthor,
    StatedInstitution StatedInstitution,
    PatientId Patient,
    DateOnly BirthDate,
    string Category,
    bool FollowUp,
    bool GuardianPresent,
    string? Weight,
    DateTimeOffset AuthoredOn,
    DateOnly ValidUntil,
    IReadOnlyList<PrescribedMedicine> Medicines)
{
    /// <summary>The doctor.</summary>
    public PersonId Author => StatedAuthor.Person;

    /// <summary>The institution.</summary>
    public InstitutionId Institution => StatedInstitution.Institution;
}

/// <summary>A doctor as a prescription names her; what stands beside the identifier is compared with the registry (<see cref="RegisteredFacts"/>).</summary>
/// <param name="Person">Identifier.</param>
/// <param name="Name">Name.</param>
/// <param name="Licence">Licence number.</param>
/// <param name="Specialties">Specialties, 1 to 4.</param>
public sealed record StatedAuthor(PersonId Person, string Name, string Licence, IReadOnlyList<string> Specialties);

/// <summary>An institution as a prescription names it.</summary>
/// <param name="Institution">Identifier.</param>
/// <param name="Name">Name.</param>
public sealed record StatedInstitution(InstitutionId Institution, string Name);

/// <summary>One medicine.</summary>
/// <param name="NationalCode">National drug code (YPID).</param>
/// <param name="InsuranceCode">National insurance drug code.</param>
/// <param name="ControlClass">none, or a special-control class.</param>
/// <param name="Days">Supply in days.</param>
/// <param name="LongTermReason">Why more than seven days.</param>
public sealed record PrescribedMedicine(string NationalCode, string InsuranceCode, string ControlClass, int Days, string? LongTermReason)
{
    /// <summary>Name and strength as text.</summary>
    public required string Name { get; init; }

    /// <summary>The dose of each dosage instruction, as text.</summary>
    public required IReadOnlyList<string> Doses { get; init; }

    /// <summary>How much is to be handed over, in units of the pack.</summary>
    public required decimal Quantity { get; init; }
}

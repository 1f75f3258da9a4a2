using System.Globalization;
using System.Text.Json;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// Reads the bytes to be signed once more, with the FHIR library that hospitals and pharmacies use, and holds what it finds against what
/// <see cref="PrescriptionProfile"/> found: whoever reads the prescription later must not find another patient, practitioner, medicine,
/// dose, quantity or date than the doctor's signature was given for. It decides nothing else; profile and canonical bytes are ours.
/// </summary>
public static class SecondReader
{
    // Made when the first prescription comes: reflecting over the library's classes takes a second of processor time that no other part waits for.
    // It keeps nothing of what it reads, so all requests share it.
    private static readonly Lazy<FhirJsonDeserializer> Library = new(() => new FhirJsonDeserializer(new DeserializerSettings().UsingMode(DeserializationMode.Strict)));

    /// <summary>Null when the library takes the bytes and understands them as we do; otherwise the rule with the member.</summary>
    /// <param name="read">What the profile's reader found.</param>
    public static Refusal? Compare(ProfileOutcome.Holds read)
    {
        ArgumentNullException.ThrowIfNull(read);
        IEnumerable<Hl7.Fhir.Utility.CodedException> issues;
        Resource? resource;
        bool isValid;
        try
        {
            var reader = new Utf8JsonReader(read.Payload);
            isValid = Library.Value.TryDeserializeResource(ref reader, out resource, out issues);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException or ArgumentException)
        {
            // What the library cannot even walk through is refused like what it finds wrong.
            return ProfileRefusals.NotFhir.With("member", "Bundle");
        }

        if (!isValid || resource is not Bundle bundle)
        {
            var path = (issues.FirstOrDefault() as Hl7.Fhir.Utility.ExtendedCodedException)?.InstancePath;
            return ProfileRefusals.NotFhir.With("member", MemberPath.Shown(path ?? "Bundle"));
        }

        return FirstDifference(bundle, read.Content) is { } member ? ProfileRefusals.ReadersDiffer.With("member", MemberPath.Shown(member)) : null;
    }

    private static string? FirstDifference(Bundle bundle, PrescriptionContent content)
    {
        var patient = Entry<Patient>(bundle);
        var practitioner = Entry<Practitioner>(bundle);
        var role = Entry<PractitionerRole>(bundle);
        var organization = Entry<Organization>(bundle);
        var composition = Entry<Composition>(bundle);
        if (patient is null || practitioner is null || role is null || organization is null || composition is null)
        {
            return "Bundle.entry";
        }

        return KnownElements.FirstOther(bundle, "Bundle")
            ?? (Is(patient.Value.Resource.Identifier, content.Patient) ? null : "Patient.identifier")
            ?? (patient.Value.Resource.BirthDate == Day(content.BirthDate) ? null : "Patient.birthDate")
            ?? (Is(practitioner.Value.Resource.Identifier, content.Author) ? null : "Practitioner.identifier")
            ?? (Names(practitioner.Value.Resource, role.Value.Resource, content.StatedAuthor) ? null : "Practitioner")
            ?? (Is(organization.Value.Resource.Identifier, content.Institution) ? null : "Organization.identifier")
            ?? (organization.Value.Resource.Name == content.StatedInstitution.Name ? null : "Organization.name")
            ?? (role.Value.Resource.Practitioner?.Reference == practitioner.Value.Url ? null : "PractitionerRole.practitioner")
            ?? (role.Value.Resource.Organization?.Reference == organization.Value.Url ? null : "PractitionerRole.organization")
            ?? (composition.Value.Resource.Subject?.Reference == patient.Value.Url ? null : "Composition.subject")
            ?? (IsInstant(composition.Value.Resource.DateElement, content.AuthoredOn) ? null : "Composition.date")
            ?? Medicines(bundle, content, patient.Value.Url, role.Value.Url);
    }

    private static bool Names(Practitioner practitioner, PractitionerRole role, StatedAuthor stated) =>
        practitioner.Name is [{ } name] && name.Text == stated.Name
        && practitioner.Identifier.Where(i => i.System == "urn:trust:licence").ToList() is [var licence] && licence.Value == stated.Licence
        && role.Specialty.Select(s => s.Text).SequenceEqual(stated.Specialties, StringComparer.Ordinal);

    private static string? Medicines(Bundle bundle, PrescriptionContent content, string patient, string role)
    {
        var requests = bundle.Entry.Select(e => e.Resource).OfType<MedicationRequest>().ToList();
        if (requests.Count != content.Medicines.Count)
        {
            return "MedicationRequest";
        }

        for (var i = 0; i < requests.Count; i++)
        {
            var request = requests[i];
            var member = Drug(request, content.Medicines[i]) ?? Dose(request, content.Medicines[i]) ?? Quantity(request.DispenseRequest, content.Medicines[i])
                ?? Dates(request, content)
                ?? (request.Subject?.Reference == patient ? null : "subject") ?? (request.Requester?.Reference == role ? null : "requester");
            if (member is not null)
            {
                return $"MedicationRequest[{i}].{member}";
            }
        }

        return null;
    }

    private static string? Drug(MedicationRequest request, PrescribedMedicine medicine) =>
        request.Medication is CodeableConcept concept && concept.Text == medicine.Name
            && Code(concept, "urn:trust:ypid") == medicine.NationalCode && Code(concept, "urn:trust:nhsa") == medicine.InsuranceCode
            ? null : "medication";

    private static string? Dose(MedicationRequest request, PrescribedMedicine medicine) =>
        request.DosageInstruction.Select(d => d.Text).SequenceEqual(medicine.Doses, StringComparer.Ordinal) ? null : "dosageInstruction";

    private static string? Quantity(MedicationRequest.DispenseRequestComponent? dispense, PrescribedMedicine medicine) =>
        dispense is null ? "dispenseRequest"
        : !(decimal.TryParse(TextOf(dispense.Extension, PrescriptionProfile.QuantityExtension), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var stated)
            && stated == medicine.Quantity)
            ? "dispenseRequest.extension"
        // FHIR's own quantity may stand beside the extension, if it says the same.
        : dispense.Quantity is { } quantity && quantity.Value != medicine.Quantity ? "dispenseRequest.quantity"
        : dispense.ExpectedSupplyDuration is { Code: "d" } duration && duration.Value == medicine.Days ? null
        : "dispenseRequest.expectedSupplyDuration";

    private static string? Dates(MedicationRequest request, PrescriptionContent content)
    {
        var written = ServiceScope.DayOf(content.AuthoredOn);
        var period = request.DispenseRequest?.ValidityPeriod;
        return request.AuthoredOn is { Length: > 10 } && !IsInstant(request.AuthoredOnElement, content.AuthoredOn) ? "authoredOn"
            : request.AuthoredOn is { Length: <= 10 } day && day != Day(written) ? "authoredOn"
            : period?.End != Day(content.ValidUntil) ? "dispenseRequest.validityPeriod.end"
            // It holds from when it is written; one that begins at another time is another to whoever reads the period.
            : period.Start is { } start && start != Day(written) ? "dispenseRequest.validityPeriod.start"
            : null;
    }

    private static (string Url, T Resource)? Entry<T>(Bundle bundle) where T : Resource =>
        bundle.Entry.Where(e => e.Resource is T).ToList() is [{ FullUrl: { } url, Resource: T resource }] ? (url, resource) : null;

    private static bool Is<TUrn>(List<Identifier> identifiers, TUrn id) where TUrn : struct, IUrn<TUrn> =>
        identifiers.Where(i => i.System == TUrn.Prefix[..^1]).ToList() is [var only] && only.Value == id.Value;

    private static string? Code(CodeableConcept concept, string system) => concept.Coding.Where(c => c.System == system).ToList() is [var only] ? only.Code : null;

    private static string? TextOf(List<Extension> extensions, string url) =>
        extensions.Where(e => e.Url == url).ToList() is [var only] ? only.Value switch { FhirString text => text.Value, Code code => code.Value, _ => null } : null;

    private static bool IsInstant(FhirDateTime? stated, DateTimeOffset at) =>
        stated is not null && stated.TryToDateTimeOffset(TimeSpan.Zero, out var instant) && instant == at;

    private static string Day(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}

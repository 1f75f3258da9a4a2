using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Trust.Crypto.Json;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;

namespace Trust.SignService.Prescriptions;

/// <summary>What reading a bundle gives.</summary>
public abstract record ProfileOutcome
{
    private ProfileOutcome()
    {
    }

    /// <summary>The profile holds.</summary>
    /// <param name="Content">What the rules need.</param>
    /// <param name="Payload">The bytes to sign: the bundle in canonical form; a signature travels beside it, never inside.</param>
    public sealed record Holds(PrescriptionContent Content, byte[] Payload) : ProfileOutcome;

    /// <summary>The first rule that the bundle breaks, with the member.</summary>
    /// <param name="Why">The rule.</param>
    public sealed record Broken(Refusal Why) : ProfileOutcome;
}

/// <summary>
/// The prescription profile: a FHIR R4 document Bundle without narrative, without absolute addresses, decimals as text in extensions, every
/// reference inside the bundle. Its RFC 8785 form is what is signed.
/// </summary>
public static partial class PrescriptionProfile
{
    /// <summary>Largest canonical form, in bytes.</summary>
    public const int MaxBytes = 128 * 1024;

    /// <summary>The extension of a dispense request that states the quantity, decimal digits as text.</summary>
    public const string QuantityExtension = Extensions + "quantity";

    private const string Extensions = "urn:trust:fhir:";

    private static readonly string[] Sections =
        ["Composition", "Patient", "Practitioner", "PractitionerRole", "Organization", "Condition", "MedicationRequest"];

    /// <summary>Reads a bundle.</summary>
    /// <param name="bundle">Strict JSON.</param>
    public static ProfileOutcome Read(JsonElement bundle)
    {
        try
        {
            var payload = Canonical(bundle);
            return new ProfileOutcome.Holds(ReadContent(new FhirReader(bundle, "Bundle")), payload);
        }
        catch (ProfileException e)
        {
            return new ProfileOutcome.Broken(e.Rule.With("member", MemberPath.Shown(e.Path)));
        }
    }

    private static byte[] Canonical(JsonElement bundle)
    {
        if (bundle.ValueKind != JsonValueKind.Object)
        {
            throw new ProfileException(ProfileRefusals.NotAnObject, "Bundle");
        }

        if (bundle.TryGetProperty("signature", out _))
        {
            // Signatures travel beside the bundle; one inside would be dropped from the signed bytes unseen.
            throw new ProfileException(ProfileRefusals.SignatureInside, "Bundle.signature");
        }

        PlainText.Check(bundle, "Bundle", 0);
        var payload = CanonicalJson.Encode(bundle);
        return payload.Length <= MaxBytes ? payload : throw new ProfileException(ProfileRefusals.TooLarge, "Bundle");
    }

    private static PrescriptionContent ReadContent(FhirReader bundle)
    {
        bundle.Must("resourceType", "Bundle").Must("type", "document");
        var resources = Resources(bundle);
        var composition = One(resources, "Composition");
        var patient = One(resources, "Patient");
        var practitioner = One(resources, "Practitioner");
        var role = One(resources, "PractitionerRole");
        var organization = One(resources, "Organization");
        var medicines = Of(resources, "MedicationRequest");
        var conditions = Of(resources, "Condition");
        Require(string.Equals(resources[0].Type, "Composition", StringComparison.Ordinal), ProfileRefusals.CompositionFirst, "Bundle.entry[0]");
        Require(conditions.Count is >= 1 and <= 10, ProfileRefusals.Cardinality, "Bundle.entry(Condition)");
        Require(medicines.Count >= 1, ProfileRefusals.Cardinality, "Bundle.entry(MedicationRequest)");

        composition.Resource.Must("status", "final");
        Refers(composition, "subject", patient);
        Require(composition.Resource.Items("author", 1, 1)[0].Text("reference") == role.Url, ProfileRefusals.Reference, "Composition.author");
        Refers(composition, "custodian", organization);
        Refers(role, "practitioner", practitioner);
        Refers(role, "organization", organization);
        role.Resource.Items("specialty", 1, 4);
        practitioner.Resource.Items("name", 1, 1)[0].Text("text");
        practitioner.Resource.Identifier("urn:trust:licence");
        organization.Resource.Text("name");
        foreach (var condition in conditions)
        {
            Refers(condition, "subject", patient);
            Require(DiagnosisCode().IsMatch(condition.Resource.Coding("code", "urn:oid:2.16.840.1.113883.6.3")), ProfileRefusals.DiagnosisCode, condition.Resource.Path);
        }

        var category = medicines[0].Resource.Items("category", 1, 1)[0].Items("coding", 1, 1)[0].Text("code");
        var requests = medicines.Select(m => ReadMedicine(m, patient, role, category)).ToList();
        return new PrescriptionContent(
            Number(bundle.Member("identifier")),
            Identifier<PersonId>(practitioner),
            Identifier<InstitutionId>(organization),
            Identifier<PatientId>(patient),
            patient.Resource.Date("birthDate"),
            category,
            composition.Resource.Extension(Extensions + "visit") == "follow-up" && composition.Resource.Extension(Extensions + "prior-record") is not null,
            patient.Resource.Extension(Extensions + "guardian") == "guardian-and-specialist-present",
            patient.Resource.Extension(Extensions + "weight-kg"),
            composition.Resource.Instant("date"),
            requests.Select(r => r.Until).Distinct().Count() == 1 ? requests[0].Until : throw new ProfileException(ProfileRefusals.ValidityDiffers, "MedicationRequest"),
            [.. requests.Select(r => r.Medicine)]);
    }

    private static (PrescribedMedicine Medicine, DateOnly Until) ReadMedicine(Entry entry, Entry patient, Entry role, string category)
    {
        var request = entry.Resource.Must("status", "active").Must("intent", "order");
        Refers(entry, "subject", patient);
        Refers(entry, "requester", role);
        Require(request.Items("category", 1, 1)[0].Items("coding", 1, 1)[0].Text("code") == category, ProfileRefusals.CategoryDiffers, request.Path + ".category");
        var dosages = request.Items("dosageInstruction", 1, 4);
        dosages[0].Text("text");
        var dispense = request.Member("dispenseRequest");
        var duration = dispense.Member("expectedSupplyDuration").Must("code", "d").Whole("value");
        Require(decimal.TryParse(
            dispense.Extension(QuantityExtension), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var quantity) && quantity > 0,
            ProfileRefusals.Quantity, dispense.Path);
        return (
            new PrescribedMedicine(
                request.Coding("medicationCodeableConcept", "urn:trust:ypid"),
                request.Coding("medicationCodeableConcept", "urn:trust:nhsa"),
                request.Extension(Extensions + "control-class") ?? "none",
                duration,
                request.Extension(Extensions + "long-term-reason"))
            {
                Name = request.Member("medicationCodeableConcept").Text("text"),
                Doses = [.. dosages.Select(d => d.OptionalText("text"))],
                Quantity = quantity,
            },
            dispense.Member("validityPeriod").Date("end"));
    }

    private static List<Entry> Resources(FhirReader bundle)
    {
        var list = new List<Entry>();
        foreach (var entry in bundle.Items("entry", 7, 32))
        {
            var url = entry.Text("fullUrl");
            Require(url.StartsWith("urn:uuid:", StringComparison.Ordinal) && Guid.TryParseExact(url["urn:uuid:".Length..], "D", out _), ProfileRefusals.FullUrl, entry.Path);
            Require(!list.Exists(e => e.Url == url), ProfileRefusals.FullUrlTwice, entry.Path);
            var resource = entry.Member("resource");
            var type = resource.Text("resourceType");
            Require(Sections.Contains(type, StringComparer.Ordinal), ProfileRefusals.ResourceNotAllowed, resource.Path);
            list.Add(new Entry(url, type, resource));
        }

        return list;
    }

    private static Entry One(List<Entry> resources, string type)
    {
        var found = Of(resources, type);
        return found.Count == 1 ? found[0] : throw new ProfileException(ProfileRefusals.Cardinality, $"Bundle.entry({type})");
    }

    private static List<Entry> Of(List<Entry> resources, string type) => resources.FindAll(e => string.Equals(e.Type, type, StringComparison.Ordinal));

    private static void Refers(Entry entry, string member, Entry target) =>
        Require(entry.Resource.Member(member).Text("reference") == target.Url, ProfileRefusals.Reference, $"{entry.Resource.Path}.{member}");

    private static string Number(FhirReader identifier)
    {
        identifier.Must("system", "urn:trust:rx");
        var number = identifier.Text("value");
        return NumberForm().IsMatch(number) ? number : throw new ProfileException(ProfileRefusals.Number, "Bundle.identifier.value");
    }

    // The system of an identifier of ours is its prefix without the last colon.
    private static TUrn Identifier<TUrn>(Entry entry) where TUrn : struct, IUrn<TUrn> =>
        TUrn.TryParse(entry.Resource.Identifier(TUrn.Prefix[..^1]), out var id) ? id : throw new ProfileException(ProfileRefusals.Identifier, entry.Type + ".identifier");

    private static void Require(bool holds, Refusal rule, string path)
    {
        if (!holds)
        {
            throw new ProfileException(rule, path);
        }
    }

    // ICD-10 with the national extensions: letter, two digits, then up to eight characters of detail.
    [GeneratedRegex(@"^[A-Z][0-9]{2}(\.[0-9A-Zx+]{1,8})?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex DiagnosisCode();

    [GeneratedRegex("^[A-Za-z0-9-]{1,64}$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex NumberForm();

    private sealed record Entry(string Url, string Type, FhirReader Resource);
}

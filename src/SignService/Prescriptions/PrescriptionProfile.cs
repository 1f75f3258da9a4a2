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

    /// <summary>The unit of that quantity.</summary>
    public const string QuantityUnitExtension = Extensions + "quantity-unit";

    internal const string Extensions = "urn:trust:fhir:";

    private static readonly string[] Sections =
        ["Composition", "Patient", "Practitioner", "PractitionerRole", "Organization", "Condition", "MedicationRequest"];

    /// <summary>Whether a prescription may hold a resource of this type.</summary>
    internal static bool IsAllowed(string type) => Sections.Contains(type, StringComparer.Ordinal);

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
        PrescriptionShape.Check(new FhirReader(bundle, "Bundle"));
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

        IsAPrescription(composition);
        Refers(composition, "subject", patient);
        Require(composition.Resource.Items("author", 1, 1)[0].Text("reference") == role.Url, ProfileRefusals.Reference, "Composition.author");
        Refers(composition, "custodian", organization);
        Refers(role, "practitioner", practitioner);
        Refers(role, "organization", organization);
        patient.Resource.Items("identifier", 1, 1);
        organization.Resource.Items("identifier", 1, 1);
        conditions.ForEach(c => ReadCondition(c, patient));
        var written = Written(bundle, composition);
        var category = CategoryOf(medicines[0].Resource);
        var requests = medicines.Select(m => ReadMedicine(m, patient, role, category, written)).ToList();
        return new PrescriptionContent(
            Number(bundle.Member("identifier")),
            Author(practitioner, role),
            new StatedInstitution(Identifier<InstitutionId>(organization), organization.Resource.Text("name")),
            Identifier<PatientId>(patient),
            patient.Resource.Date("birthDate"),
            category,
            composition.Resource.Extension(Extensions + "visit") == "follow-up" && composition.Resource.Extension(Extensions + "prior-record") is not null,
            patient.Resource.Extension(Extensions + "guardian") == "guardian-and-specialist-present",
            patient.Resource.Extension(Extensions + "weight-kg"),
            written,
            requests.Select(r => r.Until).Distinct().Count() == 1 ? requests[0].Until : throw new ProfileException(ProfileRefusals.ValidityDiffers, "MedicationRequest"),
            [.. requests.Select(r => r.Medicine)]);
    }

    private static void IsAPrescription(Entry composition)
    {
        var type = composition.Resource.Must("status", "final").Member("type").Items("coding", 1, 1)[0];
        Require((type.Text("system"), type.Text("code")) is ("urn:trust:document", "prescription") or ("urn:oid:2.16.840.1.113883.6.1", "57833-6"),
            ProfileRefusals.NotAllowed, type.Path);
    }

    // A document is dated once: its time-stamp, its composition and each of its orders tell one instant.
    private static DateTimeOffset Written(FhirReader bundle, Entry composition)
    {
        var written = composition.Resource.Instant("date");
        Require(!bundle.Has("timestamp") || bundle.Instant("timestamp") == written, ProfileRefusals.Contradiction, "Bundle.timestamp");
        return written;
    }

    private static StatedAuthor Author(Entry practitioner, Entry role)
    {
        practitioner.Resource.Items("identifier", 2, 2);
        return new StatedAuthor(
            Identifier<PersonId>(practitioner),
            practitioner.Resource.Items("name", 1, 1)[0].Text("text"),
            practitioner.Resource.Identifier("urn:trust:licence"),
            [.. role.Resource.Items("specialty", 1, 4).Select(s => s.Text("text"))]);
    }

    private static void ReadCondition(Entry condition, Entry patient)
    {
        Refers(condition, "subject", patient);
        var code = condition.Resource.Member("code");
        code.Items("coding", 1, 1);
        Require(DiagnosisCode().IsMatch(condition.Resource.Coding("code", "urn:oid:2.16.840.1.113883.6.3")), ProfileRefusals.DiagnosisCode, condition.Resource.Path);
        NamesAgree(code);
    }

    // A coding's display and the concept's text name one thing; a reader shows either.
    private static void NamesAgree(FhirReader concept)
    {
        var names = concept.Items("coding", 1, 2).Select(c => c.OptionalText("display")).Append(concept.OptionalText("text")).Where(n => n is not null);
        Require(names.Distinct(StringComparer.Ordinal).Count() <= 1, ProfileRefusals.Contradiction, concept.Path);
    }

    private static string CategoryOf(FhirReader request) => request.Items("category", 1, 1)[0].Items("coding", 1, 1)[0].Must("system", "urn:trust:rx-category").Text("code");

    private static (PrescribedMedicine Medicine, DateOnly Until) ReadMedicine(Entry entry, Entry patient, Entry role, string category, DateTimeOffset written)
    {
        var request = entry.Resource.Must("status", "active").Must("intent", "order");
        Refers(entry, "subject", patient);
        Refers(entry, "requester", role);
        Require(CategoryOf(request) == category, ProfileRefusals.CategoryDiffers, request.Path + ".category");
        Require(!request.Has("authoredOn") || IsWritten(request, written), ProfileRefusals.Contradiction, request.Path + ".authoredOn");
        var concept = request.Member("medicationCodeableConcept");
        NamesAgree(concept);
        var dispense = request.Member("dispenseRequest");
        return (
            new PrescribedMedicine(
                request.Coding("medicationCodeableConcept", "urn:trust:ypid"),
                request.Coding("medicationCodeableConcept", "urn:trust:nhsa"),
                request.Extension(Extensions + "control-class") ?? "none",
                Days(dispense),
                request.Extension(Extensions + "long-term-reason"))
            {
                Name = concept.Text("text"),
                Doses = [.. request.Items("dosageInstruction", 1, 4).Select(d => d.Text("text"))],
                Quantity = Quantity(dispense),
            },
            Until(dispense, written));
    }

    // FHIR's dateTime may be a day alone; it is then the day in China.
    private static bool IsWritten(FhirReader request, DateTimeOffset written) =>
        request.Text("authoredOn").Length <= 10 ? request.Date("authoredOn") == ServiceScope.DayOf(written) : request.Instant("authoredOn") == written;

    private static int Days(FhirReader dispense)
    {
        var duration = dispense.Member("expectedSupplyDuration").Must("code", "d");
        // The unit is what a person reads beside the value, so it is days too.
        _ = duration.Has("unit") ? duration.Must("unit", "d", "天", "日", "day", "days") : duration;
        _ = duration.Has("system") ? duration.Must("system", "urn:ucum") : duration;
        return duration.Whole("value");
    }

    private static decimal Quantity(FhirReader dispense)
    {
        Require(decimal.TryParse(
            dispense.Extension(QuantityExtension), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var stated) && stated > 0,
            ProfileRefusals.Quantity, dispense.Path);
        if (dispense.Has("quantity"))
        {
            var beside = dispense.Member("quantity");
            Require(beside.Whole("value") == stated, ProfileRefusals.Contradiction, beside.Path);
            Require(!beside.Has("unit") || beside.Text("unit") == dispense.Extension(QuantityUnitExtension), ProfileRefusals.Contradiction, beside.Path + ".unit");
        }

        return stated;
    }

    // It holds from the day it is written.
    private static DateOnly Until(FhirReader dispense, DateTimeOffset written)
    {
        var period = dispense.Member("validityPeriod");
        Require(!period.Has("start") || period.Date("start") == ServiceScope.DayOf(written), ProfileRefusals.Contradiction, period.Path + ".start");
        return period.Date("end");
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

    // ICD-10 in the national editions: letter, two digits and up to ten characters of detail (I10.x00, E11.900x00100); a cause may carry + and a
    // manifestation *, together or alone (E11.301+H36.0*); and the morphology of tumours (M80000/3).
    [GeneratedRegex(
        @"^([A-Z][0-9]{2}(\.[0-9A-Zx]{1,10})?(\*|\+([A-Z][0-9]{2}(\.[0-9A-Zx]{1,10})?\*)?)?|M[0-9]{4,5}/[0-9]{1,2})$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex DiagnosisCode();

    [GeneratedRegex("^[A-Za-z0-9-]{1,64}$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex NumberForm();

    private sealed record Entry(string Url, string Type, FhirReader Resource);
}

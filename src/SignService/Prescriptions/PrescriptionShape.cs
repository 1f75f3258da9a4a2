using System.Collections.Frozen;
using System.Text.Json;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// Every member and extension that a prescription may hold, by its place. FHIR R4 2.6.2 and 2.1.0.3.2: what a reader does not know it must
/// not process; so what stands in no line here is refused, at any depth, and no signature covers anything that nobody judged.
/// </summary>
internal static class PrescriptionShape
{
    // A list's items stand at the place of the list; a resource stands at the place of its type.
    private static readonly FrozenDictionary<string, FrozenSet<string>> Members = Table(
        ("Bundle", "resourceType type identifier timestamp entry"),
        ("Bundle.identifier", "system value"),
        ("Bundle.entry", "fullUrl resource"),
        ("Composition", "resourceType status type subject date author title custodian extension"),
        ("Composition.type", "coding"),
        ("Composition.type.coding", "system code"),
        ("Composition.subject", "reference"),
        ("Composition.author", "reference"),
        ("Composition.custodian", "reference"),
        ("Patient", "resourceType identifier gender birthDate extension"),
        ("Patient.identifier", "system value"),
        ("Practitioner", "resourceType identifier name"),
        ("Practitioner.identifier", "system value"),
        ("Practitioner.name", "text"),
        ("PractitionerRole", "resourceType practitioner organization specialty"),
        ("PractitionerRole.practitioner", "reference"),
        ("PractitionerRole.organization", "reference"),
        ("PractitionerRole.specialty", "text"),
        ("Organization", "resourceType identifier name"),
        ("Organization.identifier", "system value"),
        ("Condition", "resourceType subject code"),
        ("Condition.subject", "reference"),
        ("Condition.code", "coding text"),
        ("Condition.code.coding", "system code display"),
        ("MedicationRequest", "resourceType status intent category medicationCodeableConcept subject requester authoredOn dosageInstruction dispenseRequest extension"),
        ("MedicationRequest.category", "coding"),
        ("MedicationRequest.category.coding", "system code"),
        ("MedicationRequest.medicationCodeableConcept", "coding text"),
        ("MedicationRequest.medicationCodeableConcept.coding", "system code display"),
        ("MedicationRequest.subject", "reference"),
        ("MedicationRequest.requester", "reference"),
        ("MedicationRequest.dosageInstruction", "text"),
        ("MedicationRequest.dispenseRequest", "validityPeriod expectedSupplyDuration quantity extension"),
        ("MedicationRequest.dispenseRequest.validityPeriod", "start end"),
        ("MedicationRequest.dispenseRequest.expectedSupplyDuration", "value unit system code"),
        ("MedicationRequest.dispenseRequest.quantity", "value unit"));

    private static readonly FrozenDictionary<string, FrozenSet<string>> Extensions = Table(
        ("Composition", "visit prior-record"),
        ("Patient", "guardian weight-kg"),
        ("MedicationRequest", "control-class long-term-reason"),
        ("MedicationRequest.dispenseRequest", "quantity quantity-unit"));

    /// <summary>Walks the whole bundle.</summary>
    /// <exception cref="ProfileException">A member or extension that stands in no line of the tables.</exception>
    public static void Check(FhirReader bundle) => Check(bundle, "Bundle");

    private static void Check(FhirReader at, string place)
    {
        switch (at.Element.ValueKind)
        {
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in at.Element.EnumerateArray())
                {
                    Check(new FhirReader(item, $"{at.Path}[{index++}]"), place);
                }

                break;
            case JsonValueKind.Object:
                CheckMembers(at, place);
                break;
        }
    }

    private static void CheckMembers(FhirReader at, string place)
    {
        // An object where the profile has a plain value holds nothing that is allowed.
        var allowed = Members.GetValueOrDefault(place, []);
        foreach (var member in at.Element.EnumerateObject())
        {
            var inside = new FhirReader(member.Value, at.Path + "." + member.Name);
            if (!allowed.Contains(member.Name))
            {
                throw new ProfileException(ProfileRefusals.MemberNotAllowed, inside.Path);
            }

            if (member.Name is "extension")
            {
                CheckExtensions(at, Extensions[place]);
            }
            else
            {
                Check(inside, place is "Bundle.entry" && member.Name is "resource" ? TypeOf(inside) : place + "." + member.Name);
            }
        }
    }

    private static string TypeOf(FhirReader resource)
    {
        var type = resource.Text("resourceType");
        return PrescriptionProfile.IsAllowed(type) ? type : throw new ProfileException(ProfileRefusals.ResourceNotAllowed, resource.Path);
    }

    // Whoever reads the first of two values would sign the other unread: one value, and nothing beside it.
    private static void CheckExtensions(FhirReader at, FrozenSet<string> allowed)
    {
        foreach (var extension in at.Items("extension", 1, allowed.Count))
        {
            if (!extension.Text("url").StartsWith(PrescriptionProfile.Extensions, StringComparison.Ordinal)
                || !allowed.Contains(extension.Text("url")[PrescriptionProfile.Extensions.Length..]))
            {
                throw new ProfileException(ProfileRefusals.ExtensionNotAllowed, extension.Path);
            }

            var value = extension.Has("valueString") ? "valueString" : "valueCode";
            extension.Text(value);
            foreach (var member in extension.Element.EnumerateObject())
            {
                if (member.Name != "url" && member.Name != value)
                {
                    throw new ProfileException(ProfileRefusals.MemberNotAllowed, extension.Path + "." + member.Name);
                }
            }
        }
    }

    private static FrozenDictionary<string, FrozenSet<string>> Table(params ReadOnlySpan<(string Place, string Names)> lines)
    {
        var table = new Dictionary<string, FrozenSet<string>>(StringComparer.Ordinal);
        foreach (var (place, names) in lines)
        {
            table.Add(place, names.Split(' ').ToFrozenSet(StringComparer.Ordinal));
        }

        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

using System.Collections.Frozen;
using Hl7.Fhir.Model;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// The elements that our reader knows, by FHIR type, in what the FHIR library has read. Kept apart from <see cref="PrescriptionShape"/>,
/// which knows the members as they stand in the JSON: an element that either does not know stops the prescription.
/// </summary>
internal static class KnownElements
{
    private static readonly FrozenDictionary<Type, string[]> ByType = new Dictionary<Type, string[]>
    {
        [typeof(Bundle)] = ["type", "identifier", "timestamp", "entry"],
        [typeof(Bundle.EntryComponent)] = ["fullUrl", "resource"],
        [typeof(Composition)] = ["status", "type", "subject", "date", "author", "title", "custodian", "extension"],
        [typeof(Patient)] = ["identifier", "gender", "birthDate", "extension"],
        [typeof(Practitioner)] = ["identifier", "name"],
        [typeof(PractitionerRole)] = ["practitioner", "organization", "specialty"],
        [typeof(Organization)] = ["identifier", "name"],
        [typeof(Condition)] = ["subject", "code"],
        [typeof(MedicationRequest)] =
            ["status", "intent", "category", "medication", "subject", "requester", "authoredOn", "dosageInstruction", "dispenseRequest", "extension"],
        [typeof(MedicationRequest.DispenseRequestComponent)] = ["validityPeriod", "expectedSupplyDuration", "quantity", "extension"],
        [typeof(Identifier)] = ["system", "value"],
        [typeof(ResourceReference)] = ["reference"],
        [typeof(HumanName)] = ["text"],
        [typeof(CodeableConcept)] = ["coding", "text"],
        [typeof(Coding)] = ["system", "code", "display"],
        [typeof(Dosage)] = ["text"],
        [typeof(Period)] = ["start", "end"],
        [typeof(Quantity)] = ["value", "unit"],
        [typeof(Duration)] = ["value", "unit", "system", "code"],
        [typeof(Extension)] = ["url", "value"],
    }.ToFrozenDictionary();

    /// <summary>The path of the first element that we do not know; null when there is none.</summary>
    public static string? FirstOther(Base element, string path)
    {
        // A plain value holds its own value, and anything beside that would be an extension of it.
        var known = element is PrimitiveType ? ["value"] : ByType.GetValueOrDefault(element.GetType(), []);
        foreach (var (name, value) in element.EnumerateElements())
        {
            if (!known.Contains(name, StringComparer.Ordinal))
            {
                return path + "." + name;
            }

            var found = value switch
            {
                Base one => FirstOther(one, path + "." + name),
                IEnumerable<Base> many => many.Select((one, i) => FirstOther(one, $"{path}.{name}[{i}]")).FirstOrDefault(m => m is not null),
                _ => null,
            };
            if (found is not null)
            {
                return found;
            }
        }

        return null;
    }
}

using Trust.Crypto.Json;
using Trust.Kernel.Identifiers;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Validation;

/// <summary>
/// Whom a signed prescription names, as far as its signatures are judged by it. The profile of the day when it was signed may have been another
/// than today's, so nothing else of it is read.
/// </summary>
/// <param name="Number">Prescription number.</param>
/// <param name="Author">The doctor.</param>
/// <param name="Institution">The institution.</param>
public sealed record SignedPrescription(string Number, PersonId Author, InstitutionId Institution)
{
    /// <summary>Reads the bytes; null when they are no prescription.</summary>
    public static SignedPrescription? TryRead(byte[] payload)
    {
        if (!StrictJson.TryParse(payload, new JsonLimits(PrescriptionProfile.MaxBytes), out var root, out _))
        {
            return null;
        }

        try
        {
            var bundle = new FhirReader(root, "Bundle").Must("resourceType", "Bundle");
            var resources = bundle.Items("entry", 1, 32).Select(e => e.Member("resource")).ToList();
            return PersonId.TryParse(Identifier(resources, "Practitioner", PersonId.Prefix), out var author)
                && InstitutionId.TryParse(Identifier(resources, "Organization", InstitutionId.Prefix), out var institution)
                    ? new SignedPrescription(bundle.Member("identifier").Text("value"), author, institution) : null;
        }
        catch (ProfileException)
        {
            return null;
        }
    }

    // Two of a type would leave open who is meant.
    private static string? Identifier(List<FhirReader> resources, string type, string prefix) =>
        resources.Where(r => r.Text("resourceType") == type).ToList() is [var only] ? only.Identifier(prefix[..^1]) : null;
}

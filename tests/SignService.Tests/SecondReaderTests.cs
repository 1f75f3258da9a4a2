using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Crypto.Json;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Tests;

/// <summary>What the FHIR library reads in a prescription that our own reader has taken.</summary>
public sealed class SecondReaderTests
{
    [Fact]
    public void Both_readers_find_the_same_in_the_samples()
    {
        Assert.Null(Refusal(_ => { }));
        Assert.Null(Refusal(b => b.Resource("MedicationRequest")["dispenseRequest"]!["quantity"] = JsonNode.Parse("""{"value":28}""")));
        Assert.Null(Refusal(b => b.Resource("MedicationRequest")["authoredOn"] = b.Resource("Composition")["date"]!.GetValue<string>()));
        Assert.Null(Refusal(b => b.Resource("MedicationRequest")["authoredOn"] = b.Resource("Composition")["date"]!.GetValue<string>()[..10]));
    }

    public static TheoryData<string, Action<JsonObject>> Different => new()
    {
        { "Bundle.entry[6].resource.doNotPerform", b => b.Resource("MedicationRequest")["doNotPerform"] = true },
        { "Bundle.entry[6].resource.modifierExtension", b => b.Resource("MedicationRequest")["modifierExtension"] = JsonNode.Parse("""[{"url":"urn:x","valueBoolean":true}]""") },
        { "Bundle.entry[1].resource.implicitRules", b => b.Resource("Patient")["implicitRules"] = "urn:x" },
        { "Bundle.entry[1].resource.deceased", b => b.Resource("Patient")["deceasedBoolean"] = true },
        { "Bundle.entry[5].resource.verificationStatus", b => b.Resource("Condition")["verificationStatus"] = JsonNode.Parse("""{"coding":[{"system":"urn:x","code":"refuted"}]}""") },
        { "Bundle.entry[6].resource.dosageInstruction[0].doseAndRate", b => b.Resource("MedicationRequest")["dosageInstruction"]![0]!["doseAndRate"] = JsonNode.Parse("""[{"doseQuantity":{"value":500,"unit":"mg"}}]""") },
        { "Bundle.entry[6].resource.dosageInstruction[0].timing", b => b.Resource("MedicationRequest")["dosageInstruction"]![0]!["timing"] = JsonNode.Parse("""{"repeat":{"frequency":9,"period":1,"periodUnit":"d"}}""") },
        { "Bundle.entry[6].resource.dispenseRequest.numberOfRepeatsAllowed", b => b.Resource("MedicationRequest")["dispenseRequest"]!["numberOfRepeatsAllowed"] = 3 },
        { "Bundle.entry[6].resource.contained", b => b.Resource("MedicationRequest")["contained"] = JsonNode.Parse("""[{"resourceType":"Medication","id":"m","code":{"text":"x"}}]""") },
        { "Bundle.entry[1].resource.birthDate.extension", b => b.Resource("Patient")["_birthDate"] = JsonNode.Parse("""{"extension":[{"url":"urn:x","valueString":"1999-01-01"}]}""") },
        { "Patient.identifier", b => b.Resource("Patient")["identifier"]![0]!["value"] = SignRig.Doctor },
        { "Practitioner", b => b.Resource("Practitioner")["name"]![0]!["text"] = "别人" },
        { "Practitioner", b => b.Resource("Practitioner")["identifier"]![1]!["value"] = "999999999999999" },
        { "Practitioner", b => b.Resource("PractitionerRole")["specialty"]![0]!["text"] = "神经外科" },
        { "Organization.name", b => b.Resource("Organization")["name"] = "另一家医院" },
        { "MedicationRequest[0].dispenseRequest.quantity", b => b.Resource("MedicationRequest")["dispenseRequest"]!["quantity"] = JsonNode.Parse("""{"value":9999}""") },
        { "MedicationRequest[0].authoredOn", b => b.Resource("MedicationRequest")["authoredOn"] = "1999-01-01" },
        { "MedicationRequest[0].dispenseRequest.validityPeriod.start", b => b.Resource("MedicationRequest")["dispenseRequest"]!["validityPeriod"]!["start"] = "2099-01-01" },
    };

    // The content is what our reader finds in the bundle before the change, so that the library alone judges the bytes after it.
    [Theory]
    [MemberData(nameof(Different))]
    public void A_member_that_the_readers_understand_differently_is_named(string member, Action<JsonObject> change)
    {
        var refusal = Alone(change);
        Assert.Equal("readers-differ", refusal?.Name);
        Assert.Contains(member, refusal!.Detail("en"), StringComparison.Ordinal);
    }

    public static TheoryData<string, Action<JsonObject>> Invalid => new()
    {
        { "Bundle.entry[4].resource.unheardOf", b => b.Resource("Organization")["unheardOf"] = "x" },
        { "Bundle.entry[1].resource.gender", b => b.Resource("Patient")["gender"] = "weiblich" },
        { "Bundle.entry[0].resource.title", b => b.Resource("Composition").Remove("title") },
        { "Bundle.entry[6].resource", b => b.Resource("MedicationRequest")["medicationReference"] = JsonNode.Parse("""{"reference":"urn:uuid:00000000-0000-4000-8000-000000000009"}""") },
        { "Bundle.entry[0].resource.date", b => b.Resource("Composition")["date"] = b.Resource("Composition")["date"]!.GetValue<string>().Replace("+08:00", "+0800", StringComparison.Ordinal) },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    public void What_is_no_FHIR_is_refused_with_its_member(string member, Action<JsonObject> change)
    {
        var refusal = Alone(change);
        Assert.Equal("not-fhir", refusal?.Name);
        Assert.Contains(member, refusal!.Detail("en"), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_thing_that_our_reader_finds_is_compared()
    {
        var read = Read(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital));
        var content = read.Content;
        var medicine = content.Medicines[0];
        PrescriptionContent With(PrescribedMedicine other) => content with { Medicines = [other] };
        var other = new Dictionary<string, PrescriptionContent>(StringComparer.Ordinal)
        {
            ["Patient.identifier"] = content with { Patient = Kernel.Identifiers.PatientId.New(DateTimeOffset.UtcNow) },
            ["Patient.birthDate"] = content with { BirthDate = content.BirthDate.AddDays(1) },
            ["Practitioner.identifier"] = content with { StatedAuthor = content.StatedAuthor with { Person = Kernel.Identifiers.PersonId.New(DateTimeOffset.UtcNow) } },
            ["Organization.identifier"] = content with { StatedInstitution = content.StatedInstitution with { Institution = Kernel.Identifiers.InstitutionId.New(DateTimeOffset.UtcNow) } },
            ["Composition.date"] = content with { AuthoredOn = content.AuthoredOn.AddSeconds(1) },
            ["MedicationRequest[0].medication"] = With(medicine with { NationalCode = "0" }),
            ["MedicationRequest[0].dosageInstruction"] = With(medicine with { Doses = ["x"] }),
            ["MedicationRequest[0].dispenseRequest.expectedSupplyDuration"] = With(medicine with { Days = 1 }),
            ["MedicationRequest[0].dispenseRequest.validityPeriod.end"] = content with { ValidUntil = content.ValidUntil.AddDays(1) },
            ["MedicationRequest[0].dispenseRequest.extension"] = With(medicine with { Quantity = 1 }),
            ["MedicationRequest"] = content with { Medicines = [medicine, medicine] },
        };
        Assert.All(other, o => Assert.Contains(o.Key, SecondReader.Compare(read with { Content = o.Value })?.Detail("en"), StringComparison.Ordinal));
    }

    [Fact]
    public void Ten_thousand_damaged_bundles_never_fault_and_many_readers_agree_at_once()
    {
        var seed = CanonicalJson.Encode(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital));
        var taken = 0;
        Parallel.For(0, 10_000, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            var random = new Random(i);
            var bytes = seed.ToArray();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(32, 127);
            }

            if (StrictJson.TryParse(bytes, new JsonLimits(bytes.Length), out var element, out _) && PrescriptionProfile.Read(element) is ProfileOutcome.Holds read)
            {
                _ = SecondReader.Compare(read);
                Interlocked.Increment(ref taken);
            }
        });
        Assert.InRange(taken, 100, 10_000);
    }

    private static Kernel.Hosting.Refusal? Refusal(Action<JsonObject> change)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        change(bundle);
        return SecondReader.Compare(Read(bundle));
    }

    private static Kernel.Hosting.Refusal? Alone(Action<JsonObject> change)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        var read = Read(bundle);
        change(bundle);
        return SecondReader.Compare(read with { Payload = CanonicalJson.Encode(bundle) });
    }

    private static ProfileOutcome.Holds Read(JsonObject bundle) =>
        Assert.IsType<ProfileOutcome.Holds>(PrescriptionProfile.Read(JsonElement.Parse(bundle.ToJsonString())));
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Tests;

/// <summary>Nothing is signed that nobody judged, and nothing that says one thing in two ways.</summary>
public sealed class ClosedProfileTests
{
    // Every object of a prescription, wherever it stands, with what FHIR would allow or not allow there.
    [Fact]
    public void A_member_that_the_profile_does_not_name_is_refused_in_every_object_at_any_depth()
    {
        var places = Places(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital)).Count;
        Assert.InRange(places, 40, 100);
        foreach (var name in new[] { "unheardOf", "modifierExtension", "id", "meta", "implicitRules", "language", "contained", "_value", "doNotPerform" })
        {
            for (var place = 0; place < places; place++)
            {
                var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
                var (path, at) = Places(bundle)[place];
                at[name] = "x";
                var broken = Assert.IsType<ProfileOutcome.Broken>(PrescriptionProfile.Read(JsonElement.Parse(bundle.ToJsonString())));
                Assert.Equal("profile-member-not-allowed", broken.Why.Name);
                Assert.Contains(path.Split('.')[^1] + "." + name.Replace("_", "", StringComparison.Ordinal), broken.Why.Detail("en"), StringComparison.Ordinal);
            }
        }
    }

    public static TheoryData<string, Action<JsonObject>> NotNamed => new()
    {
        { "a prescription not to give the medicine", b => Order(b)["doNotPerform"] = true },
        { "a diagnosis that was refuted", b => b.Resource("Condition")["verificationStatus"] = JsonNode.Parse("""{"coding":[{"code":"refuted"}]}""") },
        { "a patient who died", b => b.Resource("Patient")["deceasedBoolean"] = true },
        { "a patient who died on a day", b => b.Resource("Patient")["deceasedDateTime"] = "2020-01-01" },
        { "a second medicine beside the first", b => Order(b)["medicationReference"] = JsonNode.Parse("""{"reference":"urn:uuid:00000000-0000-4000-8000-000000000009"}""") },
        { "a dose beside the text", b => Order(b)["dosageInstruction"]![0]!["doseAndRate"] = JsonNode.Parse("""[{"doseQuantity":{"value":500,"unit":"mg"}}]""") },
        { "a dose that is not needed", b => Order(b)["dosageInstruction"]![0]!["asNeededBoolean"] = true },
        { "an instruction to the patient beside the text", b => Order(b)["dosageInstruction"]![0]!["patientInstruction"] = "每日三次" },
        { "repeats", b => Order(b)["dispenseRequest"]!["numberOfRepeatsAllowed"] = 12 },
        { "a substitution", b => Order(b)["substitution"] = JsonNode.Parse("""{"allowedBoolean":true}""") },
        { "a prior prescription", b => Order(b)["priorPrescription"] = JsonNode.Parse("""{"reference":"urn:uuid:00000000-0000-4000-8000-000000000009"}""") },
        { "a reason for a status", b => Order(b)["statusReason"] = JsonNode.Parse("""{"text":"作废"}""") },
        { "a note", b => Order(b)["note"] = JsonNode.Parse("""[{"text":"停用"}]""") },
        { "an inactive practitioner", b => b.Resource("Practitioner")["active"] = false },
        { "a name with other parts", b => b.Resource("Practitioner")["name"]![0]!["family"] = "李" },
        { "a name of another period", b => b.Resource("Practitioner")["name"]![0]!["use"] = "old" },
        { "an identifier of another use", b => b.Resource("Patient")["identifier"]![0]!["use"] = "old" },
        { "a reference that shows another name", b => b.Resource("Composition")["subject"]!["display"] = "别人" },
        { "a reference by identifier", b => b.Resource("Composition")["subject"]!["identifier"] = JsonNode.Parse("""{"value":"x"}""") },
        { "a section", b => b.Resource("Composition")["section"] = JsonNode.Parse("""[{"title":"x"}]""") },
        { "what the document replaces", b => b.Resource("Composition")["relatesTo"] = JsonNode.Parse("""[{"code":"replaces"}]""") },
        { "a search result", b => b["entry"]![0]!["search"] = JsonNode.Parse("""{"mode":"match"}""") },
        { "a link", b => b["link"] = JsonNode.Parse("""[{"relation":"self"}]""") },
        { "an alias of the hospital", b => b.Resource("Organization")["alias"] = new JsonArray("另一家医院") },
        { "an extension of a plain value", b => b.Resource("Patient")["_birthDate"] = JsonNode.Parse("""{"extension":[{"url":"urn:x","valueString":"x"}]}""") },
        { "an object in place of a plain value", b => b.Resource("Organization")["name"] = JsonNode.Parse("""{"value":"示例市人民医院"}""") },
        { "two values of one extension", b => b.Resource("Composition")["extension"]![0]!["valueString"] = "first" },
        { "a value of another kind", b => b.Resource("Composition")["extension"]![0]!["valueBoolean"] = false },
        { "an extension of an extension", b => b.Resource("Composition")["extension"]![0]!["extension"] = JsonNode.Parse("""[{"url":"urn:x","valueString":"x"}]""") },
    };

    [Theory]
    [MemberData(nameof(NotNamed))]
    public void What_the_profile_does_not_name_is_not_signed(string what, Action<JsonObject> change) => Refused("profile-member-not-allowed", what, change);

    public static TheoryData<string, Action<JsonObject>> OtherExtensions => new()
    {
        { "one nobody knows", b => Order(b)["extension"]!.AsArray().Add(JsonNode.Parse("""{"url":"urn:example:cancelled","valueString":"true"}""")) },
        { "one of ours with another prefix", b => Order(b)["extension"]![0]!["url"] = "urn:other:fhir:long-term-reason" },
        { "one of ours in another place", b => Order(b)["extension"]!.AsArray().Add(JsonNode.Parse("""{"url":"urn:trust:fhir:visit","valueString":"first"}""")) },
    };

    [Theory]
    [MemberData(nameof(OtherExtensions))]
    public void An_extension_that_the_profile_does_not_name_there_is_refused(string what, Action<JsonObject> change) => Refused("profile-extension-not-allowed", what, change);

    public static TheoryData<string, Action<JsonObject>> Contradicting => new()
    {
        { "9999 pieces beside 28", b => Order(b)["dispenseRequest"]!["quantity"] = JsonNode.Parse("""{"value":9999}""") },
        { "boxes beside no unit", b => Order(b)["dispenseRequest"]!["quantity"] = JsonNode.Parse("""{"value":28,"unit":"盒"}""") },
        { "an order of 1999", b => Order(b)["authoredOn"] = "1999-01-01" },
        { "an order of a second later", b => Order(b)["authoredOn"] = DateTimeOffset.Parse(Date(b), null).AddSeconds(1).ToString("yyyy-MM-dd'T'HH:mm:sszzz") },
        { "a document of another day", b => b["timestamp"] = "1999-01-01T00:00:00+08:00" },
        { "validity from another day", b => Order(b)["dispenseRequest"]!["validityPeriod"]!["start"] = "2027-09-01" },
        { "a drug's code shown under another name", b => Order(b)["medicationCodeableConcept"]!["coding"]![0]!["display"] = "吗啡" },
        { "a diagnosis shown under another name", b => b.Resource("Condition")["code"]!["coding"]![0]!["display"] = "感冒" },
    };

    [Theory]
    [MemberData(nameof(Contradicting))]
    public void Two_members_that_say_one_thing_differently_are_refused(string what, Action<JsonObject> change) => Refused("profile-contradiction", what, change);

    public static TheoryData<string, string, Action<JsonObject>> Values => new()
    {
        { "profile-cardinality", "a national number beside the pseudonym", b => b.Resource("Patient")["identifier"]!.AsArray().Add(JsonNode.Parse("""{"system":"urn:oid:2.16.156.10011.1.3","value":"110105194912310021"}""")) },
        { "profile-cardinality", "a third number of the practitioner", b => b.Resource("Practitioner")["identifier"]!.AsArray().Add(JsonNode.Parse("""{"system":"urn:x","value":"1"}""")) },
        { "profile-cardinality", "a second name", b => b.Resource("Practitioner")["name"]!.AsArray().Add(JsonNode.Parse("""{"text":"别人"}""")) },
        { "profile-cardinality", "a second diagnosis in one", b => b.Resource("Condition")["code"]!["coding"]!.AsArray().Add(JsonNode.Parse("""{"system":"urn:x","code":"J00"}""")) },
        { "profile-cardinality", "a third code of the drug", b => Order(b)["medicationCodeableConcept"]!["coding"]!.AsArray().Add(JsonNode.Parse("""{"system":"urn:x","code":"1"}""")) },
        { "profile-not-allowed", "days called weeks", b => Order(b)["dispenseRequest"]!["expectedSupplyDuration"]!["unit"] = "周" },
        { "profile-not-allowed", "a document of another type", b => b.Resource("Composition")["type"]!["coding"]![0]!["code"] = "18842-5" },
        { "profile-not-allowed", "a category of another system", b => Order(b)["category"]![0]!["coding"]![0]!["system"] = "urn:x" },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void A_second_value_or_another_meaning_is_refused(string rule, string what, Action<JsonObject> change) => Refused(rule, what, change);

    // Prescriptions as a hospital's system sent them.
    [Theory]
    [InlineData("rx-contradicting-members.json", "profile-member-not-allowed")]
    [InlineData("rx-do-not-perform.json", "profile-member-not-allowed")]
    [InlineData("rx-other-name-and-licence.json", null)]
    public void A_prescription_from_the_field_is_refused_where_it_contradicts_itself(string file, string? rule)
    {
        var outcome = PrescriptionProfile.Read(JsonElement.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", file))));
        Assert.Equal(rule, (outcome as ProfileOutcome.Broken)?.Why.Name);
    }

    [Fact]
    public async Task A_prescription_that_says_do_not_is_neither_prepared_nor_kept()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        Order(bundle)["doNotPerform"] = true;
        await SignRig.Refused(await rig.Prepare(bundle), "profile-member-not-allowed", 422);
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM prescriptions"));
    }

    [Theory]
    [InlineData("[]", "$")]
    [InlineData("""{"certificate":"AA=="}""", "$.bundle")]
    [InlineData("""{"bundle":{}}""", "$.certificate")]
    [InlineData("""{"bundle":{},"certificate":5}""", "$.certificate")]
    [InlineData("""{"bundle":{},"certificate":"AA==","notes":"x"}""", "$.notes")]
    public async Task A_body_that_cannot_be_read_is_refused_with_the_member(string body, string member)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var refused = await SignRig.Read(await rig.Post("/prescriptions", rig.DoctorToken(), raw: body), 400);
        Assert.EndsWith(":malformed-request", refused.GetProperty("type").GetString(), StringComparison.Ordinal);
        Assert.Equal(member, refused.GetProperty("member").GetString());
    }

    public static TheoryData<string, Action<JsonObject>> NotRegistered => new()
    {
        { "Practitioner.name", b => b.Resource("Practitioner")["name"]![0]!["text"] = "别人" },
        { "Practitioner.identifier", b => b.Resource("Practitioner")["identifier"]![1]!["value"] = "999999999999999" },
        { "Organization.name", b => b.Resource("Organization")["name"] = "另一家医院" },
        { "PractitionerRole.specialty", b => b.Resource("PractitionerRole")["specialty"]![0]!["text"] = "神经外科" },
        { "PractitionerRole.specialty", b => b.Resource("PractitionerRole")["specialty"]!.AsArray().Add(JsonNode.Parse("""{"text":"外科"}""")) },
    };

    [Fact]
    public async Task What_stands_beside_an_identifier_is_what_the_registry_holds_under_it()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        foreach (var row in NotRegistered)
        {
            var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
            row.Data.Item2(bundle);
            var refused = await SignRig.Read(await rig.Prepare(bundle), 422);
            Assert.Equal("urn:trust:problem:sign:not-as-registered", refused.GetProperty("type").GetString());
            Assert.Contains(row.Data.Item1, refused.GetRawText(), StringComparison.Ordinal);
        }

        Assert.Equal(0, await rig.Count("SELECT count(*) FROM prescriptions"));
        Assert.Equal(5, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.deny'"));
    }

    private static JsonObject Order(JsonObject bundle) => bundle.Resource("MedicationRequest");

    private static string Date(JsonObject bundle) => bundle.Resource("Composition")["date"]!.GetValue<string>();

    private static void Refused(string rule, string what, Action<JsonObject> change)
    {
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        change(bundle);
        Assert.True(bundle.RefusedBy() == rule, $"{what}: {bundle.RefusedBy()}");
    }

    private static List<(string Path, JsonObject At)> Places(JsonObject bundle)
    {
        var list = new List<(string, JsonObject)>();
        Walk(bundle, "Bundle", list);
        return list;
    }

    private static void Walk(JsonNode? node, string path, List<(string, JsonObject)> list)
    {
        switch (node)
        {
            case JsonObject at:
                list.Add((path, at));
                foreach (var (name, value) in at)
                {
                    Walk(value, path + "." + name, list);
                }

                break;
            case JsonArray items:
                for (var i = 0; i < items.Count; i++)
                {
                    Walk(items[i], $"{path}[{i}]", list);
                }

                break;
        }
    }
}

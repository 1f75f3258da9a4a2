using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Crypto.Json;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Tests;

public sealed class ProfileTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 2, 0, 0, TimeSpan.Zero); // 10:00 in China
    private static readonly SignOptions Options = new();

    [Fact]
    public void The_sample_passes_and_is_valid_to_the_end_of_its_day()
    {
        var content = Content(Bundle());
        Assert.Null(ServiceScope.Judge(content, Options, Now));
        Assert.Equal(new DateTimeOffset(2026, 11, 22, 0, 0, 0, TimeSpan.FromHours(8)), ServiceScope.ValidUntil(content, Options));
    }

    [Theory]
    [InlineData(1, 22)]
    [InlineData(2, 23)]
    [InlineData(3, 23)] // the region wants the service within two days
    public void The_shortest_of_doctor_region_and_nation_rules(int days, int endsOn)
    {
        var content = Content(Bundle(days));
        Assert.Null(ServiceScope.Judge(content, Options, Now));
        Assert.Equal(new DateTimeOffset(2026, 11, endsOn, 0, 0, 0, TimeSpan.FromHours(8)), ServiceScope.ValidUntil(content, Options));
    }

    [Fact]
    public void Four_days_are_too_long() => Assert.Equal("validity-too-long", ServiceScope.Judge(Content(Bundle(4)), Options, Now)!.Name);

    [Fact]
    public void Not_counting_the_day_of_issue_gives_one_day_more()
    {
        var options = Options with { CountIssueDay = false, RegionalWindowDays = 3 };
        Assert.Equal(new DateTimeOffset(2026, 11, 25, 0, 0, 0, TimeSpan.FromHours(8)), ServiceScope.ValidUntil(Content(Bundle(4)), options));
    }

    [Fact]
    public void The_day_ends_at_midnight_in_China_not_in_UTC()
    {
        var late = new DateTimeOffset(2026, 11, 21, 15, 59, 0, TimeSpan.Zero); // 23:59 in China
        var content = Content(Bundle(now: late));
        Assert.Null(ServiceScope.Judge(content, Options, late));
        Assert.Equal("expired", ServiceScope.Judge(content, Options, late.AddMinutes(1))!.Name);
    }

    public static TheoryData<string, Action<JsonObject>> Scope => new()
    {
        { "authored-on", b => Dated(b, "2026-11-20T10:00:00+08:00") },
        { "first-visit", b => b.Resource("Composition")["extension"]!.AsArray().RemoveAt(1) },
        { "controlled-medicine", b => b.Resource("MedicationRequest")["extension"]!.AsArray().Add(JsonNode.Parse("""{"url":"urn:trust:fhir:control-class","valueCode":"psychotropic-2"}""")) },
        { "controlled-medicine", b => Category(b, "narcotic") },
        { "child-under-six", b => b.Resource("Patient")["birthDate"] = "2021-01-01" },
        { "weight-missing", b => b.Resource("Patient")["birthDate"] = "2015-01-01" },
        { "birth-date", b => b.Resource("Patient")["birthDate"] = "2027-01-01" },
        { "quantity", b => b.Resource("MedicationRequest").Remove("extension") },
        { "quantity", b => Category(b, "emergency") },
        { "quantity", b => b.Resource("MedicationRequest")["dispenseRequest"]!["expectedSupplyDuration"]!["value"] = 85 },
    };

    [Theory]
    [MemberData(nameof(Scope))]
    public void What_may_not_be_prescribed_online_is_named(string rule, Action<JsonObject> change)
    {
        var bundle = Bundle();
        change(bundle);
        Assert.Equal(rule, ServiceScope.Judge(Content(bundle), Options, Now)!.Name);
    }

    public static TheoryData<string, Action<JsonObject>> Profile => new()
    {
        { "signature-inside", b => b["signature"] = new JsonObject() },
        { "not-allowed", b => b["type"] = "collection" },
        { "narrative", b => b.Resource("Patient")["text"] = new JsonObject { ["div"] = "<div/>" } },
        { "absolute-address", b => b.Resource("Patient")["photo"] = "https://evil.example/x" },
        { "decimal-not-text", b => b.Resource("MedicationRequest")["dispenseRequest"]!["quantity"] = JsonNode.Parse("""{"value":0.5}""") },
        { "hidden-character", b => b.Resource("Organization")["name"] = "医院\u202Eabc" },
        { "hidden-character", b => b.Resource("Organization")["name"] = "医\u200B院" },
        { "not-normalised", b => b.Resource("Organization")["name"] = "e\u0301" },
        { "not-normalised", b => b.Resource("Organization")["name"] = "\uF900" },
        { "null", b => b["language"] = null },
        { "reference", b => b.Resource("MedicationRequest")["subject"]!["reference"] = "urn:uuid:00000000-0000-0000-0000-000000000000" },
        { "diagnosis-code", b => b.Resource("Condition")["code"]!["coding"]![0]!["code"] = "hypertension" },
        { "coding", b => b.Resource("MedicationRequest")["medicationCodeableConcept"]!["coding"]!.AsArray().RemoveAt(1) },
        { "identifier", b => b.Resource("Patient")["identifier"]![0]!["value"] = "urn:mdid:pat:110105194912310021" },
        { "number", b => b["identifier"]!["value"] = "RX 1" },
        { "full-url-twice", b => b["entry"]![1]!["fullUrl"] = b["entry"]![0]!["fullUrl"]!.GetValue<string>() },
        { "composition-first", b => Swap(b) },
        { "resource-not-allowed", b => b["entry"]!.AsArray().Add(JsonNode.Parse("""{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000000","resource":{"resourceType":"Binary"}}""")) },
        { "cardinality", b => b["entry"]!.AsArray().RemoveAt(5) },
        { "quantity", b => b.Resource("MedicationRequest")["dispenseRequest"]!["extension"]![0]!["valueString"] = "-1" },
    };

    [Theory]
    [MemberData(nameof(Profile))]
    public void What_breaks_the_profile_is_named(string rule, Action<JsonObject> change)
    {
        var bundle = Bundle();
        change(bundle);
        Assert.Equal("profile-" + rule, bundle.RefusedBy());
    }

    // UAX #15: what normalisation form C leaves alone has one spelling, rare characters and the scripts of minorities among it.
    [Theory]
    [InlineData("山\ufa11", null)]
    [InlineData("\ufa0e\ufa1f", null)]
    [InlineData("买买提·艾力", null)]
    [InlineData("𠮷〇", null)]
    [InlineData("བཀྲ་ཤིས", null)]
    [InlineData("ᠮᠣᠩᠭᠣᠯ\u180b", null)]
    [InlineData("ئۇيغۇر", null)]
    [InlineData("ก\u0e34", null)]
    [InlineData("\u0387", "profile-not-normalised")]
    [InlineData("\u2329\u232a", "profile-not-normalised")]
    [InlineData("\u2001", "profile-not-normalised")]
    [InlineData("\u037e", "profile-not-normalised")]
    [InlineData("\u0958", "profile-not-normalised")]
    [InlineData("\u1f71", "profile-not-normalised")]
    [InlineData("\u2adc", "profile-not-normalised")]
    [InlineData("\u0995\u09c7\u09be", "profile-not-normalised")]
    [InlineData("\ud834\udd5e", "profile-not-normalised")]
    [InlineData("\ufb1d", "profile-not-normalised")]
    [InlineData("\u1100\u1161", "profile-not-normalised")]
    [InlineData("\ufa30", "profile-not-normalised")]
    [InlineData("医\u2028院", "profile-hidden-character")]
    [InlineData("医\u3164院", "profile-hidden-character")]
    [InlineData("医\ufe0f院", "profile-hidden-character")]
    [InlineData("医\udb40\udd00院", "profile-hidden-character")]
    [InlineData("医\ue000院", "profile-hidden-character")]
    public void Text_has_one_spelling_and_hides_nothing(string text, string? rule)
    {
        var bundle = Bundle();
        bundle.Resource("Organization")["name"] = text;
        Assert.Equal(rule, bundle.RefusedBy());
    }

    // FHIR R4 2.24.0.1: any fraction, and an offset with its colon. Both readers find the same instant.
    [Theory]
    [InlineData("2026-11-21T02:00:00Z", true)]
    [InlineData("2026-11-21T02:00:00.123Z", true)]
    [InlineData("2026-11-21T02:00:00.123456Z", true)]
    [InlineData("2026-11-21T10:00:00.1234567+08:00", true)]
    [InlineData("2026-11-21T10:00:00.1+08:00", true)]
    [InlineData("2026-11-20T21:00:00-05:00", true)]
    [InlineData("2026-11-21T10:00:00+0800", false)]
    [InlineData("2026-11-21T10:00:00+08", false)]
    [InlineData("2026-11-21T10:00:00", false)]
    [InlineData("2026-11-21T10:00:00.+08:00", false)]
    [InlineData("2026-11-21T10:00:00,5+08:00", false)]
    [InlineData("2026-11-21T10:00+08:00", false)]
    [InlineData("2026-11-21 10:00:00+08:00", false)]
    [InlineData("2026-11-21t10:00:00+08:00", false)]
    [InlineData("2026-11-21T24:00:00+08:00", false)]
    [InlineData("2026-11-21T23:59:60+08:00", false)]
    [InlineData("2026-02-30T10:00:00+08:00", false)]
    [InlineData("2026-11-21T10:00:00+15:00", false)]
    [InlineData(" 2026-11-21T10:00:00+08:00", false)]
    [InlineData("2026-11-21", false)]
    public void An_instant_is_what_FHIR_says(string instant, bool taken)
    {
        var bundle = Bundle();
        Dated(bundle, instant);
        bundle.Resource("MedicationRequest")["authoredOn"] = instant.Length > 10 ? instant : "2026-11-21T10:00:00+08:00";
        Assert.Equal(taken ? null : "profile-not-an-instant", bundle.RefusedBy());
        if (taken)
        {
            Assert.Null(SecondReader.Compare((ProfileOutcome.Holds)PrescriptionProfile.Read(JsonElement.Parse(bundle.ToJsonString()))));
        }
    }

    // A cause with its manifestation (dagger and asterisk), and the longer codes of the national editions.
    [Theory]
    [InlineData("I10", true)]
    [InlineData("I10.x00", true)]
    [InlineData("I10.x00x002", true)]
    [InlineData("E11.301+H36.0*", true)]
    [InlineData("H36.0*", true)]
    [InlineData("E11.3+", true)]
    [InlineData("A18.115+N74.1*", true)]
    [InlineData("E11.900x00100", true)]
    [InlineData("M80000/3", true)]
    [InlineData("U07.100", true)]
    [InlineData("E11.301+H36.0", false)]
    [InlineData("E11.301*H36.0+", false)]
    [InlineData("E11.301++H36.0*", false)]
    [InlineData("i10.x00", false)]
    [InlineData("I1", false)]
    [InlineData("I10.", false)]
    [InlineData("I10.x00\n", false)]
    [InlineData("E80000/3", false)]
    public void A_diagnosis_code_is_one_of_the_national_editions(string code, bool taken)
    {
        var bundle = Bundle();
        bundle.Resource("Condition")["code"]!["coding"]![0]!["code"] = code;
        Assert.Equal(taken ? null : code.Contains('\n', StringComparison.Ordinal) ? "profile-hidden-character" : "profile-diagnosis-code", bundle.RefusedBy());
    }

    [Fact]
    public void Ten_thousand_damaged_bundles_never_fault()
    {
        var seed = CanonicalJson.Encode(Bundle());
        var random = new Random(8785);
        for (var i = 0; i < 10_000; i++)
        {
            var bytes = seed.ToArray();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(32, 127);
            }

            if (StrictJson.TryParse(bytes, new JsonLimits(bytes.Length), out var element, out _)
                && PrescriptionProfile.Read(element) is ProfileOutcome.Holds read)
            {
                Assert.Equal(CanonicalJson.Encode(element), read.Payload);
                _ = ServiceScope.Judge(read.Content, Options, Now);
            }
        }
    }

    private static JsonObject Bundle(int days = 1, DateTimeOffset? now = null) => SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital, now ?? Now, validDays: days);

    private static PrescriptionContent Content(JsonObject bundle)
    {
        var outcome = PrescriptionProfile.Read(JsonElement.Parse(bundle.ToJsonString()));
        Assert.True(outcome is ProfileOutcome.Holds, (outcome as ProfileOutcome.Broken)?.Why.Detail("en"));
        return ((ProfileOutcome.Holds)outcome).Content;
    }

    private static void Category(JsonObject bundle, string code) => bundle.Resource("MedicationRequest")["category"]![0]!["coding"]![0]!["code"] = code;

    private static void Dated(JsonObject bundle, string instant)
    {
        bundle["timestamp"] = instant;
        bundle.Resource("Composition")["date"] = instant;
        bundle.Resource("MedicationRequest")["dispenseRequest"]!["validityPeriod"]!.AsObject().Remove("start");
    }

    private static void Swap(JsonObject bundle)
    {
        var entries = bundle["entry"]!.AsArray();
        var first = entries[0];
        entries.RemoveAt(0);
        entries.Add(first);
    }
}

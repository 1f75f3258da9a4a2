using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Tests;

/// <summary>A valid prescription for a follow-up patient with hypertension, and changes of it.</summary>
internal static class SamplePrescription
{
    public const string Patient = "urn:mdid:pat:01J9ZZZZZZZZZZZZZZZZZZZZP1";

    public static JsonObject Bundle(string author, string institution, DateTimeOffset? now = null, string? number = null, int validDays = 1)
    {
        var at = (now ?? DateTimeOffset.UtcNow).ToOffset(TimeSpan.FromHours(8));
        var until = ServiceScope.DayOf(at).AddDays(validDays - 1).ToString("yyyy-MM-dd");
        string[] ids = [.. Enumerable.Range(0, 8).Select(_ => "urn:uuid:" + Guid.NewGuid().ToString("D"))];
        var bundle = JsonNode.Parse($$$$"""
            {
              "resourceType": "Bundle", "type": "document",
              "identifier": {"system": "urn:trust:rx", "value": "{{{{number ?? "RX-" + Guid.NewGuid().ToString("N")[..12]}}}}"},
              "timestamp": "{{{{at:yyyy-MM-dd'T'HH:mm:sszzz}}}}",
              "entry": [
                {"fullUrl": "{{{{ids[0]}}}}", "resource": {
                  "resourceType": "Composition", "status": "final", "title": "电子处方", "date": "{{{{at:yyyy-MM-dd'T'HH:mm:sszzz}}}}",
                  "type": {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.1", "code": "57833-6"}]},
                  "subject": {"reference": "{{{{ids[1]}}}}"}, "author": [{"reference": "{{{{ids[3]}}}}"}], "custodian": {"reference": "{{{{ids[4]}}}}"},
                  "extension": [{"url": "urn:trust:fhir:visit", "valueCode": "follow-up"}, {"url": "urn:trust:fhir:prior-record", "valueString": "urn:uuid:0b0c4c8e-6f6e-4b39-9a9e-2d6a31c1f001"}]}},
                {"fullUrl": "{{{{ids[1]}}}}", "resource": {
                  "resourceType": "Patient", "identifier": [{"system": "urn:mdid:pat", "value": "{{{{Patient}}}}"}], "gender": "female", "birthDate": "1968-03-12"}},
                {"fullUrl": "{{{{ids[2]}}}}", "resource": {
                  "resourceType": "Practitioner", "name": [{"text": "陈晓明"}],
                  "identifier": [{"system": "urn:mdid:p", "value": "{{{{author}}}}"}, {"system": "urn:trust:licence", "value": "110510000012345"}]}},
                {"fullUrl": "{{{{ids[3]}}}}", "resource": {
                  "resourceType": "PractitionerRole", "practitioner": {"reference": "{{{{ids[2]}}}}"}, "organization": {"reference": "{{{{ids[4]}}}}"},
                  "specialty": [{"text": "心血管内科"}]}},
                {"fullUrl": "{{{{ids[4]}}}}", "resource": {
                  "resourceType": "Organization", "name": "示例市人民医院", "identifier": [{"system": "urn:mdid:o", "value": "{{{{institution}}}}"}]}},
                {"fullUrl": "{{{{ids[5]}}}}", "resource": {
                  "resourceType": "Condition", "subject": {"reference": "{{{{ids[1]}}}}"},
                  "code": {"text": "原发性高血压", "coding": [{"system": "urn:oid:2.16.840.1.113883.6.3", "code": "I10.x00"}]}}},
                {"fullUrl": "{{{{ids[6]}}}}", "resource": {
                  "resourceType": "MedicationRequest", "status": "active", "intent": "order",
                  "category": [{"coding": [{"system": "urn:trust:rx-category", "code": "chronic"}]}],
                  "medicationCodeableConcept": {"text": "苯磺酸氨氯地平片 5mg", "coding": [
                    {"system": "urn:trust:ypid", "code": "86900000000001"}, {"system": "urn:trust:nhsa", "code": "XC08CAA095A001010100001"}]},
                  "subject": {"reference": "{{{{ids[1]}}}}"}, "requester": {"reference": "{{{{ids[3]}}}}"},
                  "extension": [{"url": "urn:trust:fhir:long-term-reason", "valueString": "病情稳定的慢性病"}],
                  "dosageInstruction": [{"text": "口服，一次5mg，一日1次"}],
                  "dispenseRequest": {
                    "validityPeriod": {"start": "{{{{ServiceScope.DayOf(at):yyyy-MM-dd}}}}", "end": "{{{{until}}}}"},
                    "expectedSupplyDuration": {"value": 28, "unit": "d", "code": "d"},
                    "extension": [{"url": "urn:trust:fhir:quantity", "valueString": "28"}]}}}
              ]
            }
            """)!;
        return bundle.AsObject();
    }

    /// <summary>The resource of a type inside the bundle.</summary>
    public static JsonObject Resource(this JsonObject bundle, string type) =>
        bundle["entry"]!.AsArray().Select(e => e!["resource"]!.AsObject()).First(r => r["resourceType"]!.GetValue<string>() == type);

    /// <summary>The name of the profile's rule that refuses the bundle; null when none does.</summary>
    public static string? RefusedBy(this JsonObject bundle) =>
        (PrescriptionProfile.Read(JsonElement.Parse(bundle.ToJsonString())) as ProfileOutcome.Broken)?.Why.Name;
}

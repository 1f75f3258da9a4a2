using System.Buffers.Text;
using System.Net.Http.Json;
using System.Text.Json;
using Trust.CA.Certificates;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>
/// Steps that the tests of this folder share. Each of those tests shows what the service does today where a review says that it should do otherwise; its
/// comment says what is right. Whoever mends it turns the test.
/// </summary>
internal static class ClaimSteps
{
    /// <summary>An officer's wish for a practitioner's state.</summary>
    public static async Task<HttpResponseMessage> State(this CaFixture ca, int officer, string person, StateRequest wish)
    {
        using var client = ca.Officer(officer);
        return await client.Post($"/practitioners/{person}/state", wish, CaJson.Default.StateRequest);
    }

    /// <summary>The same, answered.</summary>
    public static async Task<StateResponse> Changed(this CaFixture ca, int officer, string person, string state, string? basis = "GZ-2026-1")
    {
        using var response = await ca.State(officer, person, new StateRequest(state, "order", basis));
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync(CaJson.Default.StateResponse))!;
    }

    /// <summary>Another officer's confirmation; the state now, or the rule that refused.</summary>
    public static async Task<string> Confirm(this CaFixture ca, int officer, string person, Guid id)
    {
        using var client = ca.Officer(officer);
        using var response = await client.PostBytes($"/practitioners/{person}/state/{id}/confirmations", [], "application/json");
        return response.IsSuccessStatusCode ? (await response.Content.ReadFromJsonAsync(CaJson.Default.StateResponse))!.State : await response.Problem();
    }

    /// <summary>An officer's wish for a certificate's state.</summary>
    public static async Task<HttpResponseMessage> Change(this CaFixture ca, int officer, string sha, string act, string reason)
    {
        using var client = ca.Officer(officer);
        return await client.Post($"/certificates/{sha}/{act}", new CertificateStateRequest(reason), CaJson.Default.CertificateStateRequest);
    }

    /// <summary>State of a certificate, as officers see it.</summary>
    public static async Task<string> StateOf(this CaFixture ca, string sha)
    {
        using var client = ca.Officer(0);
        using var json = JsonDocument.Parse(await client.GetStringAsync(new Uri($"/certificates/{sha}", UriKind.Relative)));
        return json.RootElement.GetProperty("state").GetString()!;
    }

    /// <summary>A new signature certificate's SHA-256.</summary>
    public static async Task<string> Certified(this CaFixture ca, string person, string institution, string name)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using (certificate)
        {
            return Certificate.Parse(certificate.RawData).Sha256Hex;
        }
    }

    /// <summary>The answer to an entitlement question.</summary>
    public static async Task<JsonElement> Entitlement(this CaFixture ca, string query)
    {
        using var peer = ca.Peer();
        var jws = (await peer.GetStringAsync(new Uri("/entitlements?" + query, UriKind.Relative))).Split('.');
        return JsonElement.Parse(Base64Url.DecodeFromChars(jws[1]));
    }

    /// <summary>Bodies of the events of an action about a subject, in order.</summary>
    public static Task<List<JsonElement>> Events(this CaFixture ca, string action, SubjectKey subject)
    {
        const string select = "SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = $1 AND strpos(convert_from(body, 'UTF8'), $2) > 0 ORDER BY ordinal";
        return ca.Database.Owner.Sql(select).With(action).With(Base64Url.EncodeToString(subject.Key)).All(r => JsonElement.Parse(r.GetString(0)), default);
    }

    /// <summary>An import of raw bytes; the answer's rows, or the problem's name alone.</summary>
    public static async Task<(string Problem, IReadOnlyList<ImportResult> Rows)> ImportBytes(this CaFixture ca, byte[] body, string contentType, string kind)
    {
        using var client = ca.Officer(0);
        using var response = await client.PostBytes("/registry/imports?kind=" + kind, body, contentType);
        return response.IsSuccessStatusCode ? ("", (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!.Results) : (await response.Problem(), []);
    }
}

using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Trust.CA.Enrolment;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;
using Trust.TestKit;

namespace Trust.CA.Tests;

/// <summary>Synthetic people and institutions, valid by every check and different at each call.</summary>
internal static class Samples
{
    private const string CreditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    private static int _count = 1000;

    public static string IdentityNumber(int sequence)
    {
        var body = string.Create(CultureInfo.InvariantCulture, $"510105{1950 + (sequence / 1000 % 50):D4}0101{sequence % 1000:D3}");
        int[] weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        return body + "10X98765432"[body.Select((c, i) => (c - '0') * weights[i]).Sum() % 11];
    }

    public static string CreditCode(int sequence)
    {
        var body = string.Create(CultureInfo.InvariantCulture, $"12510000{sequence:D9}");
        int[] weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
        var sum = body.Select((c, i) => CreditAlphabet.IndexOf(c, StringComparison.Ordinal) * weights[i]).Sum();
        return body + CreditAlphabet[(31 - (sum % 31)) % 31];
    }

    public static InstitutionRow Institution(string kind = "hospital")
    {
        var n = Interlocked.Increment(ref _count);
        return new InstitutionRow(CreditCode(n), $"成都第{n}医院", kind, "510100", EffectiveFrom: DateTimeOffset.UtcNow.AddDays(-1000));
    }

    public static PractitionerRow Practitioner(string role = "physician")
    {
        var n = Interlocked.Increment(ref _count);
        return new PractitionerRow(
            $"陈医生{n}", "resident-id", IdentityNumber(n), role, string.Create(CultureInfo.InvariantCulture, $"110510000{n:D6}"), "clinical", ["内科"], "510000",
            EffectiveFrom: DateTimeOffset.UtcNow.AddDays(-1000));
    }

    public static async Task<CertificateRequestBody> Request(string profile, string holder, string name, SoftwareKey key, string? institution = null)
    {
        var p10 = await CertificationRequest.Create(new X500DistinguishedName("CN=" + name), key.Spki, [], key.Signer, default);
        return Request(profile, holder, p10, institution);
    }

    public static CertificateRequestBody Request(string profile, string holder, byte[] p10, string? institution = null) => new(
        profile, holder, Convert.ToBase64String(p10),
        new IdentityProof("in-person", new string('a', 64), DateTimeOffset.UtcNow.AddHours(-1), "Registration office Chengdu"),
        new Carrier("TestKey 1.0", "0001"), institution is null ? null : InstitutionId.Parse(institution, null));

    /// <summary>Posts JSON with a fresh idempotency key.</summary>
    public static Task<HttpResponseMessage> Post<T>(this HttpClient client, string path, T body, JsonTypeInfo<T> type, string? key = null) =>
        client.PostBytes(path, JsonSerializer.SerializeToUtf8Bytes(body, type), "application/json", key);

    public static async Task<HttpResponseMessage> PostBytes(this HttpClient client, string path, byte[] body, string contentType, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        request.Headers.Add("Idempotency-Key", key ?? Guid.NewGuid().ToString("N"));
        return await client.SendAsync(request);
    }

    /// <summary>The name of the problem that an answer is.</summary>
    public static async Task<string> Problem(this HttpResponseMessage response)
    {
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return json.RootElement.TryGetProperty("title", out var title) ? title.GetString()! : json.RootElement.GetRawText();
    }
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.SignService.Signatures;
using Trust.TestKit;

namespace Trust.SignService.Tests;

public sealed class ValidationTests
{
    private static readonly byte[] Payload = "{\"a\":1}"u8.ToArray();

    [Fact]
    public async Task Changed_missing_reordered_and_swapped_signatures_are_named()
    {
        await using var rig = await SignRig.Start();
        var (one, two) = (await rig.Evidence(await rig.Released()), await rig.Evidence(await rig.Released()));
        Assert.Equal(("valid", ""), await Verdict(rig, one, _ => { }));
        Assert.Equal(("invalid", "signature-signature"), await Verdict(rig, one, r => r["payload"] = Flip(r["payload"]!.GetValue<string>())));
        Assert.Equal(("invalid", "signature-signature"), await Verdict(rig, one, r => Sig(r, 1)["payload"] = Flip(Sig(r, 1)["payload"]!.GetValue<string>())));
        Assert.Equal(("invalid", "out-of-order"), await Verdict(rig, one, r => r["signatures"]!.AsArray().RemoveAt(1)));
        Assert.Equal(("invalid", "out-of-order"), await Verdict(rig, one, r => r["signatures"]!.AsArray().RemoveAt(0)));
        Assert.Equal(("invalid", "not-about-these"), await Verdict(rig, one, r => r["signatures"]![1] = Other(two, 1)));
        Assert.Equal(("invalid", "not-about-these"), await Verdict(rig, one, r => r["signatures"]![2] = Other(two, 2)));
        Assert.Equal(("invalid", "time-stamp"), await Verdict(rig, one, r => Sig(r, 0)["timestamp"] = Sig(r, 1)["timestamp"]!.GetValue<string>()));
        Assert.Equal(("invalid", "payload"), await Verdict(rig, one, r => Sig(r, 0)["payload"] = r["payload"]!.GetValue<string>()));
        // A pharmacist's signature put where the doctor's belongs, over the same bytes, commits to something else.
        Assert.Equal(("invalid", "signature-signature"), await Verdict(rig, one, r => Sig(r, 0)["protected"] = Sig(r, 1)["protected"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_header_that_is_not_exactly_ours_is_refused()
    {
        var (certificate, key) = await Signer();
        var good = Jades.Protect([certificate], DateTimeOffset.UtcNow, "1.2.3", SignatureKind.Prescribe, "urn:uuid:x");
        Assert.IsType<JadesOutcome.Intact>(JadesVerification.Verify(good, Sign(key, good), Payload));
        Assert.Equal(JadesRefusal.Algorithm, Refusal(good, key, h => h["alg"] = "none"));
        Assert.Equal(JadesRefusal.Algorithm, Refusal(good, key, h => h["alg"] = "HS256"));
        Assert.Equal(JadesRefusal.Header, Refusal(good, key, h => h["jwk"] = new JsonObject()));
        Assert.Equal(JadesRefusal.Header, Refusal(good, key, h => h["kid"] = "x"));
        Assert.Equal(JadesRefusal.Header, Refusal(good, key, h => h["crit"] = new JsonArray("b64", "exp")));
        Assert.Equal(JadesRefusal.Header, Refusal(good, key, h => h["b64"] = true));
        Assert.Equal(JadesRefusal.Header, Refusal(good, key, h => h.Remove("sigT")));
        Assert.Equal(JadesRefusal.Header, Refusal(good, key, h => h["x5c"] = new JsonArray()));
        Assert.Equal(JadesRefusal.CertificateReference, Refusal(good, key, h => h["x5t#S256"] = Base64Url.EncodeToString(new byte[32])));
        Assert.Equal(JadesRefusal.Malformed, (JadesVerification.Verify(good, Sign(key, good) + "A", Payload) as JadesOutcome.Refused)?.Reason);
        var (other, _) = await Signer();
        var swapped = Jades.Protect([other], DateTimeOffset.UtcNow, "1.2.3", SignatureKind.Prescribe, "urn:uuid:x");
        Assert.Equal(JadesRefusal.Signature, (JadesVerification.Verify(swapped, Sign(key, swapped), Payload) as JadesOutcome.Refused)?.Reason);
    }

    [Fact]
    public async Task A_duplicate_header_member_is_refused_even_when_signed()
    {
        var (certificate, key) = await Signer();
        var json = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(Jades.Protect([certificate], DateTimeOffset.UtcNow, "1.2.3", SignatureKind.Prescribe, "urn:uuid:x")));
        var header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes("{\"alg\":\"none\"," + json[1..]));
        Assert.Equal(JadesRefusal.Malformed, (JadesVerification.Verify(header, Sign(key, header), Payload) as JadesOutcome.Refused)?.Reason);
    }

    [Fact]
    public async Task Ten_thousand_mutated_signatures_are_refused_without_a_fault()
    {
        var (certificate, key) = await Signer();
        var header = Jades.Protect([certificate], DateTimeOffset.UtcNow, "1.2.3", SignatureKind.Prescribe, "urn:uuid:x");
        var signature = Sign(key, header);
        var random = new Random(7515);
        for (var i = 0; i < 10_000; i++)
        {
            var chars = header.ToCharArray();
            chars[random.Next(chars.Length)] = (char)random.Next(33, 127);
            var mutant = new string(chars);
            if (!string.Equals(mutant, header, StringComparison.Ordinal))
            {
                Assert.IsType<JadesOutcome.Refused>(JadesVerification.Verify(mutant, signature, Payload));
            }
        }
    }

    private static async Task<(string Verdict, string First)> Verdict(SignRig rig, JsonElement evidence, Action<JsonObject> change)
    {
        var request = JsonNode.Parse(evidence.GetRawText())!.AsObject();
        request.Remove("prescription");
        change(request);
        var answer = await SignRig.Read(await rig.Post("/validations", rig.PharmacyToken(), raw: request.ToJsonString()), 200);
        return (answer.GetProperty("verdict").GetString()!, answer.GetProperty("reasons").EnumerateArray().Select(r => r.GetProperty("code").GetString()).FirstOrDefault() ?? "");
    }

    private static JsonObject Sig(JsonObject request, int index) => request["signatures"]![index]!.AsObject();

    private static JsonNode Other(JsonElement evidence, int index) => JsonNode.Parse(evidence.GetProperty("signatures")[index].GetRawText())!;

    private static string Flip(string base64)
    {
        var bytes = Convert.FromBase64String(base64);
        bytes[bytes.Length / 2] ^= 1;
        return Convert.ToBase64String(bytes);
    }

    private static JadesRefusal? Refusal(string header, SoftwareKey key, Action<JsonObject> change)
    {
        var json = JsonNode.Parse(Base64Url.DecodeFromChars(header))!.AsObject();
        change(json);
        var changed = Base64Url.EncodeToString(CanonicalJson.Encode(json));
        return (JadesVerification.Verify(changed, Sign(key, changed), Payload) as JadesOutcome.Refused)?.Reason;
    }

    private static string Sign(SoftwareKey key, string header) => Base64Url.EncodeToString(key.Sign(SHA256.HashData(Jades.SigningInput(header, Payload))));

    private static async Task<(Certificate Certificate, SoftwareKey Key)> Signer()
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, DateTimeOffset.UtcNow);
        var key = SoftwareKey.New(PublicKeyKind.P256);
        return (await root.IssueLeaf("signer", key.Spki, DateTimeOffset.UtcNow, KeyUsages.NonRepudiation), key);
    }
}

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.CA.Tests.Claims;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.CA.Tests.Ceremony;

public sealed class CeremonyTests(CaFixture ca)
{
    [Fact]
    public async Task Its_transcript_is_the_first_event_of_all()
    {
        const string first = "SELECT convert_from(body, 'UTF8') FROM audit_outbox ORDER BY ordinal LIMIT 1";
        var body = JsonElement.Parse((await ca.Database.Owner.Sql(first).Scalar<string>(default))!);
        var transcript = await File.ReadAllBytesAsync(Path.Combine(ca.Public, "ceremony-transcript.json"));

        Assert.Equal("KEY.generate", body.GetProperty("action").GetString());
        Assert.Equal($"ceremony:sha256:{Convert.ToHexStringLower(SHA256.HashData(transcript))}", body.GetProperty("basis").GetString());
    }

    [Fact]
    public async Task Openssl_accepts_the_chain_and_each_SM2_hop()
    {
        var root = Path.Combine(ca.Public, "root.pem");
        foreach (var name in new[] { "practitioner-issuing", "institution-issuing", "service-issuing" })
        {
            Assert.Contains("OK", await Command.Run("openssl", ["verify", "-x509_strict", "-CAfile", root, Path.Combine(ca.Public, name + ".pem")], default), StringComparison.Ordinal);
        }

        var sm2 = await Command.Run(
            "openssl",
            [
                "verify", "-partial_chain", "-vfyopt", "distid:1234567812345678", "-trusted", Path.Combine(ca.Public, "root-sm2.pem"),
                Path.Combine(ca.Public, "practitioner-issuing-sm2.pem"),
            ],
            default);
        Assert.Contains("OK", sm2, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_trusted_list_names_roots_issuers_and_batch_keys()
    {
        var list = JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(ca.Public, "trusted-list.json")));

        Assert.Equal(2, list.GetProperty("roots").GetArrayLength());
        Assert.Equal(4, list.GetProperty("issuers").GetArrayLength());
        Assert.All(list.GetProperty("roots").EnumerateArray(), r => Assert.True(Certificate.Parse(r.GetBytesFromBase64()).IsSelfIssued));
        var source = list.GetProperty("sources")[0];
        Assert.Equal("ca", source.GetProperty("name").GetString());
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(ca.Public, "ca-batch.spki")), source.GetProperty("batchKey").GetBytesFromBase64());
    }

    [Fact]
    public async Task The_same_file_again_makes_nothing_new_and_another_file_is_refused()
    {
        await using var own = await CaFixture.Own();
        var before = Snapshot(own);
        const string count = "SELECT (SELECT count(*) FROM certificates WHERE profile <> 'ocsp') * 1000 + (SELECT count(*) FROM officers)";
        var rows = await own.Database.Owner.Sql(count).Scalar<long>(default);

        Assert.Equal(0, await own.Ceremony());

        Assert.Equal(before, Snapshot(own));
        Assert.Equal(rows, await own.Database.Owner.Sql(count).Scalar<long>(default));
        var other = Path.Combine(own.Directory, "other.json");
        await File.WriteAllTextAsync(other, await File.ReadAllTextAsync(own.CeremonyFile) + "\n");
        Assert.Equal(3, await own.Ceremony(other));
    }

    [Fact]
    public async Task A_closed_ceremony_enrols_no_further_key()
    {
        await using var own = await CaFixture.Own();
        await using var stranger = await OfficerCard.Make(own.Officers[0].Name, own.Directory);
        File.Copy(stranger.Path("signature.p10"), own.Officers[0].Path("signature.p10"), overwrite: true);

        Assert.Equal(3, await own.Ceremony());
    }

    // Nothing else has the root's token refused: it is no place that the service works with.
    [Fact]
    public async Task A_root_token_that_is_declared_outside_makes_no_key()
    {
        await using var own = await CaFixture.Own();
        const string reopen = "DELETE FROM ceremony";
        await own.Database.Owner.Sql(reopen).Execute(default);
        Assert.Equal(0, await own.Ceremony());
        await own.Database.Owner.Sql(reopen).Execute(default);
        var root = JsonNode.Parse(await File.ReadAllTextAsync(own.Config))!["Ca"]!["RootTokenLabel"]!.GetValue<string>();
        TestDeclaration.Write(own.Config, Program.Service, d => d with { Version = 2, Places = [.. d.Places.Select(p => p.Kind is PlaceKind.Token && p.Address == root ? p with { Region = "820000" } : p)] });
        Assert.Equal(3, await own.Ceremony());
        TestDeclaration.Write(own.Config, Program.Service, d => d with { Version = 3 });
        Assert.Equal(0, await own.Ceremony());
    }

    [Theory]
    [InlineData("two-officers")]
    [InlineData("one-person-twice")]
    [InlineData("wrong-checksum")]
    [InlineData("unknown-member")]
    [InlineData("missing-request")]
    [InlineData("foreign-name")]
    public async Task A_file_that_breaks_a_rule_stops_the_ceremony(string fault)
    {
        await using var own = await CaFixture.Own();
        const string reopen = "DELETE FROM ceremony";
        await own.Database.Owner.Sql(reopen).Execute(default);
        var file = JsonNode.Parse(await File.ReadAllTextAsync(own.CeremonyFile))!.AsObject();
        var officers = file["officers"]!.AsArray();
        switch (fault)
        {
            case "two-officers": officers.RemoveAt(2); break;
            case "one-person-twice": officers[2]!["identityNumber"] = officers[1]!["identityNumber"]!.GetValue<string>(); break;
            case "wrong-checksum": officers[2]!["identityNumber"] = "110105194912310021"; break;
            case "unknown-member": file["extra"] = 1; break;
            case "missing-request": officers[2]!["signatureRequest"] = "nowhere.p10"; break;
            default:
                officers[0]!["name"] = "别人";
                officers[0]!["identityNumber"] = Samples.IdentityNumber(950);
                break;
        }

        var path = Path.Combine(own.Directory, "faulty.json");
        await File.WriteAllTextAsync(path, file.ToJsonString());

        Assert.Equal(3, await own.Ceremony(path));
    }

    [Fact]
    public async Task A_service_renews_its_own_name_with_a_new_key_only()
    {
        using var peer = ca.Peer();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        using var renewed = await peer.PostBytes("/service-certificates", Request(key, "idp.trust.internal"), "application/pkcs10");
        using var foreign = await peer.PostBytes("/service-certificates", Request(key, "sign.trust.internal"), "application/pkcs10");
        using var wider = await peer.PostBytes("/service-certificates", Request(key, "idp.trust.internal", "evil.example"), "application/pkcs10");
        using var garbage = await peer.PostBytes("/service-certificates", [1, 2, 3], "application/pkcs10");

        Assert.True(renewed.IsSuccessStatusCode, await renewed.Content.ReadAsStringAsync());
        var chain = Certificate.ParsePem(await renewed.Content.ReadAsStringAsync());
        Assert.Equal(2, chain.Count);
        Assert.True(chain[0].IsSignedBy(chain[1].SubjectPublicKeyInfo));
        Assert.True(chain[0].NotAfter - chain[0].NotBefore <= TimeSpan.FromDays(7));
        Assert.Equal("name-not-yours", await foreign.Problem());
        Assert.Equal("name-not-yours", await wider.Problem());
        Assert.Equal("malformed-request", await garbage.Problem());
    }

    [Theory]
    [InlineData("revoke", "keyCompromise")]
    [InlineData("hold", "certificateHold")]
    public async Task A_service_certificate_that_is_revoked_or_on_hold_renews_nothing(string change, string reason)
    {
        await using var own = await CaFixture.Own();
        var current = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(own.Directory, "idp", "tls", "certificate.pem")))[0];
        using var peer = own.Peer();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var before = await peer.PostBytes("/service-certificates", Request(key, "idp.trust.internal"), "application/pkcs10");
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);

        using var changed = await own.Change(0, current.Sha256Hex, change, reason);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        using var after = await peer.PostBytes("/service-certificates", Request(key, "idp.trust.internal"), "application/pkcs10");
        Assert.Equal((HttpStatusCode.Forbidden, "revoked-renews-nothing"), (after.StatusCode, await after.Problem()));
    }

    private static byte[] Request(ECDsa key, params string[] names)
    {
        var san = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            san.AddDnsName(name);
        }

        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(san.Build());
        return request.CreateSigningRequest();
    }

    private static string Snapshot(CaFixture own) => string.Join('\n', Directory.EnumerateFiles(own.Public)
        .Concat(own.Officers.SelectMany(o => new[] { o.Path("authentication.pem"), o.Path("signature.pem") }))
        .Append(Path.Combine(own.Directory, "idp", "tls", "certificate.pem"))
        .Order(StringComparer.Ordinal)
        .Select(f => f + " " + Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f)))));
}

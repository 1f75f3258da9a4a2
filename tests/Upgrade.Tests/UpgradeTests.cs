using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Cli.Verify;
using Trust.Crypto.Asn1;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.Upgrade.Tests;

/// <summary>What an installation of an earlier commit holds stays true under the code of this one: it starts, goes on, and proves its past.</summary>
public sealed class UpgradeTests(RestoredInstallation restored) : IClassFixture<RestoredInstallation>
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly Installation _installation = restored.Installation;

    [Theory]
    [InlineData("idp")]
    [InlineData("ca")]
    [InlineData("sign")]
    [InlineData("ledger")]
    [InlineData("witness")]
    public async Task Every_service_is_ready_on_the_old_data(string service)
    {
        using var http = Connections.Client(_installation.RootFile);
        using var answer = await http.GetAsync(_installation.BaseUrl(service) + "/health/ready");
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public void The_registry_still_knows_everyone_by_the_old_names()
    {
        Assert.Equal(restored.Facts.Institutions, restored.World.Institutions);
        Assert.Equal(restored.Facts.Practitioners, restored.World.Practitioners);
    }

    [Fact]
    public async Task The_old_evidence_file_verifies_against_the_old_trusted_list()
    {
        var (code, text) = Verdict(restored.Kept.Evidence);
        Assert.Equal(VerifyCommand.Verified, code);
        Assert.Contains("RX.dispense", text, StringComparison.Ordinal);
        Assert.StartsWith("VERIFIED", await SecondVerifier.Judge(restored.Kept.Evidence, restored.Kept.TrustedList, None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_changed_byte_of_the_old_evidence_file_is_refused_and_named()
    {
        var evidence = await File.ReadAllBytesAsync(restored.Kept.Evidence);
        var at = evidence.AsSpan().IndexOf("\"leaf\":\""u8) + 600;
        at += evidence.AsSpan(at).IndexOfAnyInRange((byte)'A', (byte)'Z');
        evidence[at] = evidence[at] == (byte)'A' ? (byte)'B' : (byte)'A';
        var file = Path.Combine(Scratch.Directory("evidence"), "changed.json");
        await File.WriteAllBytesAsync(file, evidence);
        var (code, text) = Verdict(file);
        Assert.Equal(VerifyCommand.Refused, code);
        Assert.Contains("event #", text, StringComparison.Ordinal);
        Assert.StartsWith("REFUSED", await SecondVerifier.Judge(file, restored.Kept.TrustedList, None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_recomputed_from_its_stored_bytes_has_no_fault()
    {
        var (file, environment) = _installation.LedgerConfiguration();
        var (code, output, error) = await Command.Try(
            "dotnet", [ServiceProcess.Assembly(Cli.Program.RepositoryRoot(), "ledger"), "fsck", "--config", file], None, environment: environment);
        Assert.True(code == 0, output + error);
        var entries = long.Parse(output.Split(" entries, 0 faults", 2)[0].Split('\n')[^1], System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(entries >= (await OldCheckpoint()).Size, output);
    }

    [Fact]
    public async Task A_fresh_answer_about_the_old_prescription_verifies_and_holds_every_old_event()
    {
        var old = JsonNode.Parse(await File.ReadAllTextAsync(restored.Kept.Evidence))!;
        using var http = Connections.Client(_installation.RootFile);
        var regulator = new Api(http, _installation.Addresses.Ledger, await restored.World.Client("regulator-sichuan").OwnToken("audit.read", _installation.Addresses.Ledger, None));
        var bytes = await regulator.Bytes("/evidence/prescription/" + restored.Facts.Dispensed, None);
        var file = Path.Combine(Scratch.Directory("evidence"), "fresh.json");
        await File.WriteAllBytesAsync(file, bytes);
        Assert.Equal(VerifyCommand.Verified, Verdict(file).Code);
        var fresh = JsonNode.Parse(bytes)!;
        Assert.NotEmpty(Leaves(old));
        Assert.Equal(Leaves(old), Leaves(fresh).Take(Leaves(old).Count));
        Assert.Equal(3, old["attachments"]!["signatures"]!.AsArray().Count);
        Assert.True(JsonNode.DeepEquals(old["attachments"], fresh["attachments"]), "the signing service hands out other bytes than before");
    }

    [Fact]
    public async Task The_published_checkpoint_extends_the_old_one()
    {
        var old = await OldCheckpoint();
        using var http = Connections.Client(_installation.RootFile);
        var ledger = new Api(http, _installation.Addresses.Ledger);
        var now = Parse(Encoding.UTF8.GetString(await ledger.Bytes("/checkpoint", None)));
        Assert.Equal(old.Origin, now.Origin);
        Assert.True(now.Size > old.Size, $"{now.Size} is not more than {old.Size}");
        var proof = (await ledger.Get($"/proofs/consistency?from={old.Size}&to={now.Size}", None))["hashes"]!.AsArray().Select(h => Convert.FromBase64String(h!.GetValue<string>())).ToList();
        Assert.True(MerkleProof.VerifyConsistency(old.Size, old.Root, now.Size, now.Root, proof), "another history");
    }

    [Fact]
    public async Task A_certificate_revoked_before_is_revoked_still()
    {
        var folder = Path.Combine(_installation.CardDirectory, "card-zhang");
        var issuer = Path.Combine(_installation.PublicDirectory, "practitioner-issuing.pem");
        var signature = Path.Combine(folder, "signature.pem");
        Assert.Contains("revoked", await Openssl.Ocsp(_installation.RootFile, issuer, signature, _installation.Addresses.Public + "/ocsp", None), StringComparison.Ordinal);
        using var http = Connections.Client(null);
        var list = Path.Combine(Scratch.Directory("crl"), "practitioner-issuing.crl");
        await File.WriteAllBytesAsync(list, await new Api(http, _installation.Addresses.Public).Bytes("/crl/practitioner-issuing.crl", None));
        var text = await Openssl.Crl(issuer, _installation.RootFile, list, None);
        var serial = Convert.ToHexString(Certificate.ParsePem(await File.ReadAllTextAsync(signature))[0].SerialNumber.Span);
        Assert.Contains(serial, text, StringComparison.Ordinal);
        // And one that was not is good.
        var other = Path.Combine(_installation.CardDirectory, "card-wang", "signature.pem");
        Assert.Contains(": good", await Openssl.Ocsp(_installation.RootFile, issuer, other, _installation.Addresses.Public + "/ocsp", None), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pharmacy-jincheng", true)]
    [InlineData("his-shuan", false)]
    public async Task An_old_prescription_is_read_with_the_same_bytes(string client, bool dispensed)
    {
        var (id, before) = dispensed ? (restored.Facts.Dispensed, restored.Facts.DispensedAsRead) : (restored.Facts.Signed, restored.Facts.SignedAsRead);
        using var http = Connections.Client(_installation.RootFile);
        var api = new Api(http, _installation.Addresses.Sign, await restored.World.Client(client).OwnToken("rx.read", _installation.Addresses.Sign, None));
        var now = await api.Get("/prescriptions/" + id, None);
        Assert.Equal(dispensed ? 3 : 1, now["signatures"]!.AsArray().Count);
        foreach (var member in new[] { "id", "number", "payload", "signatures", "validUntil" })
        {
            Assert.Equal(JsonNode.Parse(before)![member]!.ToJsonString(), now[member]!.ToJsonString());
        }

        Assert.Equal(dispensed ? "dispensed" : "signed", now["status"]!.GetValue<string>());
    }

    [Fact]
    public async Task The_old_card_of_a_pharmacist_logs_in()
    {
        var card = await restored.World.Enrol(1, None);
        var login = await restored.World.Client("his-shuan").Login(
            await card.ForTls(Card.AuthenticationKey, None), "https://127.0.0.10:9443/callback", "openid profile rx.review", restored.Facts.Institutions[0], _installation.Addresses.Sign, None);
        var granted = Assert.IsType<LoginResult.Granted>(login);
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(granted.AccessToken.Split('.')[1]))!;
        Assert.Equal(restored.Facts.Practitioners[1], claims["sub"]!.GetValue<string>());
        Assert.Equal("pharmacist", claims["role"]!.GetValue<string>());
    }

    [Fact]
    public async Task The_card_revoked_before_does_not_log_in()
    {
        var card = await restored.World.Enrol(0, None);
        var login = await restored.World.Client("his-shuan").Login(
            await card.ForTls(Card.AuthenticationKey, None), "https://127.0.0.10:9443/callback", "openid", restored.Facts.Institutions[0], _installation.Addresses.Sign, None);
        Assert.Equal("key-lost", Assert.IsType<LoginResult.Refused>(login).Rule);
    }

    [Fact]
    public async Task The_old_seal_key_seals_a_new_document()
    {
        var client = await MakeInstallation.Archive(
            restored.World, "archive-hospital", "hospital-system", "seal", _installation.Addresses.Sign, restored.Facts.Institutions[0], None);
        using var http = Connections.Client(_installation.RootFile);
        var sign = new Api(http, _installation.Addresses.Sign, await client.OwnToken("seal", _installation.Addresses.Sign, None));
        var document = "a new document"u8.ToArray();
        var seal = await sign.Post($"/seals/{restored.Facts.Institutions[0]}/signatures", new JsonObject { ["payload"] = Convert.ToBase64String(document) }, None);
        var header = seal["protected"]!.GetValue<string>();
        using var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(JsonNode.Parse(Base64Url.DecodeFromChars(header))!["x5c"]![0]!.GetValue<string>()));
        Assert.Equal(restored.Facts.SealCertificate, Convert.ToHexStringLower(SHA256.HashData(certificate.RawData)));
        using var key = certificate.GetECDsaPublicKey()!;
        byte[] input = [.. Encoding.ASCII.GetBytes(header + "."), .. document];
        Assert.True(key.VerifyData(input, Base64Url.DecodeFromChars(seal["signature"]!.GetValue<string>()), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
    }

    [Fact]
    public async Task The_practitioner_suspended_before_is_suspended_still()
    {
        var card = await restored.World.Enrol(2, None);
        var login = await restored.World.Client("pharmacy-jincheng").Login(
            await card.ForTls(Card.AuthenticationKey, None), "https://127.0.0.11:9443/callback", "openid", restored.Facts.Institutions[2], _installation.Addresses.Sign, None);
        Assert.IsType<LoginResult.Refused>(login);
    }

    [Fact]
    public async Task An_event_that_waited_when_everything_was_stopped_reaches_the_log()
    {
        using var http = Connections.Client(_installation.RootFile);
        var regulator = new Api(http, _installation.Addresses.Ledger, await restored.World.Client("regulator-sichuan").OwnToken("audit.read", _installation.Addresses.Ledger, None));
        var file = Path.Combine(Scratch.Directory("evidence"), "practitioner.json");
        await Eventually.Holds(async () =>
        {
            await File.WriteAllBytesAsync(file, await regulator.Bytes("/evidence/practitioner/" + restored.Facts.Practitioners[2], None));
            return Verdict(file).Text.Contains("ID.suspend", StringComparison.Ordinal);
        }, "the suspension is in the log");
        Assert.Equal(VerifyCommand.Verified, Verdict(file).Code);
    }

    private (int Code, string Text) Verdict(string file)
    {
        using var output = new StringWriter();
        var code = VerifyCommand.Run(file, restored.Kept.TrustedList, "en", output);
        return (code, output.ToString());
    }

    private async Task<Checkpoint> OldCheckpoint() => Parse(await File.ReadAllTextAsync(restored.Kept.Checkpoint));

    private static Checkpoint Parse(string note) =>
        Checkpoint.TryParse(note[..(note.IndexOf("\n\n", StringComparison.Ordinal) + 1)]) ?? throw new InvalidDataException("This is no checkpoint: " + note);

    private static List<string> Leaves(JsonNode evidence) => [.. evidence["events"]!.AsArray().Select(e => e!["leaf"]!.GetValue<string>())];
}

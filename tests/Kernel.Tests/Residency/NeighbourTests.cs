using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Residency;
using Trust.Kernel.Tests.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

/// <summary>Other regions' installations: where their records are asked for, and how their services are known.</summary>
public sealed class NeighbourTests
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static Neighbour Chongqing(DateTimeOffset? expires = null) => new(
        "500000", new Dictionary<string, string>(StringComparer.Ordinal) { ["test"] = "https://10.50.0.4:7003" }, "test", new string('0', 64), expires ?? Now.AddYears(1));

    private static Declaration Declared(params Neighbour?[] neighbours) => TestDeclaration.Of(1) with { Neighbours = neighbours! };

    private static Neighbour Valid => Chongqing() with { Services = Services("https://10.50.0.4:7003") };

    private static Dictionary<string, string> Services(string sign) => new(StringComparer.Ordinal) { ["sign"] = sign, ["ledger"] = "https://10.50.0.5:7004" };

    [Fact]
    public async Task A_record_of_another_region_is_refused_with_the_address_of_its_keeper_before_it_is_looked_for()
    {
        var looked = 0;
        RouteTable Routes() => new RouteTable().Get("/records/{id:guid}", Who.Anyone, Limit.None, (Guid id) => TypedResults.Text((++looked).ToString(System.Globalization.CultureInfo.InvariantCulture)), "A record.");
        await using var service = await TestService.Start(new TestService.Wish
        {
            Routes = Routes,
            Declare = d => d with { Neighbours = [Valid with { Region = "500000" }, Valid with { Region = "530000", Expires = Now.AddSeconds(-1) }] },
        });
        using var client = service.Client();
        using var elsewhere = await client.GetAsync($"/records/{RecordId.New(Now, "500000")}");
        Assert.Equal(HttpStatusCode.MisdirectedRequest, elsewhere.StatusCode);
        var problem = JsonNode.Parse(await elsewhere.Content.ReadAsStringAsync())!;
        Assert.Equal(("kept-elsewhere", "500000"), (problem["title"]!.GetValue<string>(), problem["region"]!.GetValue<string>()));
        // A part of the neighbour's region is its own; what no valid declaration names, and what says nothing, is looked for here.
        Assert.Equal(HttpStatusCode.MisdirectedRequest, (await client.GetAsync($"/records/{RecordId.New(Now, "500112")}")).StatusCode);
        Assert.Equal(0, looked);
        foreach (var here in new[] { RecordId.New(Now, "510000"), RecordId.New(Now, "511800"), RecordId.New(Now, "530000"), RecordId.New(Now, "310000"), Guid.CreateVersion7() })
        {
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"/records/{here}")).StatusCode);
        }

        Assert.Equal(5, looked);
    }

    [Fact]
    public void The_nearest_region_that_is_named_keeps_a_record_also_within_our_own()
    {
        var gate = TestDeclaration.Gate(Declared(
            Valid with { Region = "510100" }, Valid with { Region = "500000" }, Valid with { Region = "500112" }, Valid with { Region = "530000", Expires = Now.AddSeconds(-1) }));
        Assert.Equal("510100", gate.KeeperElsewhere(RecordId.New(Now, "510104"))?.Region);
        Assert.Equal("510100", gate.KeeperElsewhere(RecordId.New(Now, "510100"))?.Region);
        Assert.Equal("500112", gate.KeeperElsewhere(RecordId.New(Now, "500112"))?.Region);
        Assert.Equal("500000", gate.KeeperElsewhere(RecordId.New(Now, "500103"))?.Region);
        Assert.All(["510000", "511800", "530000", "530100", "999999"], (string here) => Assert.Null(gate.KeeperElsewhere(RecordId.New(Now, here))));
    }

    [Fact]
    public void A_neighbour_is_another_region_at_addresses_of_its_services_said_by_someone()
    {
        Assert.Equal("", Fault(Declared(Valid)));
        Assert.Contains("needs the code of another region", Fault(Declared(Chongqing())), StringComparison.Ordinal);
        Assert.Contains("needs the code of another region", Fault(Declared(Valid with { Region = "510000" })), StringComparison.Ordinal);
        Assert.Contains("needs the code of another region", Fault(Declared(Valid with { Attester = "" })), StringComparison.Ordinal);
        Assert.Contains("of sign and ledger", Fault(Declared(Valid with { Services = new Dictionary<string, string>(StringComparer.Ordinal) { ["sign"] = "https://10.50.0.4" } })), StringComparison.Ordinal);
        foreach (var address in new[] { "http://10.50.0.4", "10.50.0.4", "https://u:p@10.50.0.4", "https://10.50.0.4/?q=1", "https://10.50.0.4/#x" })
        {
            Assert.Contains("needs the code of another region", Fault(Declared(Valid with { Services = Services(address) })), StringComparison.Ordinal);
        }

        Assert.Contains("declared twice", Fault(Declared(Valid, Valid)), StringComparison.Ordinal);
        Assert.Contains("is not listed", Fault(Declared(Valid with { Region = "999999" })), StringComparison.Ordinal);

        static string Fault(Declaration declaration)
        {
            _ = ResidencyTerms.TryRead(ResidencyTerms.Encode(declaration), Now, out var fault);
            return fault;
        }
    }

    [Fact]
    public void A_service_of_another_installation_is_the_peer_that_configuration_names_and_no_other()
    {
        var folder = Scratch.Directory("issuers");
        using var ours = new Issuer();
        using var theirs = new Issuer();
        using var strangers = new Issuer();
        File.WriteAllText(Path.Combine(folder, "service-issuing.pem"), ours.Certificate.ExportCertificatePem());
        var options = new ServiceOptions { Region = "510000", Node = "n", PublicDirectory = folder, DataDirectory = folder };
        var peer = new PeerOptions { Name = "ca-500000", Address = new Uri("https://10.50.0.3"), Region = "500000", IssuerFile = "theirs.pem", Service = "ca" };
        using var identity = new ServiceIdentity("ca", options, TimeProvider.System, [peer]);

        using var theirCa = theirs.Issue("ca");
        Assert.Null(identity.PeerName(theirCa));
        File.WriteAllText(Path.Combine(folder, "theirs.pem"), theirs.Certificate.ExportCertificatePem());
        Assert.Equal("ca-500000", identity.PeerName(theirCa));
        Assert.True(identity.IsPeer(theirCa, "ca-500000"));
        Assert.False(identity.IsPeer(theirCa, "ca"));

        using var theirIdp = theirs.Issue("idp");
        using var ourCa = ours.Issue("ca");
        using var posing = ours.Issue("ca-500000");
        using var stranger = strangers.Issue("ca");
        Assert.Equal("ca", identity.PeerName(ourCa));
        Assert.All(new[] { theirIdp, posing, stranger }, other => Assert.Null(identity.PeerName(other)));
    }

    private sealed class Issuer : IDisposable
    {
        private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        public Issuer()
        {
            var request = new CertificateRequest("CN=Service issuing", _key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
            Certificate = request.CreateSelfSigned(Now.AddMinutes(-5), Now.AddDays(2));
        }

        public X509Certificate2 Certificate { get; }

        public X509Certificate2 Issue(string service)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=" + service, key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(ServiceIdentity.TlsName(service));
            request.CertificateExtensions.Add(names.Build());
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
            return request.Create(Certificate, Now.AddMinutes(-5), Now.AddHours(1), RandomNumberGenerator.GetBytes(8));
        }

        public void Dispose()
        {
            _key.Dispose();
            Certificate.Dispose();
        }
    }
}

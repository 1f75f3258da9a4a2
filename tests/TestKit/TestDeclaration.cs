using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.TestKit;

/// <summary>
/// Residency declarations for services under test, signed as real ones are: by two officers of an authority of the tests' own, and by the key that stands for ca's.
/// </summary>
public static class TestDeclaration
{
    private static readonly Lazy<Signers> Made = new(() => Signers.Make().GetAwaiter().GetResult());

    /// <summary>Declares what a configuration file uses, beside it, and has the file name the folder.</summary>
    /// <param name="file">The configuration; its claims of regions are declared as they are.</param>
    /// <param name="service">The service.</param>
    /// <param name="change">Changes the document before it is signed.</param>
    /// <returns>The folder.</returns>
    public static string Write(string file, ServiceDefinition service, Func<Declaration, Declaration>? change = null)
    {
        var folder = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, Path.GetFileNameWithoutExtension(file) + "-residency");
        Directory.CreateDirectory(folder);
        var json = JsonNode.Parse(File.ReadAllText(file))!;
        json["Service"]!["ResidencyDirectory"] = folder;
        File.WriteAllText(file, json.ToJsonString());
        var configuration = new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(file)).Build();
        var region = json["Service"]!["Region"]!.GetValue<string>();
        var places = UsedPlace.Of(configuration, service).DistinctBy(p => (p.Kind, p.Address)).Select((p, i) => ResidencyGate.Draft(p, i, region, TimeProvider.System.GetUtcNow().AddYears(1)));
        var declaration = Of(1, [.. places]) with { Region = region };
        Write(folder, change is null ? declaration : change(declaration));
        return folder;
    }

    /// <summary>A declaration of places, with the standard rules and loopback as the network of callers in Sichuan.</summary>
    public static Declaration Of(int version, params IReadOnlyList<Place> places) => new(
        1, version, "510000", TimeProvider.System.GetUtcNow().AddMinutes(-1), ResidencyTerms.StandardRules(), places, [Network("127.0.0.0/8", "510000"), Network("::1/128", "510000")], []);

    /// <summary>A gate for peers that are declared as they are configured.</summary>
    public static ResidencyGate Gate(TimeProvider? clock = null, params IReadOnlyList<PeerOptions> peers) => Gate(
        Of(1, [.. peers.Select((p, i) => ResidencyGate.Draft(UsedPlace.Peer(p), i, p.Region, TimeProvider.System.GetUtcNow().AddYears(1)))]), clock);

    /// <summary>A gate by a declaration.</summary>
    public static ResidencyGate Gate(Declaration declaration, TimeProvider? clock = null)
    {
        var at = clock ?? TimeProvider.System;
        var terms = ResidencyTerms.TryRead(ResidencyTerms.Encode(declaration), at.GetUtcNow(), out var fault) ?? throw new InvalidOperationException(fault);
        return ResidencyGate.Of(terms, new ServiceOptions { Region = declaration.Region, Node = "test-1", PublicDirectory = "/none", DataDirectory = "/none" }, at);
    }

    /// <summary>A network.</summary>
    public static Network Network(string cidr, string region) => new(cidr, region, "test", new string('0', 64), TimeProvider.System.GetUtcNow().AddYears(1));

    /// <summary>Signs a declaration and writes it into a folder, with the keys that it is believed by.</summary>
    public static void Write(string folder, Declaration declaration)
    {
        var signers = Made.Value;
        File.WriteAllText(Path.Combine(folder, "root.pem"), signers.Root.ToPem());
        File.WriteAllBytes(Path.Combine(folder, "entitlement.spki"), signers.Acceptance.Spki);
        File.WriteAllBytes(Path.Combine(folder, ResidencyGate.FileName + ".next"), Sign(declaration));
        File.Move(Path.Combine(folder, ResidencyGate.FileName + ".next"), Path.Combine(folder, ResidencyGate.FileName), overwrite: true);
    }

    /// <summary>Signs a declaration.</summary>
    /// <param name="declaration">The document.</param>
    /// <param name="officers">Which of two officers sign, in turn; both unless named.</param>
    /// <param name="accepted">Whether ca's key signs too.</param>
    public static byte[] Sign(Declaration declaration, IReadOnlyList<int>? officers = null, bool accepted = true)
    {
        var signers = Made.Value;
        var document = ResidencyTerms.Encode(declaration);
        var signatures = new List<(string, string)>();
        foreach (var officer in officers ?? [0, 1])
        {
            var header = SignedDeclaration.OfficerHeader(signers.Officers[officer].Certificate, signers.Issuing);
            signatures.Add((header, Value(signers.Officers[officer].Key, header, document)));
        }

        if (accepted)
        {
            signatures.Add((SignedDeclaration.AcceptedHeader, Value(signers.Acceptance, SignedDeclaration.AcceptedHeader, document)));
        }

        return SignedDeclaration.Write(document, signatures);
    }

    /// <summary>Whom those signatures are believed from.</summary>
    public static DeclarationTrust Trust => new(Made.Value.Root, Made.Value.Acceptance.Spki);

    private static string Value(SoftwareKey key, string header, byte[] document) =>
        System.Buffers.Text.Base64Url.EncodeToString(key.Sign(SHA256.HashData(SignedDeclaration.Input(header, document))));

    private sealed record Signers(Certificate Root, Certificate Issuing, IReadOnlyList<(SoftwareKey Key, Certificate Certificate)> Officers, SoftwareKey Acceptance)
    {
        public static async Task<Signers> Make()
        {
            var now = TimeProvider.System.GetUtcNow().AddDays(-1);
            var root = await SampleAuthority.Root(PublicKeyKind.P256, now, "Declaration root");
            var issuing = await root.Subordinate("Declaration officers", now);
            var officers = new List<(SoftwareKey, Certificate)>();
            foreach (var person in new[] { "urn:mdid:p:01JD0000000000000000000A01", "urn:mdid:p:01JD0000000000000000000A02" })
            {
                var key = SoftwareKey.New(PublicKeyKind.P256);
                officers.Add((key, await issuing.IssueLeaf("officer", key.Spki, now, KeyUsages.NonRepudiation, CertificateExtension.SubjectAltName(new GeneralName.Uri(person)))));
            }

            return new Signers(root.Certificate, issuing.Certificate, officers, SoftwareKey.New(PublicKeyKind.P256));
        }
    }
}

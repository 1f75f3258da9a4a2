using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Trust.CA.Certificates;
using Trust.CA.Revocation;
using Trust.Crypto.Asn1;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.CA.Ceremony;

/// <summary>Makes the roots in the root token, the issuing CAs in the CA token, and the roots' lists. What exists is kept.</summary>
public sealed class MakeAuthorities(
    IToken token, IssuerDirectory issuers, CaKeys keys, Issuance issuance, ProfileSet profiles, CrlPublication lists, CaOptions options, TimeProvider clock,
    ILogger<MakeAuthorities> log)
{
    private static readonly (string Name, string CommonName, string Root, KeyAlgorithm Algorithm)[] Issuing =
    [
        ("practitioner-issuing", "Practitioner Issuing CA", "root", KeyAlgorithm.EcdsaP256),
        ("institution-issuing", "Institution Issuing CA", "root", KeyAlgorithm.EcdsaP256),
        ("service-issuing", "Service Issuing CA", "root", KeyAlgorithm.EcdsaP256),
        ("practitioner-issuing-sm2", "Practitioner Issuing CA (SM2)", "root-sm2", KeyAlgorithm.Sm2),
    ];

    /// <summary>Makes what is missing.</summary>
    public async Task<List<TranscriptAuthority>> MakeMissing(IToken root, string organization, CancellationToken ct)
    {
        var made = new List<TranscriptAuthority>();
        foreach (var (name, commonName, algorithm) in new[] { ("root", "Root CA", KeyAlgorithm.EcdsaP256), ("root-sm2", "Root CA (SM2)", KeyAlgorithm.Sm2) })
        {
            var authority = await issuers.Find(name, ct);
            var (spki, signer) = await keys.Ensure(root, name, algorithm, TokenLane.Service, ct);
            if (authority is null)
            {
                authority = await Issue(name, null, commonName, organization, spki, signer, ct);
                CaLog.CeremonyStep(log, $"{name} made");
            }

            made.Add(Describe(authority, algorithm));
            foreach (var below in Issuing.Where(i => string.Equals(i.Root, name, StringComparison.Ordinal)))
            {
                made.Add(Describe(await MakeBelow(authority, below.Name, below.CommonName, organization, below.Algorithm, signer, ct), below.Algorithm));
            }

            if (await lists.Find(name, ct) is null)
            {
                _ = await lists.Publish(authority, signer, HoldCeremony.RootListLifetime, ct, traced: false);
            }
        }

        return made;
    }

    private async Task<Authority> MakeBelow(
        Authority root, string name, string commonName, string organization, KeyAlgorithm algorithm, DigestSigner rootSigner, CancellationToken ct)
    {
        if (await issuers.Find(name, ct) is { } known)
        {
            return known;
        }

        var (spki, _) = await keys.Ensure(token, name, algorithm, TokenLane.Service, ct);
        var authority = await Issue(name, root, commonName, organization, spki, rootSigner, ct);
        CaLog.CeremonyStep(log, $"{name} made");
        return authority;
    }

    private async Task<Authority> Issue(
        string name, Authority? parent, string commonName, string organization, ReadOnlyMemory<byte> spki, DigestSigner signer, CancellationToken ct)
    {
        var suite = parent?.Suite ?? SignatureSuite.ForKey(spki) ?? throw new CeremonyException($"The key of {name} has no suite.");
        var plan = CertificatePlan.Make(
            profiles[parent is null ? "root" : "issuing"], parent, suite, new CertificateSubject($"{organization} {commonName}", organization, []), spki,
            clock.GetUtcNow(), options.Base);
        var certificate = await issuance.IssueForSystem(plan, "ca", signer, new Actor("ca"), traced: false);
        var authority = new Authority(name, parent?.Name, certificate, name);
        await issuers.Add(authority, ct);
        return authority;
    }

    private TranscriptAuthority Describe(Authority authority, KeyAlgorithm algorithm) => new(
        authority.Name, authority.Certificate.Sha256Hex, Convert.ToHexStringLower(SHA256.HashData(authority.Certificate.SubjectPublicKeyInfo.Span)),
        algorithm == KeyAlgorithm.Sm2 && !options.TokenHasSm2 ? "software" : "token");
}

using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>Certificates made to keep a search for paths busy: whoever sends them decides how many there are and who may have issued whom.</summary>
public sealed class PathBudgetTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 8, 0, 0, TimeSpan.Zero);

    [Theory, InlineData(7), InlineData(15), InlineData(31)]
    public async Task A_ring_of_authorities_with_one_name_and_key_ends_at_once(int size)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var ring = new List<Certificate>();
        for (var i = 0; i < size; i++)
        {
            ring.Add(await SelfIssued(key, "Ring", Now.AddSeconds(i)));
        }

        using var person = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await Issue(key, ring[0].Subject, "leaf", person.Spki, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation));
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var outcome = CertificatePath.Build(leaf, ring, [root.Certificate], Now, CertificateUsage.Signature);
        // Each of the ring may have issued the leaf, and none of them another of the ring.
        Assert.Equal(PathRefusal.NoIssuer, Assert.IsType<PathOutcome.Refused>(outcome).Reason);
        var budget = new SignatureBudget();
        _ = CertificatePath.Build(leaf, ring, [root.Certificate], Now, CertificateUsage.Signature, PathRules.Ours, budget, CancellationToken.None);
        Assert.Equal(size, budget.Spent);
    }

    [Theory, InlineData(7), InlineData(15), InlineData(31)]
    public async Task A_ring_that_may_have_signed_a_list_ends_within_the_budget(int size)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now, "Ring");
        using var person = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await root.IssueLeaf("leaf", person.Spki, Now, KeyUsages.NonRepudiation);
        var ring = new List<Certificate>();
        for (var i = 0; i < size; i++)
        {
            ring.Add(await Issue(key, Name("Ring"), "Ring", key.Spki, Now.AddSeconds(i), ListSigner()));
        }

        // A list in the name of the leaf's issuer, signed by the ring's key: each of the ring is a signer whose path is searched for.
        var tbs = new CertificateListContent
        {
            Suite = key.Suite, Issuer = Name("Ring"), AuthorityKeyIdentifier = new byte[] { 1 }, Number = 1, ThisUpdate = Now, NextUpdate = Now.AddHours(1), Entries = [],
        }.EncodeTbs();
        Assert.True(CertificateList.TryParse(await SignedStructure.Sign(tbs, key.Suite, key.Spki, key.Signer, CancellationToken.None), out var list, out _));
        var budget = new SignatureBudget();
        var outcome = new RevocationSearch([list], ring, Now, PathRules.Ours, budget, CancellationToken.None).Of([leaf, root.Certificate], 0);
        Assert.IsType<RevocationOutcome.Unknown>(outcome);
        Assert.InRange(budget.Spent, size, SignatureBudget.Checks);
        Assert.IsType<RevocationOutcome.Unknown>(RevocationCheck.Of([leaf, root.Certificate], 0, [list], ring, Now));
    }

    [Fact]
    public async Task A_mesh_of_authorities_spends_no_more_than_the_budget()
    {
        var (leaf, mesh, root) = await Mesh();
        var outcome = CertificatePath.Build(leaf, mesh, [root], Now, CertificateUsage.Signature);
        Assert.Equal(PathRefusal.BudgetSpent, Assert.IsType<PathOutcome.Refused>(outcome).Reason);
        var budget = new SignatureBudget();
        _ = CertificatePath.Build(leaf, mesh, [root], Now, CertificateUsage.Signature, PathRules.Ours, budget, CancellationToken.None);
        Assert.Equal(SignatureBudget.Checks, budget.Spent);
    }

    [Fact]
    public async Task A_search_ends_with_its_caller()
    {
        var (leaf, mesh, root) = await Mesh();
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        Assert.Throws<OperationCanceledException>(() => CertificatePath.Build(leaf, mesh, [root], Now, CertificateUsage.Signature, gone.Token));
    }

    // Five authorities, each certified by each of the others: 5! orders, with keys and names that all differ.
    [SuppressMessage("Reliability", "CA2000", Justification = "The keys end with the test process.")]
    private static async Task<(Certificate Leaf, IReadOnlyList<Certificate> Mesh, Certificate Root)> Mesh()
    {
        var keys = Enumerable.Range(0, 5).Select(_ => SoftwareKey.New(PublicKeyKind.P256)).ToList();
        var own = new List<Certificate>();
        for (var i = 0; i < keys.Count; i++)
        {
            own.Add(await SelfIssued(keys[i], "Mesh " + i, Now));
        }

        var mesh = new List<Certificate>();
        for (var i = 0; i < keys.Count; i++)
        {
            for (var j = 0; j < keys.Count; j++)
            {
                if (i != j)
                {
                    mesh.Add(await Issue(keys[j], own[j].Subject, "Mesh " + i, keys[i].Spki, Authority()));
                }
            }
        }

        using var person = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await Issue(keys[0], own[0].Subject, "leaf", person.Spki, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation));
        return (leaf, mesh, (await SampleAuthority.Root(PublicKeyKind.P256, Now)).Certificate);
    }

    private static CertificateExtension[] Authority() =>
        [CertificateExtension.BasicConstraints(ca: true), CertificateExtension.KeyUsage(KeyUsages.KeyCertSign)];

    private static CertificateExtension[] ListSigner() =>
        [CertificateExtension.BasicConstraints(ca: true), CertificateExtension.KeyUsage(KeyUsages.KeyCertSign | KeyUsages.CrlSign)];

    private static Task<Certificate> SelfIssued(SoftwareKey key, string name, DateTimeOffset from) => Issue(key, Name(name), name, key.Spki, from, Authority());

    private static Task<Certificate> Issue(SoftwareKey signer, ReadOnlyMemory<byte> issuer, string name, ReadOnlyMemory<byte> spki, params CertificateExtension[] extensions) =>
        Issue(signer, new X500DistinguishedName(issuer.Span), name, spki, Now, extensions);

    private static X500DistinguishedName Name(string name) => new($"CN={name}, O=Sample, C=CN");

    private static async Task<Certificate> Issue(
        SoftwareKey signer, X500DistinguishedName issuer, string name, ReadOnlyMemory<byte> spki, DateTimeOffset from, CertificateExtension[] extensions)
    {
        var content = new CertificateContent
        {
            SerialNumber = CertificateContent.NewSerialNumber(), Suite = signer.Suite, Issuer = issuer, Subject = Name(name),
            NotBefore = from.AddDays(-1), NotAfter = from.AddDays(365), SubjectPublicKeyInfo = spki, Extensions = extensions,
        };
        return Certificate.Parse(await SignedStructure.Sign(content.EncodeTbs(), signer.Suite, signer.Spki, signer.Signer, CancellationToken.None));
    }
}

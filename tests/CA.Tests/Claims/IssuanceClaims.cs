using Trust.CA.Certificates;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>What happens to a certificate whose holder changes while the token signs.</summary>
public sealed class IssuanceClaims
{
    // What was issued under an affiliation ends with it; today only the practitioner's own state is looked at after the signature, so the certificate is good.
    [Fact]
    public async Task M9_An_affiliation_that_ends_while_the_token_signs_leaves_a_good_certificate()
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        var from = (await ca.Database.Owner.Sql("SELECT valid_from FROM affiliations WHERE practitioner = $1").With(person).All(r => r.GetFieldValue<DateTimeOffset>(0), default)).Single();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await ca.Approve(1, created);
        var points = (CommitPoints)ca.App.Services.GetService(typeof(CommitPoints))!;
        points.Reached = point =>
        {
            if (point == CommitPoints.AfterSign)
            {
                points.Reached = null;
                var ended = ca.Import(new ImportRequest(Affiliations: [new(person, institution, "main", from, DateTimeOffset.UtcNow)])).GetAwaiter().GetResult();
                Assert.Equal("updated", ended.Single().Result);
            }
        };
        var issued = await ca.Approve(2, created);
        Assert.Equal("issued", issued.State);
        Assert.Equal("good", await ca.StateOf(issued.Sha256!));
        Assert.Equal("no-affiliation", (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("reason").GetString());
    }
}

using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Certificates;
using Trust.CA.Revocation;
using Trust.CA.Tests.Claims;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Revocation;

/// <summary>Lists when one issuer cannot sign.</summary>
public sealed class ListsTests
{
    [Fact]
    public async Task An_issuer_whose_key_is_gone_stops_no_other_issuers_list()
    {
        await using var ca = await CaFixture.Own();
        // One after the other, so that neither order of the issuers helps.
        foreach (var (gone, other) in new[] { ("institution-issuing", "service-issuing"), ("service-issuing", "institution-issuing") })
        {
            await ca.Stop();
            await ca.Database.Owner.Sql("UPDATE issuers SET key_label = CASE WHEN name = $1 THEN 'gone' ELSE name END WHERE parent IS NOT NULL").With(gone).Execute(default);
            var before = await Number(ca, other);
            await ca.Database.Owner.Sql("UPDATE crls SET this_update = this_update - interval '30 days' WHERE issuer <> 'root'").Execute(default);
            await ca.Start();
            await Eventually.Holds(async () => await Number(ca, other) > before, $"{other} publishes while {gone} cannot");
        }

        // And it is told of: the round counts as failed for as long as a list waits.
        using var client = ca.Anyone();
        await Eventually.Holds(
            async () =>
            {
                using var answer = await client.GetAsync("/health/ready");
                var check = JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("checks").GetProperty("crl-publisher");
                return check.GetProperty("detail").GetString()!.Contains("TokenException", StringComparison.Ordinal);
            },
            "readiness names the failure");
    }

    [Fact]
    public async Task A_list_is_made_anew_for_its_own_issuers_changes_alone()
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        await Eventually.Holds(async () => await Number(ca, "practitioner-issuing") > 0, "there is a list");
        var (own, other) = (await Number(ca, "practitioner-issuing"), await Number(ca, "service-issuing"));
        using var held = await ca.Change(0, sha, "hold", "lost");
        await Eventually.Holds(async () => await Number(ca, "practitioner-issuing") > own, "the issuer's list is made anew");
        using var revoked = await ca.Change(0, sha, "revoke", "superseded");
        await Eventually.Holds(async () => await Number(ca, "practitioner-issuing") > own + 1, "and again");
        Assert.Equal(other, await Number(ca, "service-issuing"));
        // What is only issued is on no list.
        var before = await Number(ca, "practitioner-issuing");
        _ = await ca.Certified(person, institution, name);
        using var again = await ca.Change(0, sha, "hold", "lost");
        Assert.False(await ca.App.Services.GetRequiredService<CrlPublication>().IsDue("practitioner-issuing", default));
        Assert.Equal(before, await Number(ca, "practitioner-issuing"));
    }

    // RFC 5280 section 3.3.
    [Fact]
    public async Task An_entry_stays_until_it_was_on_a_list_made_after_its_certificates_end()
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "revoke", "superseded");
        var serial = await ca.Database.Owner.Sql("SELECT serial FROM certificates WHERE sha256 = $1").With(sha).Scalar<byte[]>(default);
        await Eventually.Holds(async () => await Number(ca, "practitioner-issuing") > 0 && await Lists(ca, serial!), "the list names it");
        await ca.Database.Owner.Sql("UPDATE certificates SET not_after = (SELECT max(this_update) FROM crls WHERE issuer = 'practitioner-issuing') + interval '1 millisecond' WHERE sha256 = $1")
            .With(sha).Execute(default);
        await Publish(ca);
        Assert.True(await Lists(ca, serial!));
        await Publish(ca);
        Assert.False(await Lists(ca, serial!));
    }

    [Fact]
    public async Task A_list_is_cached_by_its_number_and_its_date()
    {
        await using var ca = await CaFixture.Own();
        using var client = ca.Anyone();
        await Eventually.Holds(async () => (await client.GetAsync("/crl/practitioner-issuing.crl")).IsSuccessStatusCode, "there is a list");
        using var answer = await client.GetAsync("/crl/practitioner-issuing.crl");
        Assert.Equal(FormattableString.Invariant($"\"{await Number(ca, "practitioner-issuing")}\""), answer.Headers.ETag!.Tag);
        Assert.NotNull(answer.Content.Headers.LastModified);
        using var conditional = new HttpRequestMessage(HttpMethod.Get, "/crl/practitioner-issuing.crl");
        conditional.Headers.IfNoneMatch.Add(answer.Headers.ETag);
        using var again = await client.SendAsync(conditional);
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
    }

    // A signature made while the certificate was on hold must not pass for one of a good certificate.
    [Fact]
    public async Task What_is_revoked_after_a_hold_is_revoked_since_the_hold()
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost");
        var serial = await ca.Database.Owner.Sql("SELECT serial FROM certificates WHERE sha256 = $1").With(sha).Scalar<byte[]>(default);
        await Eventually.Holds(async () => await Number(ca, "practitioner-issuing") > 0 && await Lists(ca, serial!), "the list names the hold");
        using var revoked = await ca.Change(0, sha, "revoke", "keyCompromise");
        await Publish(ca);
        const string first = "SELECT min(at) FROM certificate_states WHERE sha256 = $1 AND state = 'hold'";
        var since = (await ca.Database.Owner.Sql(first).With(sha).All(r => r.GetFieldValue<DateTimeOffset>(0), default)).Single();
        Assert.Contains(since.UtcDateTime.ToString("yyMMddHHmmss'Z'", CultureInfo.InvariantCulture), Encoding.Latin1.GetString(await List(ca)), StringComparison.Ordinal);
    }

    private static async Task Publish(CaFixture ca)
    {
        var keys = ca.App.Services.GetRequiredService<CaKeys>();
        var issuer = (await ca.App.Services.GetRequiredService<IssuerDirectory>().Find("practitioner-issuing", default))!;
        await ca.App.Services.GetRequiredService<CrlPublication>().Publish(issuer, await keys.SignerOf(issuer.KeyLabel, default), TimeSpan.FromHours(1), default);
    }

    private static async Task<byte[]> List(CaFixture ca) =>
        (await ca.App.Services.GetRequiredService<CrlPublication>().Find("practitioner-issuing", default))!.Der;

    private static async Task<bool> Lists(CaFixture ca, byte[] serial) => (await List(ca)).AsSpan().IndexOf(serial) >= 0;

    private static Task<long> Number(CaFixture ca, string issuer) =>
        ca.Database.Owner.Sql("SELECT coalesce(max(number), 0) FROM crls WHERE issuer = $1").With(issuer).Scalar<long>(default);
}

using System.Net;
using System.Text;
using System.Text.Json;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>The ledger's route table against the running ledger.</summary>
public sealed class MapTests
{
    [Fact]
    public async Task The_table_is_what_runs_and_answers_HEAD_405_415_and_refusals_in_the_callers_language()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await fixture.Start(Tokens.NewOptions("ledger"));
        await ledger.Leads();
        RouteTableHolds.Against(ledger.App);

        using var ca = fixture.Client("ca", ledger.Address);
        await RouteTableHolds.HeadLikeGet(ca, "checkpoint");
        await RouteTableHolds.OtherMethod(ca, "checkpoint", "GET", "HEAD");
        await RouteTableHolds.OtherMethod(ca, "entries", "POST");
        using (var text = new StringContent("hash", Encoding.UTF8, "text/plain"))
        using (var answer = await ca.PostAsync("sources/ca/epochs", text))
        {
            Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
            Assert.Contains("unsupported-media-type", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        // A service asks for its own chain only, and is told so in its language.
        using var request = new HttpRequestMessage(HttpMethod.Get, "sources/sign/head");
        request.Headers.AcceptLanguage.ParseAdd("zh-CN,zh;q=0.9,en;q=0.8");
        using var refused = await ca.SendAsync(request);
        var problem = JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Equal("urn:trust:problem:ledger:not-own-source", problem.GetProperty("type").GetString());
        Assert.Equal("服务只能查询和接管自己的事件链。", problem.GetProperty("detail").GetString());

        // What a proof cannot be made of is named with the size up to which it can.
        using var beyond = await ca.GetAsync("proofs/inclusion?index=7&size=9");
        problem = JsonDocument.Parse(await beyond.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(HttpStatusCode.BadRequest, beyond.StatusCode);
        Assert.Equal(0, problem.GetProperty("size").GetInt64());
        Assert.Contains("beyond the published 0", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_refusal_says_in_both_languages_what_to_do_and_one_name_has_one_status_an_act()
    {
        var refusals = RefusalCatalogueAttribute.In(typeof(Program).Assembly).Concat(RefusalCatalogueAttribute.In(typeof(Trust.Witness.Program).Assembly)).ToList();
        Assert.Contains(refusals, r => r.Service == "ledger");
        Assert.Contains(refusals, r => r.Service == "witness");
        Assert.All(refusals, r =>
        {
            Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", r.Refusal.Name);
            Assert.InRange(r.Refusal.Status, 400, 599);
            Assert.NotEqual("", r.Refusal.Chinese);
            Assert.NotEqual("", r.Refusal.English);
        });
        var twice = refusals.GroupBy(r => (r.Service, r.Refusal.Name, r.Refusal.Status)).Where(g => g.Count() > 1).Select(g => g.Key);
        Assert.Empty(twice);
    }
}

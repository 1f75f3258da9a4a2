using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>A patient is shredded in the signing service and at the provider before the ledger's own detail goes, whatever fails on the way.</summary>
public sealed partial class ShreddingTests
{
    private static readonly string[] Order = ["sign", "idp"];

    [Fact]
    public async Task A_patients_shredding_goes_to_the_other_services_first_and_says_where_each_stands()
    {
        await using var others = await Others.Beside(_issuer, _fixture);
        await using var ledger = await StartFilled();
        others["idp"].Fail(Failure.Away, 1_000);
        var id = await Approved(ledger);
        await Eventually.Holds(async () => await Standing(ledger, id) == "approved: sign destroyed, idp asked", "the provider is waited for");
        Assert.Equal("detail on anna", await Detail(ledger, _anna));

        others["idp"].Fail(Failure.Away, 0);
        await Reaches(ledger, id, "destroyed");
        Assert.Equal("destroyed: sign destroyed, idp destroyed", await Standing(ledger, id));
        Assert.Equal(Order, others.Effects);
        Assert.Null(await Detail(ledger, _anna));
        Assert.Equal("detail on bela", await Detail(ledger, _bela));
    }

    [Theory]
    [InlineData("sign", Failure.Away)]
    [InlineData("sign", Failure.Before)]
    [InlineData("sign", Failure.After)]
    [InlineData("sign", Failure.Slow)]
    [InlineData("idp", Failure.Away)]
    [InlineData("idp", Failure.Before)]
    [InlineData("idp", Failure.After)]
    [InlineData("idp", Failure.Slow)]
    public async Task A_service_that_fails_before_or_after_it_took_effect_is_asked_again_and_does_it_once(string service, Failure failure)
    {
        await using var others = await Others.Beside(_issuer, _fixture);
        await using var ledger = await StartFilled();
        others[service].Fail(failure, 2);
        var id = await Approved(ledger);
        await Reaches(ledger, id, "destroyed");
        Assert.Equal(Order, others.Effects);
        Assert.True(others[service].Calls >= 3);
        Assert.Null(await Detail(ledger, _anna));
    }

    [Theory]
    [InlineData("shred-asked-sign")]
    [InlineData("shred-told-sign")]
    [InlineData("shred-asked-idp")]
    [InlineData("shred-told-idp")]
    [InlineData("shred-after-new-master")]
    [InlineData("shred-after-destroy")]
    public async Task A_ledger_that_stops_between_asking_and_noting_the_answer_goes_on_where_it_was(string point)
    {
        await using var others = await Others.Beside(_issuer, _fixture);
        var faults = new Once(point);
        await using var ledger = await StartFilled(faults);
        var id = await Approved(ledger);
        await Reaches(ledger, id, "destroyed");
        Assert.True(faults.Hit);
        Assert.Equal(Order, others.Effects);
        Assert.Null(await Detail(ledger, _anna));
        Assert.Equal("detail on bela", await Detail(ledger, _bela));
    }

    [Fact]
    public async Task Records_that_have_to_be_kept_refuse_the_shredding_everywhere()
    {
        await using var others = await Others.Beside(_issuer, _fixture);
        await using var ledger = await StartFilled();
        others["sign"].Keeps = DateTimeOffset.UtcNow.AddYears(9);
        var id = await Approved(ledger);
        await Reaches(ledger, id, "refused");
        Assert.Equal("refused: sign kept", await Standing(ledger, id));
        Assert.Empty(others.Effects);
        Assert.Equal(0, others["idp"].Calls);
        Assert.Equal("detail on anna", await Detail(ledger, _anna));
        var last = await ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
            .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'KEY.destroy' ORDER BY id DESC LIMIT 1").Scalar<string>(default);
        Assert.Equal("retention", JsonNode.Parse(last!)!["reason"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_hold_that_comes_while_a_service_does_not_answer_stops_the_asking_until_it_is_released()
    {
        await using var others = await Others.Beside(_issuer, _fixture);
        await using var ledger = await StartFilled();
        others["sign"].Fail(Failure.Away, 1_000);
        var id = await Approved(ledger);
        await Eventually.Holds(() => others["sign"].Calls > 0, "the signing service was asked");
        await Hold(ledger, "patient", Text(_anna));
        var shredder = ledger.App.Services.GetRequiredService<Shredder>();
        await Eventually.Holds(async () => !await shredder.CarryOut(default), "the round under way has ended");
        others["sign"].Fail(Failure.Away, 0);
        var calls = others["sign"].Calls;
        for (var rounds = 0; rounds < 3; rounds++)
        {
            await shredder.CarryOut(default);
        }

        Assert.Equal(calls, others["sign"].Calls);
        Assert.Equal("approved: sign asked", await Standing(ledger, id));
        using var regulator = Client(ledger, "regulator-1", "audit.hold", "regulator");
        using var second = Client(ledger, "regulator-2", "audit.hold", "regulator");
        var hold = Assert.Single((await regulator.GetFromJsonAsync<JsonArray>("/holds"))!)!["id"]!.GetValue<string>();
        Assert.Equal(HttpStatusCode.Accepted, (await regulator.PostAsync($"/holds/{hold}/release", Keyed(new { }))).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await second.PostAsync($"/holds/{hold}/release", Keyed(new { }))).StatusCode);
        await Reaches(ledger, id, "destroyed");
        Assert.Equal(Order, others.Effects);
    }

    [Fact]
    public async Task A_hold_that_comes_before_anyone_was_asked_spares_the_patient_everywhere()
    {
        await using var others = await Others.Beside(_issuer, _fixture);
        await using var ledger = await StartFilled();
        _clock.Shift(BeyondRetention);
        var id = await Requested(ledger, _anna);
        await Hold(ledger, "patient", Text(_anna));
        Assert.Equal("legal-hold", await Problem(await Approve(ledger, id, "officer-2")));
        Assert.Equal(0, others["sign"].Calls);
    }

    private async Task<string> Approved(RunningLedger ledger)
    {
        await Detail(ledger, _anna);
        _clock.Shift(BeyondRetention);
        var id = await Requested(ledger, _anna);
        Assert.Equal(HttpStatusCode.Accepted, (await Approve(ledger, id, "officer-2")).StatusCode);
        return id;
    }

    private async Task<string> Standing(RunningLedger ledger, string id)
    {
        using var client = Client(ledger, "officer-1", "audit.shred", "records-officer");
        var answer = (await client.GetFromJsonAsync<JsonObject>($"/shreddings/{id}"))!;
        return $"{answer["state"]}: {string.Join(", ", answer["services"]!.AsArray().Select(s => $"{s!["service"]} {s["state"]}"))}";
    }

    /// <summary>How a service fails: not reached, before it took effect, after it did, or it takes its time.</summary>
    public enum Failure
    {
        Away, Before, After, Slow,
    }

    /// <summary>The two other services, as far as a shredding goes.</summary>
    private sealed class Others : IAsyncDisposable
    {
        private readonly Dictionary<string, Other> _services;
        private readonly TokenIssuer _sign;

        private Others(TokenIssuer sign, TokenIssuer idp)
        {
            _sign = sign;
            _services = new(StringComparer.Ordinal) { ["sign"] = new Other("sign", _effects), ["idp"] = new Other("idp", _effects) };
            (sign.OnShredding, idp.OnShredding) = (_services["sign"].Answer, _services["idp"].Answer);
        }

        private readonly ConcurrentQueue<string> _effects = new();

        public IEnumerable<string> Effects => _effects;

        public Other this[string service] => _services[service];

        public static async Task<Others> Beside(TokenIssuer idp, LedgerFixture fixture)
        {
            var sign = await TokenIssuer.Start();
            fixture.ShredElsewhere = true;
            fixture.MorePeers.Add(("sign", sign.Address));
            return new Others(sign, idp);
        }

        public ValueTask DisposeAsync() => _sign.DisposeAsync();
    }

    private sealed class Other(string name, ConcurrentQueue<string> effects)
    {
        private readonly ConcurrentDictionary<string, bool> _done = new(StringComparer.Ordinal);
        private Failure _failure;
        private int _times;
        private int _calls;

        public int Calls => _calls;

        public DateTimeOffset? Keeps { get; set; }

        public void Fail(Failure failure, int times) => (_failure, _times) = (failure, times);

        public async Task Answer(HttpContext context)
        {
            Interlocked.Increment(ref _calls);
            var failing = Interlocked.Decrement(ref _times) >= 0 ? _failure : (Failure?)null;
            if (failing is Failure.Away)
            {
                context.Abort();
                return;
            }

            var slow = failing is Failure.Slow;
            if (failing is not (Failure.Before or Failure.Slow) && Keeps is null && _done.TryAdd((string)context.Request.RouteValues["id"]!, true))
            {
                effects.Enqueue(name);
            }

            if (failing is Failure.Before or Failure.After)
            {
                context.Response.StatusCode = 500;
                return;
            }

            await context.Response.WriteAsJsonAsync(new { state = Keeps is not null ? "kept" : slow ? "asked" : "destroyed", keptUntil = Keeps });
        }
    }
}

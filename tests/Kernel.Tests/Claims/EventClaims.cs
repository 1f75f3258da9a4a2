using System.Text.Json;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Claims;

/// <summary>What the common parts do today where a review says that they should do otherwise; each comment says what is right. Whoever mends it turns the test.</summary>
public sealed class EventClaims
{
    private static readonly EventPlace Place = new("510000", "n-1");

    // Values should be judged before they are written; today the whole is judged, and a value can write further members.
    [Theory]
    [InlineData("basis", "x\",\"class\":\"RESTRICTED", "class", "RESTRICTED")]
    [InlineData("reason", "x\",\"ruleVersion\":\"forged", "ruleVersion", "forged")]
    public void F3_A_value_adds_a_member_to_the_body(string member, string value, string added, string expected)
    {
        var body = EventBody.TryBuild(Event() with { Basis = member == "basis" ? value : null, Reason = member == "reason" ? value : null }, Place, DateTimeOffset.UtcNow, out var refusal);
        Assert.True(body is not null, refusal);
        var json = JsonElement.Parse(body!.Bytes);
        Assert.Equal("x", json.GetProperty(member).GetString());
        Assert.Equal(expected, json.GetProperty(added).GetString());
    }

    // An institution's name in the actor can write the actor's role.
    [Fact]
    public void F3_An_actors_institution_adds_its_role()
    {
        var body = EventBody.TryBuild(Event() with { Actor = new Actor("client", Institution: "urn:mdid:o:1\",\"role\":\"regulator") }, Place, DateTimeOffset.UtcNow, out _);
        Assert.Equal("regulator", JsonElement.Parse(body!.Bytes).GetProperty("actor").GetProperty("role").GetString());
    }

    // U+0080 to U+009F are control characters, as the second verifier says; today the ledger's own rule takes them.
    [Fact]
    public void V7_A_C1_control_character_is_no_fault_of_a_body()
    {
        var body = EventBody.TryBuild(Event() with { Basis = "a\u0085b\u009bc" }, Place, DateTimeOffset.UtcNow, out _);
        Assert.Equal("a\u0085b\u009bc", JsonElement.Parse(body!.Bytes).GetProperty("basis").GetString());
    }

    // What tells the result of a confirmed act may not be refused: the card has signed by then. Today it is refused like any traced event when the budget is spent.
    [Fact]
    public void M2_The_result_of_a_signature_is_an_event_that_the_budget_refuses()
    {
        Assert.True(EventCatalogue.TryGetMode("SIGN.done", out var mode));
        Assert.Equal(EventMode.Traced, mode);
    }

    // A note that ends in an empty line is malformed, not a fault.
    [Fact]
    public void V5_A_note_that_ends_in_an_empty_line_throws() => Assert.ThrowsAny<ArgumentException>(() => SignedNote.TryRead("x\n\n"));

    // The lease of a request that still runs should be renewed; today the same key runs a second time after ten seconds.
    [Fact]
    public async Task M3_A_key_whose_process_lives_runs_a_second_time_after_ten_seconds()
    {
        await using var db = await TestDatabase.Create("ca");
        var clock = new ManualClock(new DateTimeOffset(2026, 11, 20, 8, 0, 0, TimeSpan.Zero));
        var mark = new ProcessMark(db.Runtime, clock);
        using var end = new CancellationTokenSource();
        var holding = mark.Hold(end.Token);
        await Eventually.Holds(() => mark.Current is not null, "the process shows that it lives");
        var options = new ServiceOptions { Region = "510000", Node = "n-1", PublicDirectory = "/", DataDirectory = "/", IdempotencyRetention = TimeSpan.FromDays(7) };
        var store = new IdempotencyStore(db.Runtime, new GroupCommit(db.Runtime), mark, options, clock);
        var row = new IdempotencyRow("token:c:s", "/registry/imports", "k", [1, 2, 3]);
        Assert.True(await store.Claim(row));
        Assert.False(await store.Claim(row));
        clock.Advance(TimeSpan.FromSeconds(11));
        Assert.True(await store.Claim(row));
        // And whoever ran first can still end the second run's claim.
        await store.Free(row);
        Assert.Null(await store.Find(row, CancellationToken.None));
        await end.CancelAsync();
        await holding;
    }

    // A value of another type than asked for is a fault of the program; today it is silently nothing.
    [Fact]
    public async Task M16_A_value_of_another_type_reads_as_nothing()
    {
        await using var db = await TestDatabase.Create("ca");
        Assert.Equal(0, await db.Runtime.Sql("SELECT count(*) FROM generate_series(1, 3)").Scalar<int>(CancellationToken.None));
        Assert.Equal(3, await db.Runtime.Sql("SELECT count(*) FROM generate_series(1, 3)").Scalar<long>(CancellationToken.None));
    }

    private static AuditEvent Event() => new() { Action = "AUTH.login", Actor = new Actor("urn:mdid:p:1"), Subjects = [], Outcome = EventOutcome.Success };
}

using System.Text;
using Trust.AuditLedger.Retention;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tests.Retention;

/// <summary>How long each kind of event is kept.</summary>
public sealed class RetentionScheduleTests
{
    private static readonly DateTimeOffset At = new(2026, 1, 31, 8, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Every_action_of_the_catalogue_has_a_class() =>
        Assert.All(EventCatalogue.Names.Append("RX.issue").Append("GRANT.give"), name => Assert.NotNull(RetentionClass.OfAction(name)));

    [Theory]
    [InlineData("AUTH.login", null, 6)]
    [InlineData("LEDGER.anchor", null, 24)]
    [InlineData("LEDGER.prune", null, 24)]
    [InlineData("REG.query", null, 36)]
    [InlineData("REG.freeze", null, 360)]
    [InlineData("CERT.issue", null, 360)]
    [InlineData("RX.sign", null, 360)]
    // The body's own class asks for longer, never for shorter.
    [InlineData("REC.read", "CLINICAL", 360)]
    [InlineData("AUTH.login", "ACCESS", 36)]
    [InlineData("RX.sign", "SESSION", 360)]
    // What nobody knows is kept longest.
    [InlineData("NEW.action", "SESSION", 360)]
    [InlineData("NEWACTION", null, 360)]
    public void An_event_is_kept_by_its_action_and_longer_where_its_own_class_asks_for_it(string action, string? own, int months) =>
        Assert.Equal(At.AddMonths(months), Ends(action, own));

    [Fact]
    public void Configuration_reaches_every_class_and_goes_no_lower_than_the_floor()
    {
        Assert.Equal(At.AddMonths(180), Ends("RX.sign", null, ("TREATMENT", 180)));
        Assert.Equal(At.AddMonths(180), Ends("RX.sign", "CLINICAL", ("TREATMENT", 60), ("CLINICAL", 180)));
        Assert.Equal(At.AddMonths(6), Ends("LEDGER.anchor", null, ("LEDGER", 1)));
    }

    [Fact]
    public void Names_within_a_member_of_the_body_are_not_its_action_or_class() => Assert.Equal(
        At.AddMonths(6), Ends("{\"action\":\"AUTH.login\",\"actor\":{\"action\":\"RX.sign\",\"class\":\"CLINICAL\"}}"));

    private static DateTimeOffset Ends(string action, string? own, params (string Class, int Months)[] configured) =>
        Ends($"{{\"action\":\"{action}\"{(own is null ? "" : $",\"class\":\"{own}\"")}}}", configured);

    private static DateTimeOffset Ends(string body, params (string Class, int Months)[] configured)
    {
        var bytes = Encoding.ASCII.GetBytes(body);
        var place = new EntryPlace("ca", 1, 1, new byte[Envelope.HashSize], new byte[Envelope.HashSize]);
        var leaf = new byte[EventLeaf.Length("ca", 0, bytes.Length)];
        EventLeaf.Write(leaf, place, [], Microseconds.Since1970(At), bytes);
        var options = new AuditLedgerOptions
        {
            Origin = "o", LockStoreDirectory = "/", Sources = [], RetentionMonths = configured.ToDictionary(c => c.Class, c => c.Months, StringComparer.Ordinal),
        };
        return new RetentionSchedule(options).Ends(leaf);
    }
}

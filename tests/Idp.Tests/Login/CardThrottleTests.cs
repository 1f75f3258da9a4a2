using Trust.Idp.Login;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.Idp.Tests.Login;

/// <summary>Who was refused too often waits; nobody else does, and no attempt while waiting prolongs it.</summary>
public sealed class CardThrottleTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly ManualClock _clock = new(new DateTimeOffset(2026, 11, 30, 8, 0, 0, TimeSpan.Zero));
    private TestDatabase _database = null!;
    private CardThrottle _throttle = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.Create("idp", typeof(Program).Assembly);
        _throttle = new CardThrottle(_database.Runtime, _clock);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task A_certificate_waits_after_ten_refusals_twice_as_long_each_time_and_a_colleagues_does_not()
    {
        await Refuse("a", null, CardThrottle.Free);
        Assert.Null(await _throttle.OfCertificate("a", None));
        await Refuse("a", null, 1);
        Assert.Equal(_clock.GetUtcNow().AddSeconds(30), await _throttle.OfCertificate("a", None));
        Assert.Null(await _throttle.OfCertificate("b", None));
        _clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Null(await _throttle.OfCertificate("a", None));
        await Refuse("a", null, 1);
        Assert.Equal(_clock.GetUtcNow().AddMinutes(1), await _throttle.OfCertificate("a", None));
    }

    [Fact]
    public async Task A_stolen_cards_refusals_make_no_person_wait_and_a_proven_cards_do()
    {
        await Refuse("stolen", null, 20);
        Assert.Null(await _throttle.OfPerson("urn:p", None));
        await Refuse("good", "urn:p", CardThrottle.Free + 1);
        Assert.NotNull(await _throttle.OfPerson("urn:p", None));
        await _throttle.Accepted("good", "urn:p", None);
        Assert.Null(await _throttle.OfPerson("urn:p", None));
        Assert.NotNull(await _throttle.OfCertificate("stolen", None));
    }

    [Fact]
    public async Task After_a_quarter_of_an_hour_counting_begins_anew_and_no_wait_is_longer()
    {
        await Refuse("a", null, CardThrottle.Free + 9);
        Assert.Equal(_clock.GetUtcNow() + CardThrottle.Window, await _throttle.OfCertificate("a", None));
        _clock.Advance(CardThrottle.Window + CardThrottle.Window + TimeSpan.FromSeconds(1));
        await Refuse("a", null, 1);
        Assert.Null(await _throttle.OfCertificate("a", None));
    }

    [Fact]
    public void Waits_double_up_to_a_quarter_of_an_hour() =>
        Assert.Equal([30, 60, 120, 240, 480, 900, 900], Enumerable.Range(0, 7).Select(i => CardThrottle.Wait(i).TotalSeconds));

    private async Task Refuse(string certificate, string? person, int times)
    {
        await using var connection = await _database.Runtime.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        for (var i = 0; i < times; i++)
        {
            await _throttle.Refused(tx, certificate, person, None);
        }

        await tx.CommitAsync();
    }
}

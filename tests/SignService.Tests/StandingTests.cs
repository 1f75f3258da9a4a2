using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>What readiness says while the service cannot do its work, and what it then does not do.</summary>
public sealed class StandingTests
{
    [Theory]
    [InlineData("entitlement.spki")]
    [InlineData("practitioner-issuing.pem")]
    [InlineData("institution-issuing.pem")]
    [InlineData("service-issuing.pem")]
    [InlineData("root.pem")]
    public async Task A_file_that_is_gone_or_spoilt_is_named_by_readiness(string name)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        Assert.True(await Check(rig, "public-files") is (true, _));
        var file = Path.Combine(rig.PublicFolder, name);
        File.Move(file, file + ".gone");
        await Eventually.Holds(async () => await Check(rig, "public-files") is (false, var detail) && detail == file + " is missing", "the file is missed");
        await File.WriteAllTextAsync(file, "nothing of the kind");
        await Eventually.Holds(async () => await Check(rig, "public-files") is (false, var detail) && detail == file + " does not hold what it should", "its content is missed");
        File.Move(file + ".gone", file, overwrite: true);
        await Eventually.Holds(async () => await Check(rig, "public-files") is (true, _), "it is back");
    }

    [Theory]
    [InlineData(86_400, "ahead of")]
    [InlineData(-86_400, "behind")]
    public async Task Peers_whose_clocks_are_a_day_off_are_named_and_refused_by_a_rule_of_its_own(int seconds, string where)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        Assert.True(await Check(rig, "clocks") is (true, _));
        rig.Peers.ClockAhead = TimeSpan.FromSeconds(seconds);
        await SignRig.Refused(await rig.Prepare(), "clock-skew", 503);
        await Eventually.Holds(
            async () => await Check(rig, "clocks") is (false, var detail) && detail.Contains("clock-skew: the clock of ca is at least 86", StringComparison.Ordinal)
                && detail.Contains(where, StringComparison.Ordinal),
            "the clock is named");
        rig.Peers.ClockAhead = TimeSpan.Zero;
        await rig.Prepared();
        await Eventually.Holds(async () => await Check(rig, "clocks") is (true, _), "the clocks agree again");
    }

    [Fact]
    public async Task Started_without_the_ledger_it_signs_stamps_and_discloses_nothing_until_the_head_is_compared()
    {
        await using var rig = await SignRig.StartProcess();
        var (id, bytes, _) = await rig.Prepared();
        rig.Peers.LedgerAway = true;
        rig.Kill();
        await rig.Restart(ledger: false);
        var signature = rig.DoctorCard.Sign(bytes);
        await SignRig.Refused(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"), "head-not-compared", 503);
        await SignRig.Refused(await rig.Get($"/prescriptions/{id}", rig.DoctorToken()), "head-not-compared", 503);
        using (var stamp = await rig.Client.PostAsync("/timestamp", new ByteArrayContent([1])))
        {
            Assert.Equal("application/timestamp-reply", stamp.Content.Headers.ContentType!.MediaType);
            Assert.Null(Crypto.Asn1.TimeStamp.TokenOf(await stamp.Content.ReadAsByteArrayAsync()));
        }

        Assert.True(await Check(rig, "ledger") is (false, var why) && why.StartsWith("head-not-compared", StringComparison.Ordinal));
        rig.Peers.LedgerAway = false;
        await Eventually.Holds(async () => await Check(rig, "ledger") is (true, _), "the head is compared");
        await SignRig.Read(await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k"), 200);
    }

    [Fact]
    public async Task The_time_stamp_key_and_each_certificate_put_in_its_place_are_events()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        await Eventually.Holds(() => Own(rig, "KEY.activate").Count == 1, "the register has told of it");
        Assert.Equal(["batch", "tsa"], Own(rig, "KEY.generate").Select(e => e.GetProperty("reason").GetString()).Order());
        await rig.RenewTimeStamp();
        await Eventually.Holds(
            async () =>
            {
                await rig.Parts.GetRequiredService<KeyRegister>().Round(default);
                return Own(rig, "KEY.activate").Count == 2;
            },
            "the new certificate is told of");
        Assert.Equal(2, Own(rig, "KEY.activate").Select(e => e.GetProperty("basis").GetString()).Distinct().Count());
    }

    private static List<JsonElement> Own(SignRig rig, string action) =>
        [.. rig.Peers.Events.Where(e => e.GetProperty("action").GetString() == action && e.GetProperty("actor").GetProperty("subject").GetString() == "sign")];

    [Fact]
    public void Only_what_takes_away_answers_before_the_head_is_compared() => Assert.Equal(
        ["POST /prescriptions/{id:guid}/institution-void", "POST /prescriptions/{id:guid}/void"],
        Program.Service.Routes(new ConfigurationBuilder().Build()).Routes.Where(r => r.AnswersUncompared).Select(r => $"{r.Method} {r.Path}").Order(StringComparer.Ordinal));

    private static async Task<(bool Ready, string Detail)> Check(SignRig rig, string name)
    {
        using var answer = await rig.Client.GetAsync("/health/ready");
        var check = JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("checks").GetProperty(name);
        return (check.GetProperty("ready").GetBoolean(), check.GetProperty("detail").GetString()!);
    }
}

using Trust.Cli.Verify;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

public sealed class VerifyCommandTests(EvidenceMade made) : IClassFixture<EvidenceMade>
{
    [Fact]
    public void The_command_tells_verified_refused_and_unreadable_apart_by_its_exit_code()
    {
        var directory = Scratch.Directory("verify");
        var good = Path.Combine(directory, "good.json");
        var bad = Path.Combine(directory, "bad.json");
        File.WriteAllBytes(good, made.File.ToArray());
        File.WriteAllBytes(bad, [.. "{"u8, .. made.File[1..^1], (byte)' ']);
        using var output = new StringWriter();
        Assert.Equal(0, VerifyCommand.Run(good, made.PublicFolder, "en", output));
        Assert.Equal(1, VerifyCommand.Run(bad, made.PublicFolder, "zh", output));
        Assert.Equal(2, VerifyCommand.Run(Path.Combine(directory, "none.json"), made.PublicFolder, "en", output));
        Assert.Equal(2, VerifyCommand.Run(good, directory, "en", output));
        Assert.Contains("文件结构不符合格式", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_event_and_an_answer_to_another_question_are_verdicts_of_their_own()
    {
        var directory = Scratch.Directory("verify");
        var (good, none) = (Path.Combine(directory, "good.json"), Path.Combine(directory, "none.json"));
        File.WriteAllBytes(good, made.File.ToArray());
        File.WriteAllBytes(none, await made.Bytes("/evidence/prescription/rx-nobody-knows", "510000"));
        Assert.Equal((VerifyCommand.NoEvent, "no-event"), Run(none, Expected.Nothing));
        Assert.Equal((VerifyCommand.Verified, "verified"), Run(good, Of("prescription:" + SampleSubjects.Id("rx-1"), null, null)));
        Assert.Equal((VerifyCommand.Verified, "verified"), Run(good, Of("prescription:" + SampleSubjects.Id("rx-1"), "2026-01-01T00:00:00+08:00", "2026-01-02T00:00:00.5Z")));
        Assert.Equal((VerifyCommand.OtherQuestion, "other-question"), Run(good, Of("prescription:rx-2", null, null)));
        Assert.Equal((VerifyCommand.OtherQuestion, "other-question"), Run(good, Of("patient:rx-1", null, null)));
        // Nobody has asked what happens after the question.
        Assert.Equal((VerifyCommand.OtherQuestion, "other-question"), Run(good, Of("prescription:" + SampleSubjects.Id("rx-1"), null, "2999-01-01T00:00:00Z")));

        Expected Of(string subject, string? from, string? to) => Expected.TryRead(subject, from, to)!;
        (int, string) Run(string file, Expected expected)
        {
            using var output = new StringWriter();
            var code = VerifyCommand.Run(file, made.PublicFolder, "en", output, expected, ReportForm.Json);
            return (code, System.Text.Json.Nodes.JsonNode.Parse(output.ToString())!["verdict"]!.GetValue<string>());
        }
    }

    [Fact]
    public async Task A_file_of_a_narrower_period_does_not_cover_the_one_expected()
    {
        var file = Path.Combine(Scratch.Directory("verify"), "narrow.json");
        File.WriteAllBytes(file, await made.Bytes("/evidence/prescription/rx-1?from=2020-01-02T00:00:00Z&to=2999-01-01T00:00:00Z", "510000"));
        foreach (var (from, to, code) in new[]
        {
            ("2020-01-02T00:00:00Z", "2999-01-01T00:00:00Z", VerifyCommand.Verified), ("2020-01-02T07:59:59+08:00", null, VerifyCommand.OtherQuestion),
            ("2020-01-02T08:00:00+08:00", null, VerifyCommand.Verified), (null, "2999-01-01T00:00:01Z", VerifyCommand.OtherQuestion),
        })
        {
            using var output = new StringWriter();
            Assert.Equal(code, VerifyCommand.Run(file, made.PublicFolder, "en", output, Expected.TryRead(null, from, to)));
        }

        Assert.Null(Expected.TryRead(null, "2020-01-02", null));
        Assert.Null(Expected.TryRead(null, "2020-01-02T00:00:00", null));
        Assert.Null(Expected.TryRead("rx-1", null, null));
    }

    [Fact]
    public void Details_show_every_member_of_every_event()
    {
        var file = Path.Combine(Scratch.Directory("verify"), "good.json");
        File.WriteAllBytes(file, made.File.ToArray());
        using var output = new StringWriter();
        VerifyCommand.Run(file, made.PublicFolder, "en", output, form: ReportForm.Details);
        Assert.Contains("      | where.region: 510000", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("      | actor.certificate: ", output.ToString(), StringComparison.Ordinal);
    }
}

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
}

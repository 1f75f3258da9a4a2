using System.Text.Json.Nodes;
using Trust.Cli.Verify;

namespace Trust.Cli.Tests.Verify;

/// <summary>Files and lists that once deceived a verifier. Those under <c>Vectors/verify</c> hold synthetic people and keys made for them.</summary>
public sealed class VerifierTests
{
    [Fact]
    public async Task Signatures_of_somebody_whose_act_was_refused_are_no_signatures()
    {
        var (code, text) = Verdict("one-refused-doctor");
        Assert.Equal(VerifyCommand.Refused, code);
        Assert.Contains("SIGN.deny refused", text, StringComparison.Ordinal);
        Assert.Contains("REFUSED [signer-not-logged]", text, StringComparison.Ordinal);
        Assert.StartsWith("REFUSED [signer-not-logged]", await Second("one-refused-doctor"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_opened_detail_stands_on_a_line_of_its_own_and_moves_no_cursor()
    {
        var (code, text) = Verdict("erase");
        Assert.Equal(VerifyCommand.Verified, code);
        Assert.Contains("      | ", text, StringComparison.Ordinal);
        Assert.Contains("\\u{1b}[2K\\u{1b}[1A", text, StringComparison.Ordinal);
        Assert.DoesNotContain(text, c => char.IsControl(c) && c is not '\n');
    }

    [Theory]
    [InlineData("\u001b[2K\rVERIFIED", "\\u{1b}[2K\\u{d}VERIFIED")]
    [InlineData("\u009b2KVERIFIED", "\\u{9b}2KVERIFIED")]
    [InlineData("a\u202egnp", "a\\u{202e}gnp")]
    [InlineData("a\u2028✔ #9", "a\\u{2028}✔ #9")]
    [InlineData("a\u200b\u00ad\ufeff", "a\\u{200b}\\u{ad}\\u{feff}")]
    [InlineData("a\U000e0041", "a\\u{e0041}")]
    [InlineData("a   VERIFIED", "a \\u{20}\\u{20}VERIFIED")]
    public void The_name_of_an_unknown_member_reaches_no_terminal_raw(string name, string shown)
    {
        var file = JsonNode.Parse(File.ReadAllText(Vector("erase.json")))!;
        file[name] = 1;
        var (code, text) = Verdict("erase", Canonical(file));
        Assert.Equal(VerifyCommand.Refused, code);
        Assert.Contains(shown, text, StringComparison.Ordinal);
        Assert.DoesNotContain(name, text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_text_is_cut()
    {
        var file = JsonNode.Parse(File.ReadAllText(Vector("erase.json")))!;
        file[new string('V', 100_000)] = 1;
        Assert.True(Verdict("erase", Canonical(file)).Text.Length < 2000);
    }

    [Fact]
    public async Task A_trusted_list_with_witnesses_and_no_quorum_is_none()
    {
        Assert.Equal(VerifyCommand.Unreadable, Verdict("list-without-quorum-no-cosignature").Code);
        Assert.StartsWith("cannot judge: trusted list: witnessQuorum", await Second("list-without-quorum-no-cosignature"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("version", "2")]
    [InlineData("version", "\"1\"")]
    [InlineData("unheardOf", "1")]
    [InlineData("roots", "[]")]
    [InlineData("roots", "null")]
    [InlineData("checkpointKeys", "[]")]
    [InlineData("witnessQuorum", "0")]
    [InlineData("witnessQuorum", "2")]
    [InlineData("witnessQuorum", "-1")]
    [InlineData("witnesses", "[]")]
    [InlineData("sources", "[{\"name\":\"ca\",\"batchKey\":\"AAAA\"}]")]
    public async Task A_trusted_list_of_another_form_is_none_for_either_verifier(string member, string value)
    {
        var list = JsonNode.Parse(File.ReadAllText(Vector("erase.list.json")))!;
        list[member] = JsonNode.Parse(value);
        Assert.Equal(VerifyCommand.Unreadable, Verdict("erase", list: list.ToJsonString()).Code);
        Assert.StartsWith("cannot judge: trusted list", await Judge(Vector("erase.json"), Changed("erase.list.json", list.ToJsonString())), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x\n\n")]
    [InlineData("\n\n")]
    [InlineData("")]
    [InlineData("x\n1\nAAAA\n\n\n")]
    public async Task A_note_of_any_form_gets_a_verdict(string note)
    {
        var file = JsonNode.Parse(File.ReadAllText(Vector("erase.json")))!;
        file["checkpoint"] = note;
        var (code, text) = Verdict("erase", Canonical(file));
        Assert.Equal(VerifyCommand.Refused, code);
        Assert.Contains("[checkpoint-malformed]", text, StringComparison.Ordinal);
        Assert.StartsWith("REFUSED [checkpoint-malformed]", await Judge(Changed("erase.json", Canonical(file)), Vector("erase.list.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_breaks_the_grammar_is_named_by_both_verifiers()
    {
        Assert.Contains("[body-malformed]", Verdict("body-breaks-five-rules").Text, StringComparison.Ordinal);
        Assert.Contains("body-malformed", await Second("body-breaks-five-rules"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_longer_than_a_file_may_be_is_not_read_to_its_end()
    {
        var (code, text) = (0, "");
        using (var output = new StringWriter())
        {
            code = VerifyCommand.Run("/dev/zero", Vector("erase.list.json"), "en", output);
            text = output.ToString();
        }

        Assert.Equal(VerifyCommand.Refused, code);
        Assert.Contains("[malformed-file]", text, StringComparison.Ordinal);
    }

    private static (int Code, string Text) Verdict(string name, string? file = null, string? list = null)
    {
        using var output = new StringWriter();
        var code = VerifyCommand.Run(Changed(name + ".json", file), Changed(name + ".list.json", list), "en", output);
        return (code, output.ToString());
    }

    private static string Canonical(JsonNode file) => System.Text.Encoding.UTF8.GetString(Crypto.Json.CanonicalJson.Encode(file));

    private static async Task<string> Second(string name) =>
        await Judge(Vector(name + ".json"), Vector(name + ".list.json"));

    private static async Task<string> Judge(string file, string list) =>
        await SecondVerifier.Judge(file, list, CancellationToken.None) ?? throw new InvalidOperationException("python3-cryptography is not installed");

    private static string Vector(string name) => Path.Combine(AppContext.BaseDirectory, "Vectors", "verify", name);

    private static string Changed(string name, string? content)
    {
        if (content is null)
        {
            return Vector(name);
        }

        var path = Path.Combine(TestKit.Scratch.Directory("verify"), name);
        File.WriteAllText(path, content);
        return path;
    }
}

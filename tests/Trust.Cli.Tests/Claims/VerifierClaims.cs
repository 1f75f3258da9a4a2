using System.Text.Json.Nodes;
using Trust.Cli.Verify;

namespace Trust.Cli.Tests.Claims;

/// <summary>
/// What the offline verifier accepts and shows today where a review says that it should not; each comment says what is right, and where the second
/// verifier is already right the test says so. The files under <c>Vectors/claims</c> hold synthetic people and keys made for them. Whoever mends a claim
/// turns its test.
/// </summary>
public sealed class VerifierClaims
{
    // A signature should count only beside a successful event of its own act, by another person for each act; here one doctor made all three, and the log holds one refusal.
    [Fact]
    public async Task V1_Three_signatures_of_one_doctor_whose_act_was_refused_are_verified()
    {
        var (code, text) = Verdict("one-refused-doctor");
        Assert.Equal(VerifyCommand.Verified, code);
        Assert.Contains("SIGN.deny refused", text, StringComparison.Ordinal);
        Assert.Contains("3 signatures are valid", text, StringComparison.Ordinal);
        Assert.StartsWith("VERIFIED", await Second("one-refused-doctor"), StringComparison.Ordinal);
    }

    // Everything that comes from the file should be shown with its control characters escaped; an opened detail erases lines of the report.
    [Fact]
    public void V2_An_opened_detail_puts_terminal_commands_into_the_report()
    {
        var (code, text) = Verdict("erase");
        Assert.Equal(VerifyCommand.Verified, code);
        Assert.Contains("\u001b[2K\u001b[1A", text, StringComparison.Ordinal);
    }

    // And so should the name of a member that has no place in the file: it overwrites the verdict on the screen.
    [Fact]
    public void V2_The_name_of_an_unknown_member_puts_terminal_commands_into_the_refusal()
    {
        var file = JsonNode.Parse(File.ReadAllText(Vector("erase.json")))!;
        file["\u001b[2K\rVERIFIED"] = 1;
        var (code, text) = Verdict("erase", Canonical(file));
        Assert.Equal(VerifyCommand.Refused, code);
        Assert.Contains("\u001b[2K\rVERIFIED", text, StringComparison.Ordinal);
    }

    // A list that names witnesses should have to name a quorum; today none is taken for 0, and a checkpoint without any cosignature verifies.
    [Fact]
    public async Task V4_A_trusted_list_with_witnesses_and_no_quorum_asks_for_no_cosignature()
    {
        var list = JsonNode.Parse(File.ReadAllText(Vector("list-without-quorum-no-cosignature.list.json")))!;
        Assert.NotEmpty(list["witnesses"]!.AsArray());
        Assert.Null(list["witnessQuorum"]);
        Assert.Equal(VerifyCommand.Verified, Verdict("list-without-quorum-no-cosignature").Code);
        Assert.StartsWith("REFUSED", await Second("list-without-quorum-no-cosignature"), StringComparison.Ordinal);
    }

    // A list of an unknown version, or with members nobody reads, should be refused.
    [Theory]
    [InlineData("version", "2")]
    [InlineData("unheardOf", "1")]
    public void V4_A_trusted_list_of_another_form_is_taken(string member, string value)
    {
        var list = JsonNode.Parse(File.ReadAllText(Vector("erase.list.json")))!;
        list[member] = JsonNode.Parse(value);
        Assert.Equal(VerifyCommand.Verified, Verdict("erase", list: list.ToJsonString()).Code);
    }

    // Any file gets a verdict; today a note that ends in an empty line ends the program.
    [Fact]
    public void V5_A_note_that_ends_in_an_empty_line_ends_the_verifier_with_a_fault()
    {
        var file = JsonNode.Parse(File.ReadAllText(Vector("erase.json")))!;
        file["checkpoint"] = "x\n\n";
        Assert.ThrowsAny<ArgumentException>(() => Verdict("erase", Canonical(file)));
    }

    // LEDGER-FORMAT section 10 item 5 promises the grammar of bodies; today five broken rules pass, and the second verifier names them.
    [Fact]
    public async Task V6_A_body_that_breaks_five_rules_of_the_grammar_is_verified()
    {
        Assert.Equal(VerifyCommand.Verified, Verdict("body-breaks-five-rules").Code);
        Assert.Contains("body-malformed", await Second("body-breaks-five-rules"), StringComparison.Ordinal);
    }

    private static (int Code, string Text) Verdict(string name, string? file = null, string? list = null)
    {
        using var output = new StringWriter();
        var code = VerifyCommand.Run(Changed(name + ".json", file), Changed(name + ".list.json", list), "en", output);
        return (code, output.ToString());
    }

    private static string Canonical(JsonNode file) => System.Text.Encoding.UTF8.GetString(Crypto.Json.CanonicalJson.Encode(file));

    private static async Task<string> Second(string name) =>
        await SecondVerifier.Judge(Vector(name + ".json"), Vector(name + ".list.json"), CancellationToken.None) ?? throw new InvalidOperationException("python3-cryptography is not installed");

    private static string Vector(string name) => Path.Combine(AppContext.BaseDirectory, "Vectors", "claims", name);

    private static string Changed(string name, string? content)
    {
        if (content is null)
        {
            return Vector(name);
        }

        var path = Path.Combine(TestKit.Scratch.Directory("claim"), name);
        File.WriteAllText(path, content);
        return path;
    }
}

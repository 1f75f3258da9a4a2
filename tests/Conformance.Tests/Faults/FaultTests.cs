using System.Text.RegularExpressions;
using Trust.TestKit;

namespace Trust.Conformance.Tests.Faults;

/// <summary>The judge is judged: each named check of the provider is left out once, and a module must turn red.</summary>
public sealed partial class FaultTests(ITestOutputHelper output)
{
    private const string Sp = "fapi2-security-profile-final-";
    private const string Ciba = "fapi-ciba-id1-";
    private static readonly (string Plan, string Variant) Keys = (Table.Fapi2, "private_key_jwt+dpop");
    private static readonly (string Plan, string Variant) Signing = (Table.Fapi2Signing, "private_key_jwt+dpop+signing");

    // Check, and the module that notices that it is gone.
    private static readonly (string Check, (string Plan, string Variant) At, string Module)[] Noticed =
    [
        ("assertion.audience", Keys, Sp + "ensure-client-assertion-with-wrong-aud-fails"),
        ("assertion.subject", Keys, Sp + "ensure-client-assertion-with-no-sub-fails"),
        ("assertion.expiry", Keys, Sp + "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails"),
        ("assertion.not-before", Keys, Sp + "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails"),
        ("assertion.signature", Keys, Sp + "ensure-signed-client-assertion-with-RS256-fails"),
        ("par.request-uri", Keys, Sp + "par-authorization-request-containing-request_uri-form-param"),
        ("par.signed", Signing, Sp + "ensure-unsigned-request-at-par-endpoint-fails"),
        ("par.proof", Keys, Sp + "ensure-mismatched-dpop-jkt-fails"),
        ("authorize.redirect", (Table.Basic, "query"), "oidcc-ensure-registered-redirect-uri"),
        ("authorize.response-type", Keys, Sp + "ensure-response-type-token-fails"),
        ("authorize.pkce", Keys, Sp + "par-plain-pkce-rejected"),
        ("authorize.pushed", Keys, Sp + "ensure-unsigned-authorization-request-without-using-par-fails"),
        ("object.nested", Signing, Sp + "par-authorization-request-containing-request_uri"),
        ("object.audience", Signing, Sp + "ensure-request-object-with-bad-aud-fails"),
        ("object.dates", Signing, Sp + "ensure-request-object-without-exp-fails"),
        ("object.signature", Signing, Sp + "ensure-request-object-with-invalid-signature-fails"),
        ("code.client", Keys, Sp + "ensure-authorization-code-is-bound-to-client"),
        ("code.verifier", Keys, Sp + "incorrect-pkce-code-verifier-rejected"),
        ("code.key", Keys, Sp + "ensure-token-endpoint-fails-with-mismatched-dpop-jkt"),
        ("token.proof", Keys, Sp + "ensure-holder-of-key-required"),
        ("refresh.client", Keys, Sp + "refresh-token"),
        ("refresh.sender", Keys, Sp + "refresh-token"),
        ("logout.redirect", (Table.RpLogout, "query"), "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri"),
        ("decoupled.client", (Table.Ciba, "poll+private_key_jwt"), Ciba + "ensure-wrong-client-id-in-token-endpoint-request"),
    ];

    [Fact]
    public void Every_named_check_of_the_provider_stands_in_the_table()
    {
        var named = Directory.EnumerateFiles(Path.Combine(Cli.Program.RepositoryRoot(), "src", "Idp"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(f => CheckName().Matches(File.ReadAllText(f)).Select(m => m.Groups["name"].Value)).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(named.Distinct(StringComparer.Ordinal), named);
        Assert.Equal(named, Noticed.Select(n => n.Check).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Each_check_that_is_left_out_turns_a_module_red()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("TRUST_TEST_LONG") == "1", "runs with ./trust test --long: a build and an installation of its own");
        await using var build = await FaultyBuild.Start();
        var unnoticed = new List<string>();
        foreach (var (check, at, module) in Noticed)
        {
            build.Leave(null);
            if (await Fails(build, at, module) is { } before)
            {
                unnoticed.Add($"{check}: {module} is red while nothing is left out: {before}");
                continue;
            }

            build.Leave(check);
            var said = await Fails(build, at, module);
            output.WriteLine($"{check}: {said ?? "not noticed"}");
            if (said is null)
            {
                unnoticed.Add(check + ": " + module + " stays green");
            }
        }

        Assert.Empty(unnoticed);
    }

    private static async Task<string?> Fails(FaultyBuild build, (string Plan, string Variant) at, string module)
    {
        try
        {
            await Table.Judge(build.Run, at.Plan, at.Variant, module);
            return null;
        }
        catch (Exception e)
        {
            return e.Message;
        }
    }

    [GeneratedRegex("Check\\.Holds\\(\"(?<name>[a-z.-]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CheckName();
}

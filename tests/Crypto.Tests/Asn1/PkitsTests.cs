using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>
/// NIST's Public Key Interoperability Test Suite 1.0.1, from the distribution's package python3-cryptography-vectors: paths, lists,
/// policy inputs and outcomes in Vectors/pkits.tsv.
/// </summary>
public sealed class PkitsTests
{
    private const string Folder = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data";
    private static readonly DateTimeOffset At = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly CertificateUsage Any = new("any", (KeyUsages)511);
    private static readonly string[][] Rows = [.. File.ReadAllLines("Vectors/pkits.tsv").Skip(1).Select(l => l.Split('\t'))];

    // Valid by the plan, refused here on purpose (docs/DIVERGENCES.md); the text is what the refusal says.
    private static readonly Dictionary<string, string> Stricter = new(StringComparer.Ordinal)
    {
        ["4.1.4"] = "The signature algorithm is not supported.", // DSA
        ["4.1.5"] = "The signature algorithm is not supported.", // DSA with inherited parameters
        ["4.2.4"] = "A time has a fraction, or is before 2050 and not UTCTime.", // notBefore 2002 as GeneralizedTime
    };

    public static TheoryData<int, string> Tests => new(Rows.Select((r, i) => (i, r[0])));

    // The suite's RSA keys have 2048 bits; ours have at least 3072.
    [Theory]
    [MemberData(nameof(Tests))]
    public void A_path_of_the_plan_has_its_outcome(int row, string test)
    {
        var (valid, why) = Judge(Rows[row], minRsaBits: 2048);
        if (Stricter.TryGetValue(test, out var refusal))
        {
            Assert.Equal("valid", Rows[row][1]);
            Assert.Equal((false, refusal), (valid, why));
        }
        else
        {
            Assert.True(valid == (Rows[row][1] == "valid"), $"{test}: {why}");
        }
    }

    [Fact]
    public void Under_our_own_rules_every_valid_path_fails_at_its_short_keys_and_nothing_else()
    {
        var valid = Rows.Where(r => r[1] == "valid" && !Stricter.ContainsKey(r[0])).ToList();
        Assert.InRange(valid.Count, 90, Rows.Length);
        Assert.All(valid, r => Assert.Equal((false, nameof(PathRefusal.WeakKey)), Judge(r, PublicKeyCheck.MinRsaBits)));
    }

    [Fact]
    public void All_247_tests_of_the_file_are_run() => Assert.Equal(247, Rows.Length);

    private static (bool Valid, string Why) Judge(string[] row, int minRsaBits)
    {
        var certificates = new List<Certificate>();
        foreach (var name in row[4].Split(','))
        {
            if (!Certificate.TryParse(File.ReadAllBytes($"{Folder}/certs/{name}.crt"), out var certificate, out var why))
            {
                return (false, why);
            }

            certificates.Add(certificate);
        }

        var rules = new PathRules
        {
            MinRsaBits = minRsaBits,
            Policies = row[2] == "-" ? new HashSet<string>() : row[2].Split(',').Select(p => "2.16.840.1.101.3.2.1.48." + p[^1]).ToHashSet(StringComparer.Ordinal),
            ExplicitPolicy = row[3].Contains("explicit", StringComparison.Ordinal),
            MappingInhibited = row[3].Contains("no-mapping", StringComparison.Ordinal),
            AnyPolicyInhibited = row[3].Contains("no-any", StringComparison.Ordinal),
        };
        var budget = new SignatureBudget();
        var outcome = CertificatePath.Build(certificates[^1], certificates[1..^1], certificates[..1], At, Any, rules, budget, CancellationToken.None);
        if (outcome is not PathOutcome.Trusted trusted)
        {
            return (false, ((PathOutcome.Refused)outcome).Reason.ToString());
        }

        var status = new RevocationSearch(Lists(row), certificates[1..^1], At, rules, budget, CancellationToken.None).OfAll(trusted.Path);
        return (status is RevocationOutcome.Good, status.ToString());
    }

    private static List<CertificateList> Lists(string[] row) =>
    [
        .. row[5].Split(',')
            .Select(name => CertificateList.TryParse(File.ReadAllBytes($"{Folder}/crls/{name}.crl"), out var list, out _) ? list : null)
            .OfType<CertificateList>(),
    ];
}

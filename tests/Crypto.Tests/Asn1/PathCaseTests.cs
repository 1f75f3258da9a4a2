using System.Text.Json;
using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>The "path" suite of the case file.</summary>
public sealed class PathCaseTests
{
    private static readonly CertificateUsage Any = new("any", (KeyUsages)511);

    public static TheoryData<string> Names => PkiCases.Names("path");

    [Theory]
    [MemberData(nameof(Names))]
    public void A_path_has_the_verdict_it_must_have(string name)
    {
        var test = PkiCases.Get("path", name);
        Assert.Equal("any", test.GetProperty("usage").GetString());
        var (trusted, why) = Judge(test);
        Assert.True(test.Want() == (trusted ? "trusted" : "refused"), $"{name}: {why}");
    }

    private static (bool Trusted, string Why) Judge(JsonElement test)
    {
        var read = new List<Certificate>();
        foreach (var der in test.GetProperty("extra").EnumerateArray().Select(e => e.GetBytesFromBase64()).Prepend(test.Der("root")).Prepend(test.Der("leaf")))
        {
            if (!Certificate.TryParse(der, out var certificate, out var why))
            {
                return (false, why);
            }

            read.Add(certificate);
        }

        return CertificatePath.Build(read[0], read[2..], [read[1]], PkiCases.At, Any) switch
        {
            PathOutcome.Trusted => (true, "trusted"),
            var refused => (false, refused.ToString()),
        };
    }
}

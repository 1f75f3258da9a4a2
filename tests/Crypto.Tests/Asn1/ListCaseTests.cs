using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>The "crl" suite of the case file: a list, its issuer and a serial number.</summary>
public sealed class ListCaseTests
{
    public static TheoryData<string> Names => PkiCases.Names("crl");

    [Theory]
    [MemberData(nameof(Names))]
    public void A_list_says_what_it_must_say(string name)
    {
        var test = PkiCases.Get("crl", name);
        Assert.Equal(test.Want(), Judge(test.Der("list"), Certificate.Parse(test.Der("issuer")), Convert.FromHexString(test.GetProperty("serial").GetString()!)));
    }

    private static string Judge(byte[] der, Certificate issuer, byte[] serial)
    {
        if (!CertificateList.TryParse(der, out var list, out _))
        {
            return "unknown";
        }

        return RevocationCheck.Of(list, issuer, serial, PkiCases.At) switch
        {
            RevocationOutcome.Good => "good",
            RevocationOutcome.Revoked revoked => $"revoked {revoked.Reason}",
            _ => "unknown",
        };
    }
}

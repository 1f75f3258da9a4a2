using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>The "ocsp" suite of the case file: a response, the issuer of the certificate asked about and its serial number.</summary>
public sealed class OcspCaseTests
{
    public static TheoryData<string> Names => PkiCases.Names("ocsp");

    [Theory]
    [MemberData(nameof(Names))]
    public void A_response_says_what_it_must_say(string name)
    {
        var test = PkiCases.Get("ocsp", name);
        var outcome = OcspVerification.Verify(
            test.Der("response"), Certificate.Parse(test.Der("issuer")), Convert.FromHexString(test.GetProperty("serial").GetString()!), test.GetProperty("at").GetDateTimeOffset());
        var verdict = outcome switch
        {
            OcspOutcome.Answer { Response.Status: CertificateStatus.Good } => "good",
            OcspOutcome.Answer { Response.Status: CertificateStatus.Revoked } => "revoked",
            OcspOutcome.Answer => "unknown",
            _ => "refused",
        };
        Assert.True(test.Want() == verdict, $"{name}: {outcome}");
    }
}

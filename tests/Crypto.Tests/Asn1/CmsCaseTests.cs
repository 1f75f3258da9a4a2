using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>The "cms" suite of the case file.</summary>
public sealed class CmsCaseTests
{
    public static TheoryData<string> Names => PkiCases.Names("cms");

    [Theory]
    [MemberData(nameof(Names))]
    public void A_signature_has_the_verdict_it_must_have(string name)
    {
        var test = PkiCases.Get("cms", name);
        var outcome = CmsVerification.Verify(test.Der("cms"), test.GetProperty("contentType").GetString()!);
        Assert.True(test.Want() == (outcome is CmsOutcome.Valid ? "valid" : "refused"), $"{name}: {outcome}");
    }
}

using Trust.CA.Certificates;
using Trust.Crypto.Asn1;

namespace Trust.CA.Linting;

/// <summary>
/// The gate before the key: judges the very bytes that will be signed, read back from a copy with a throwaway signature, against
/// the plan, the profile and RFC 5280. What is not linted cannot be signed.
/// </summary>
public static class Linter
{
    /// <summary>Encodes a plan and judges the bytes.</summary>
    public static LintOutcome Lint(CertificatePlan plan) => Lint(plan, plan.Encode());

    /// <summary>Judges bytes against a plan.</summary>
    internal static LintOutcome Lint(CertificatePlan plan, byte[] tbs)
    {
        if (Copy(plan.Suite, tbs) is not { } copy || !Certificate.TryParse(copy, out var certificate, out _))
        {
            return new LintOutcome.Failed(["not-a-certificate"]);
        }

        var broken = Lints.All.Where(lint => !lint.Holds(certificate, plan)).Select(lint => lint.Name).ToList();
        return broken.Count == 0
            ? new LintOutcome.Passed(new LintedCertificate(plan, tbs))
            : new LintOutcome.Failed(broken);
    }

    private static byte[]? Copy(SignatureSuite suite, byte[] tbs)
    {
        try
        {
            return SignedStructure.Assemble(tbs, suite, Throwaway(suite));
        }
        catch (ArgumentException)
        {
            // Not even one DER element.
            return null;
        }
    }

    // Any well-formed value: it is never released and never verified.
    private static byte[] Throwaway(SignatureSuite suite)
    {
        var raw = new byte[suite.KeyKind == PublicKeyKind.Rsa ? 384 : 64];
        raw.AsSpan().Fill(1);
        return raw;
    }
}

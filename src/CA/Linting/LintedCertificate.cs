using Trust.CA.Certificates;

namespace Trust.CA.Linting;

/// <summary>To-be-signed bytes that passed the gate. Only <see cref="Linter"/> makes one, and it can be signed once.</summary>
public sealed class LintedCertificate
{
    private byte[]? _tbs;

    internal LintedCertificate(CertificatePlan plan, byte[] tbs)
    {
        Plan = plan;
        _tbs = tbs;
    }

    /// <summary>What was planned.</summary>
    public CertificatePlan Plan { get; }

    /// <summary>Hands the bytes out for signing, the first time only.</summary>
    /// <exception cref="InvalidOperationException">They were handed out before.</exception>
    public byte[] Redeem() => Interlocked.Exchange(ref _tbs, null)
        ?? throw new InvalidOperationException("These bytes were signed already: lint a new plan.");
}

/// <summary>What the gate says.</summary>
public abstract record LintOutcome
{
    private LintOutcome()
    {
    }

    /// <summary>May be signed.</summary>
    public sealed record Passed(LintedCertificate Certificate) : LintOutcome;

    /// <summary>May not; the names of all rules broken.</summary>
    public sealed record Failed(IReadOnlyList<string> Rules) : LintOutcome;
}

namespace Trust.Cli.Verify;

/// <summary>Why evidence is refused. Codes are stable.</summary>
/// <param name="Code">Kebab case.</param>
/// <param name="Index">Log index of the event at fault; null when it is not one event.</param>
/// <param name="Detail">Which member or key.</param>
public sealed record Finding(string Code, long? Index = null, string Detail = "");

/// <summary>Stops the verification with its first finding; never leaves this folder.</summary>
internal sealed class EvidenceRefusedException(Finding finding) : Exception(finding.Code)
{
    public Finding Finding => finding;

    public static void When(bool wrong, string code, long? index = null, string detail = "")
    {
        if (wrong)
        {
            throw new EvidenceRefusedException(new Finding(code, index, detail));
        }
    }
}

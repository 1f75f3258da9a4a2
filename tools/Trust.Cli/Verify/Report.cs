namespace Trust.Cli.Verify;

/// <summary>A verdict as an answer to what the reader wanted to know.</summary>
/// <param name="Verdict">What was found.</param>
/// <param name="Missed">The part of the expectation that a good file does not answer; null otherwise.</param>
internal sealed record Report(Verdict Verdict, string? Missed)
{
    /// <summary>Stable, kebab case.</summary>
    public string Word => ExitCode switch
    {
        VerifyCommand.Verified => "verified",
        VerifyCommand.NoEvent => "no-event",
        VerifyCommand.OtherQuestion => "other-question",
        _ => "refused",
    };

    /// <summary>What the command ends with.</summary>
    public int ExitCode => Verdict.Finding is not null ? VerifyCommand.Refused
        : Missed is not null ? VerifyCommand.OtherQuestion
        : Verdict.HasNoEvent ? VerifyCommand.NoEvent : VerifyCommand.Verified;
}

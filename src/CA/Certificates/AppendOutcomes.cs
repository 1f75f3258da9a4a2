using Trust.Kernel.Audit;

namespace Trust.CA.Certificates;

/// <summary>For events that are appended and never refused: those that only take rights away, and results of confirmed intents.</summary>
internal static class AppendOutcomes
{
    /// <summary>Holds the outbox to its word: a fact without its event must not be committed.</summary>
    /// <exception cref="InvalidOperationException">The event was refused.</exception>
    public static void IsNeverRefused(this AppendOutcome outcome)
    {
        if (outcome is not AppendOutcome.Appended)
        {
            throw new InvalidOperationException("An event that is never refused was refused: " + ((AppendOutcome.Refused)outcome).Reason.Code);
        }
    }
}

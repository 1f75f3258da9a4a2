namespace Trust.AuditLedger;

/// <summary>Named points of the sequencer where a test makes the process die or a step fail; does nothing in service.</summary>
internal class LedgerFaults
{
    /// <summary>Reached the point.</summary>
    /// <param name="point"><c>before-commit</c>, <c>after-commit</c>, <c>after-sign</c> or <c>after-swap</c>.</param>
    public virtual void At(string point)
    {
    }
}

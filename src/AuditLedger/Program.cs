namespace Trust.AuditLedger;

/// <summary>Entry point of the AuditLedger service.</summary>
public static class Program
{
    /// <summary>Runs the service.</summary>
    public static void Main(string[] args)
    {
        _ = args;
    }
}

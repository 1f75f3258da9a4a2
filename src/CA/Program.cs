namespace Trust.CA;

/// <summary>Entry point of the CA service.</summary>
public static class Program
{
    /// <summary>Runs the service.</summary>
    public static void Main(string[] args)
    {
        _ = args;
    }
}

namespace Trust.Idp;

/// <summary>Entry point of the Idp service.</summary>
public static class Program
{
    /// <summary>Runs the service.</summary>
    public static void Main(string[] args)
    {
        _ = args;
    }
}

namespace Trust.SignService;

/// <summary>Entry point of the SignService service.</summary>
public static class Program
{
    /// <summary>Runs the service.</summary>
    public static void Main(string[] args)
    {
        _ = args;
    }
}

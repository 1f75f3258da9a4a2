namespace Trust.Cli;

/// <summary>Entry point of the <c>trust</c> command.</summary>
public static class Program
{
    /// <summary>Runs one verb.</summary>
    public static int Main(string[] args) => args.Length == 0 ? 2 : 0;
}

using System.CommandLine;
using Trust.Cli.Testing;

namespace Trust.Cli;

/// <summary>The <c>trust</c> command.</summary>
public static class Program
{
    /// <summary>Runs one verb; the exit code is 0 only when everything it promises was done.</summary>
    public static Task<int> Main(string[] args)
    {
        var root = new RootCommand("Trust: identity, certificates, signatures and an audit ledger for internet healthcare.");
        root.Subcommands.Add(Test());
        return root.Parse(args is [] or ["help"] ? ["--help"] : args).InvokeAsync();
    }

    /// <summary>The repository, where <c>Trust.sln</c> lies.</summary>
    public static string RepositoryRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Trust.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException("Trust.sln was not found above the program.");
    }

    private static Command Test()
    {
        var extended = new Option<bool>("--long") { Description = "Add the long fault and mutation runs." };
        var filter = new Option<string?>("--class") { Description = "Only test classes of this full name; * matches anything." };
        var command = new Command("test", "Run every test against real PostgreSQL, SoftHSM2 and Chromium.") { extended, filter };
        command.SetAction((parsed, ct) => TestRun.Run(RepositoryRoot(), parsed.GetValue(extended), parsed.GetValue(filter), ct));
        return command;
    }
}

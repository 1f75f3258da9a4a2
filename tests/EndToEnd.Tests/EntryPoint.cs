using System.Text.Json;
using Trust.Cli.Local;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Trust.EndToEnd.Tests;

/// <summary>Runs the tests, or in a child process the set-up that a test kills.</summary>
internal static class EntryPoint
{
    /// <summary>First argument of the child that sets up: the folder and a file with its addresses follow.</summary>
    public const string SetUp = "--set-up";

    public static async Task<int> Main(string[] args)
    {
        if (args is [SetUp, var directory, var addresses])
        {
            var plan = JsonSerializer.Deserialize<AddressPlan>(await File.ReadAllTextAsync(addresses))!;
            await new Installation(directory, plan, Cli.Program.RepositoryRoot()).Start(Console.WriteLine, CancellationToken.None);
            return 0;
        }

        // As the entry point that xunit generates: `dotnet test` speaks the testing platform's protocol, a person runs the console.
        return args.Any(a => a is "--server" or "--internal-msbuild-node")
            ? await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await ConsoleRunner.Run(args);
    }
}

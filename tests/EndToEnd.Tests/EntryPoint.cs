using System.Text.Json;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Residency;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Trust.EndToEnd.Tests;

/// <summary>Runs the tests, or in a child process the set-up that a test kills.</summary>
internal static class EntryPoint
{
    /// <summary>First argument of the child that sets up: the folder and a file with its addresses follow.</summary>
    public const string SetUp = "--set-up";

    /// <summary>First argument of the child that sets up and then enrols somebody, with the same arguments. A token module knows one folder a process.</summary>
    public const string SetUpAndUse = "--set-up-and-use";

    public static async Task<int> Main(string[] args)
    {
        if (args is [SetUp or SetUpAndUse, var directory, var addresses])
        {
            var plan = JsonSerializer.Deserialize<AddressPlan>(await File.ReadAllTextAsync(addresses))!;
            var installation = new Installation(directory, plan, Cli.Program.RepositoryRoot());
            await installation.Start(Console.WriteLine, CancellationToken.None);
            if (args[0] is SetUpAndUse)
            {
                await using var world = await World.Open(installation, Cli.Program.RepositoryRoot(), CancellationToken.None);
                await world.ImportRegistry(CancellationToken.None);
                await world.RegisterClients(CancellationToken.None);
                await world.Enrol(0, CancellationToken.None);
            }

            return 0;
        }

        if (Recorder.Record is null && Environment.IsPrivilegedProcess)
        {
            return await Recorder.Run(args);
        }

        // As the entry point that xunit generates: `dotnet test` speaks the testing platform's protocol, a person runs the console.
        return args.Any(a => a is "--server" or "--internal-msbuild-node")
            ? await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await ConsoleRunner.Run(args);
    }
}

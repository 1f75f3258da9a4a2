using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Certificates;
using Trust.TestKit;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Trust.CA.Tests;

/// <summary>Runs the tests, or in a child process the service that dies at a commit point.</summary>
internal static class EntryPoint
{
    public static Task<int> Main(string[] args) =>
        DyingService.RunOr(args, Program.Service, (services, reached) => services.AddSingleton(new CommitPoints { Reached = reached }), Tests);

    // As the entry point that xunit generates: `dotnet test` speaks the testing platform's protocol, a person runs the console.
    private static Task<int> Tests(string[] args) => args.Any(a => a is "--server" or "--internal-msbuild-node")
        ? TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
        : ConsoleRunner.Run(args);
}

using Microsoft.Extensions.DependencyInjection;
using Trust.SignService.Signatures;
using Trust.TestKit;
using Xunit.Runner.InProc.SystemConsole;

namespace Trust.SignService.Tests;

/// <summary>Runs the tests, or in a child process the service that dies at a commit point.</summary>
internal static class EntryPoint
{
    public static Task<int> Main(string[] args) =>
        DyingService.RunOr(args, Program.Service, (services, reached) => services.AddSingleton(new CommitPoints { Reached = reached }), args => ConsoleRunner.Run(args));
}

using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Trust.Upgrade.Tests;

/// <summary>Runs the tests, or with the verb <c>make FOLDER</c> makes an installation by the code of this commit and keeps it in that folder.</summary>
internal static class EntryPoint
{
    public static async Task<int> Main(string[] args)
    {
        if (args is ["make", var folder])
        {
            await MakeInstallation.Make(folder, CancellationToken.None);
            return 0;
        }

        // As the entry point that xunit generates: `dotnet test` speaks the testing platform's protocol, a person runs the console.
        return args.Any(a => a is "--server" or "--internal-msbuild-node")
            ? await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await ConsoleRunner.Run(args);
    }
}

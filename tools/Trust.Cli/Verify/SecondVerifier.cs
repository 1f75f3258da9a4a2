using Trust.Cli.Local;

namespace Trust.Cli.Verify;

/// <summary>The second verifier, in Python: another language, other libraries, written from docs/LEDGER-FORMAT.md.</summary>
public static class SecondVerifier
{
    private static readonly string[] Interpreters = ["python3", "/usr/bin/python3"];

    /// <summary>The verdict line on a file; null where no Python with its cryptography package is installed.</summary>
    /// <param name="file">Evidence file.</param>
    /// <param name="trusted">Trusted list, JSON.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<string?> Judge(string file, string trusted, CancellationToken ct)
    {
        foreach (var python in Interpreters)
        {
            var (code, _) = await Run(python, ["-c", "import cryptography"], ct);
            if (code == 0)
            {
                return (await Run(python, [Path.Combine(Program.RepositoryRoot(), "tools", "verifier", "trust_verify.py"), file, trusted], ct)).Output.Trim();
            }
        }

        return null;
    }

    private static async Task<(int Code, string Output)> Run(string python, string[] arguments, CancellationToken ct)
    {
        try
        {
            using var process = Command.Start(python, arguments, null, redirect: true);
            process.StandardInput.Close();
            var error = process.StandardError.ReadToEndAsync(ct);
            var output = await process.StandardOutput.ReadToEndAsync(ct);
            await process.WaitForExitAsync(ct);
            return (process.ExitCode, output + await error);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (127, ""); // There is no such interpreter.
        }
    }
}

using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Trust.Cli.Local;

/// <summary>Runs other programs: arguments as a list, secrets by standard input or files, never in the arguments.</summary>
public static class Command
{
    /// <summary>Runs to the end and returns what was printed.</summary>
    /// <exception cref="CommandFailedException">The program is missing or ended with another code than 0.</exception>
    public static async Task<string> Run(string file, IEnumerable<string> arguments, CancellationToken ct, string? input = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var (code, output, error) = await Try(file, arguments, ct, input, environment);
        return code == 0 ? output : throw new CommandFailedException($"{Path.GetFileName(file)} ended with {code}: {Tail(error.Length == 0 ? output : error)}");
    }

    /// <summary>Runs to the end and returns code, standard output and standard error.</summary>
    /// <exception cref="CommandFailedException">The program is missing.</exception>
    public static async Task<(int Code, string Output, string Error)> Try(
        string file, IEnumerable<string> arguments, CancellationToken ct, string? input = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = Start(file, arguments, environment, redirect: true);
        var output = process.StandardOutput.ReadToEndAsync(ct);
        var error = process.StandardError.ReadToEndAsync(ct);
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
        }

        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts a program and leaves it running.</summary>
    /// <exception cref="CommandFailedException">The program is missing.</exception>
    public static Process Start(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, bool redirect)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = redirect, RedirectStandardOutput = redirect, RedirectStandardError = redirect,
        };
        if (redirect)
        {
            start.StandardOutputEncoding = start.StandardErrorEncoding = Encoding.UTF8;
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start) ?? throw new CommandFailedException($"{file} could not be started.");
        }
        catch (Win32Exception e)
        {
            throw new CommandFailedException($"{file} could not be started: {e.Message}");
        }
    }

    private static string Tail(string text) => text.Length <= 1200 ? text.Trim() : "…" + text[^1200..].Trim();
}

/// <summary>A program that Trust relies on failed; the message says which and how.</summary>
public sealed class CommandFailedException(string message) : Exception(message);

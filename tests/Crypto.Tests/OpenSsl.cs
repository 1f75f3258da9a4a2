using System.Diagnostics;

namespace Trust.Crypto.Tests;

/// <summary>The openssl command as an outside judge, in a directory of its own.</summary>
internal sealed class OpenSsl : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("trust-openssl-");

    public string Write(string name, ReadOnlyMemory<byte> content)
    {
        var path = Path.Combine(directory.FullName, name);
        File.WriteAllBytes(path, content.Span);
        return path;
    }

    public string WritePem(string name, string label, params ReadOnlyMemory<byte>[] der)
    {
        var path = Path.Combine(directory.FullName, name);
        File.WriteAllText(path, string.Join('\n', der.Select(d => System.Security.Cryptography.PemEncoding.WriteString(label, d.Span))) + "\n");
        return path;
    }

    public byte[] Read(string name) => File.ReadAllBytes(Path.Combine(directory.FullName, name));

    /// <summary>Runs a command; file names are relative to the directory.</summary>
    public (int ExitCode, string Output) Run(params string[] arguments)
    {
        using var process = new Process();
        process.StartInfo = new ProcessStartInfo("openssl", arguments)
        {
            WorkingDirectory = directory.FullName,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        var errors = new System.Text.StringBuilder();
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginErrorReadLine();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors);
    }

    /// <summary>Runs a command that must succeed.</summary>
    public string Accept(params string[] arguments)
    {
        var (code, output) = Run(arguments);
        Assert.True(code == 0, $"openssl {string.Join(' ', arguments)}\n{output}");
        return output;
    }

    public void Dispose() => directory.Delete(recursive: true);
}

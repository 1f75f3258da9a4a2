using System.CommandLine;

namespace Trust.Cli.Verify;

/// <summary><c>trust verify FILE</c>: checks an evidence file offline.</summary>
public static class VerifyCommand
{
    private static readonly string[] LocalFolders = ["installation", "demo"];

    /// <summary>Everything holds.</summary>
    public const int Verified = 0;

    /// <summary>The evidence is refused.</summary>
    public const int Refused = 1;

    /// <summary>A file cannot be read, or the trusted list is none.</summary>
    public const int Unreadable = 2;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var file = new Argument<FileInfo>("file") { Description = "Evidence file." };
        var trusted = new Option<string?>("--trusted")
        {
            Description = "Trusted list (JSON), or folder of published material; without it, that of the installation below .trust/. Get it from somewhere else than the evidence.",
        };
        var language = new Option<string>("--lang") { Description = "zh or en.", DefaultValueFactory = _ => "zh" };
        language.AcceptOnlyFromAmong("zh", "en");
        var command = new Command("verify", "Check an evidence file offline, and name the first thing that is wrong.") { file, trusted, language };
        command.SetAction(parsed => Run(parsed.GetValue(file)!.FullName, parsed.GetValue(trusted) ?? Local() ?? "trusted-list.json", parsed.GetValue(language)!, Console.Out));
        return command;
    }

    private static string? Local() => LocalFolders
        .Select(folder => Path.Combine(Program.RepositoryRoot(), ".trust", folder, "public", "trusted-list.json")).FirstOrDefault(File.Exists);

    /// <summary>Verifies and reports.</summary>
    /// <param name="file">Evidence file.</param>
    /// <param name="trusted">Trusted list, or folder of published material.</param>
    /// <param name="language"><c>en</c>, or <c>zh</c> for anything else.</param>
    /// <param name="output">Receives the report.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string file, string trusted, string language, TextWriter output)
    {
        TrustedList list;
        byte[] bytes;
        try
        {
            list = TrustedList.Load(trusted);
            bytes = File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            output.WriteLine(e.Message);
            return Unreadable;
        }

        var verdict = EvidenceVerifier.Verify(bytes, list);
        output.Write(VerdictText.Write(verdict, language is "en"));
        return verdict.Finding is null ? Verified : Refused;
    }
}

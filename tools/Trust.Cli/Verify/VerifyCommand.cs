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

    /// <summary>Everything holds, and there is no event: the identifier may be another.</summary>
    public const int NoEvent = 3;

    /// <summary>Everything holds, and the file is about another subject or period than was expected.</summary>
    public const int OtherQuestion = 4;

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
        var subject = new Option<string?>("--subject") { Description = "What the file must be about: kind:identifier (of a patient the key, 64 hexadecimal digits)." };
        var from = new Option<string?>("--from") { Description = "Begin of the period that the file must cover: RFC 3339 with an offset." };
        var to = new Option<string?>("--to") { Description = "Its end, exclusive." };
        var details = new Option<bool>("--details") { Description = "Every member of every event." };
        var json = new Option<bool>("--json") { Description = "The report as JSON." };
        var command = new Command("verify", "Check an evidence file offline, and name the first thing that is wrong. Exit: 0 verified, 1 refused, 2 unreadable, 3 no event, 4 about something else.")
        {
            file, trusted, language, subject, from, to, details, json,
        };
        command.SetAction(parsed => Expected.TryRead(parsed.GetValue(subject), parsed.GetValue(from), parsed.GetValue(to)) is { } expected
            ? Run(
                parsed.GetValue(file)!.FullName, parsed.GetValue(trusted) ?? Local() ?? "trusted-list.json", parsed.GetValue(language)!, Console.Out, expected,
                parsed.GetValue(json) ? ReportForm.Json : parsed.GetValue(details) ? ReportForm.Details : ReportForm.Lines)
            : Misread(Console.Out));
        return command;
    }

    private static string? Local() => LocalFolders
        .Select(folder => Path.Combine(Program.RepositoryRoot(), ".trust", folder, "public", "trusted-list.json")).FirstOrDefault(File.Exists);

    private static int Misread(TextWriter output)
    {
        output.WriteLine("--subject is kind:identifier; --from and --to are times of RFC 3339 with an offset, such as 2026-11-30T00:00:00+08:00.");
        return Unreadable;
    }

    /// <summary>Verifies and reports.</summary>
    /// <param name="file">Evidence file.</param>
    /// <param name="trusted">Trusted list, or folder of published material.</param>
    /// <param name="language"><c>en</c>, or <c>zh</c> for anything else.</param>
    /// <param name="output">Receives the report.</param>
    /// <param name="expected">What the file must be about; null for anything.</param>
    /// <param name="form">How to report.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string file, string trusted, string language, TextWriter output, Expected? expected = null, ReportForm form = ReportForm.Lines)
    {
        TrustedList list;
        byte[]? bytes;
        try
        {
            list = TrustedList.Load(trusted);
            bytes = BoundedFile.Read(file, Evidence.MaxBytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            output.WriteLine(Printable.Of(e.Message));
            return Unreadable;
        }

        var verdict = bytes is null ? EvidenceVerifier.TooLarge : EvidenceVerifier.Verify(bytes, list);
        var report = new Report(verdict, verdict.Finding is null ? (expected ?? Expected.Nothing).Missed(verdict) : null);
        output.Write(form is ReportForm.Json ? VerdictJson.Write(report) + "\n" : VerdictText.Write(report, language is "en", form is ReportForm.Details));
        return report.ExitCode;
    }
}

/// <summary>How to report.</summary>
public enum ReportForm
{
    /// <summary>One line an event.</summary>
    Lines,

    /// <summary>Every member of every event.</summary>
    Details,

    /// <summary>JSON.</summary>
    Json,
}

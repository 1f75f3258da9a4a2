using System.Text.Json;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>The cases of Vectors/pki-cases.json: structures that readers are known to get wrong, each with the verdict it must have.</summary>
internal static class PkiCases
{
    private static readonly JsonElement File = JsonDocument.Parse(System.IO.File.ReadAllText("Vectors/pki-cases.json")).RootElement;

    /// <summary>The instant the cases were made for, unless one says otherwise.</summary>
    public static DateTimeOffset At => File.GetProperty("at").GetDateTimeOffset();

    /// <summary>The names of one suite's cases, for a theory.</summary>
    public static TheoryData<string> Names(string suite) => [.. Of(suite).Select(c => c.GetProperty("name").GetString()!)];

    /// <summary>One case.</summary>
    public static JsonElement Get(string suite, string name) => Of(suite).Single(c => c.GetProperty("name").ValueEquals(name));

    /// <summary>A member that holds DER.</summary>
    public static byte[] Der(this JsonElement element, string member) => element.GetProperty(member).GetBytesFromBase64();

    /// <summary>What must come out.</summary>
    public static string Want(this JsonElement element) => element.GetProperty("want").GetString()!;

    private static IEnumerable<JsonElement> Of(string suite) =>
        File.GetProperty("cases").EnumerateArray().Where(c => c.GetProperty("suite").ValueEquals(suite));
}

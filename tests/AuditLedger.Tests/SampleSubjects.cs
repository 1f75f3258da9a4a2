using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Trust.AuditLedger.Tests;

/// <summary>Identifiers as they are in life, behind names that a test reads well with.</summary>
internal static partial class SampleSubjects
{
    /// <summary>The institution that most events are about.</summary>
    public const string Institution = "urn:mdid:o:01JD000000000000000000000B";

    /// <summary>The identifier behind the name of a prescription, <c>rx-…</c>; any other text is itself.</summary>
    public static string Id(string name) => Name.IsMatch(name) ? new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 16)).ToString("D") : name;

    /// <summary>A path with the identifiers in the place of names.</summary>
    public static string Path(string path) => InPath.Replace(path, m => "/" + Id(m.Value[1..]));

    [GeneratedRegex(@"\Arx-[a-z0-9-]+\z", RegexOptions.NonBacktracking)]
    private static partial Regex Name { get; }

    [GeneratedRegex(@"/rx-[a-z0-9-]+", RegexOptions.NonBacktracking)]
    private static partial Regex InPath { get; }
}

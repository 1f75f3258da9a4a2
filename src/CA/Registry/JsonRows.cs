using System.Text.Json;
using System.Text.RegularExpressions;
using Trust.Crypto.Json;
using Trust.Kernel.Hosting;

namespace Trust.CA.Registry;

/// <summary>Reads the rows of an import in JSON: an object with up to four lists of objects, nothing else in it.</summary>
internal static partial class JsonRows
{
    private static readonly JsonLimits Limits = new((int)ServiceHost.MaximumBody);

    /// <summary>Reads a body.</summary>
    public static ReadOutcome Read(ReadOnlySpan<byte> utf8)
    {
        if (!StrictJson.TryParse(utf8, Limits, out var root, out var refusal))
        {
            return new ReadOutcome.Malformed(CaRefusals.ImportNotJson.With("offset", refusal.Offset));
        }

        if (root.ValueKind is not JsonValueKind.Object)
        {
            return Malformed("$");
        }

        if (root.EnumerateObject().FirstOrDefault(m => !RowReader.Kinds.Any(k => k.List == m.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } unknown)
        {
            return Malformed("$." + Shown(unknown.Name));
        }

        var rows = new List<ReadRow>();
        foreach (var (list, kind) in RowReader.Kinds)
        {
            if (!root.TryGetProperty(list, out var elements) || elements.ValueKind is JsonValueKind.Null)
            {
                continue;
            }

            if (elements.ValueKind is not JsonValueKind.Array)
            {
                return Malformed("$." + list);
            }

            var index = 0;
            foreach (var element in elements.EnumerateArray())
            {
                if (FormFault(kind, element) is { } member)
                {
                    return Malformed($"$.{list}[{index}]{member}");
                }

                rows.Add(RowReader.Bind(kind, index++, new Fields(element)));
            }
        }

        return new ReadOutcome.Rows(rows);
    }

    // The member whose presence or kind is wrong, behind the row's path; null when there is none.
    private static string? FormFault(string kind, JsonElement row)
    {
        if (row.ValueKind is not JsonValueKind.Object)
        {
            return "";
        }

        var members = RowReader.MembersOf(kind);
        foreach (var member in row.EnumerateObject())
        {
            if (!members.ContainsKey(member.Name))
            {
                return "." + Shown(member.Name);
            }
        }

        foreach (var (member, required) in members)
        {
            var value = row.TryGetProperty(member, out var found) && found.ValueKind is not JsonValueKind.Null ? found : default;
            var right = value.ValueKind switch
            {
                JsonValueKind.Undefined => !required,
                JsonValueKind.String => !RowReader.IsList(member),
                JsonValueKind.Array => RowReader.IsList(member) && value.EnumerateArray().All(e => e.ValueKind is JsonValueKind.String),
                _ => false,
            };
            if (!right)
            {
                return "." + member;
            }
        }

        return null;
    }

    private static ReadOutcome.Malformed Malformed(string path) => new(CaRefusals.ImportMembers.With("member", path));

    // The name of an unknown member is the caller's text: repeated only when it can be nothing but a name.
    private static string Shown(string name) => Name().IsMatch(name) ? name : "?";

    [GeneratedRegex(@"\A[A-Za-z0-9_]{1,40}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Name();

    private sealed class Fields(JsonElement row) : IRowFields
    {
        public string? Text(string member) => row.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

        public IReadOnlyList<string> List(string member) => [.. row.GetProperty(member).EnumerateArray().Select(e => e.GetString()!)];
    }
}

using System.Globalization;
using System.Text;
using CsvHelper;
using CsvHelper.Configuration;
using Trust.Kernel.Hosting;

namespace Trust.CA.Registry;

/// <summary>
/// Reads one kind of row from CSV (RFC 4180, UTF-8, header line with the JSON member names). Lists inside a field are separated by
/// semicolons. What makes the file's form doubtful refuses the file; a row that cannot be read refuses itself.
/// </summary>
internal static class CsvRows
{
    private const int MostCharacters = 4096;

    private static CsvConfiguration Rfc4180 => new(CultureInfo.InvariantCulture)
    {
        Mode = CsvMode.RFC4180, Delimiter = ",", DetectDelimiter = false, TrimOptions = TrimOptions.None, AllowComments = false, IgnoreBlankLines = true,
        MaxFieldSize = MostCharacters,
    };

    /// <summary>Reads a file of one kind.</summary>
    /// <param name="utf8">The file, with or without byte order mark.</param>
    /// <param name="list"><c>institutions</c>, <c>practitioners</c>, <c>affiliations</c> or <c>filings</c>.</param>
    public static ReadOutcome Read(ReadOnlySpan<byte> utf8, string? list)
    {
        if (RowReader.Kinds.FirstOrDefault(k => k.List == list).Kind is not { } kind)
        {
            return new ReadOutcome.Malformed(CaRefusals.CsvKind);
        }

        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(utf8.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8);
        }
        catch (DecoderFallbackException)
        {
            return new ReadOutcome.Malformed(CaRefusals.CsvNotUtf8);
        }

        // RFC 4180 2.1 ends lines by CR LF; LF alone is what half the world writes, CR alone would make one line of the file.
        return text.Replace("\r\n", "\n", StringComparison.Ordinal).Contains('\r', StringComparison.Ordinal) ? new ReadOutcome.Malformed(CaRefusals.CsvLineEnds)
            : text.Count(c => c == '"') % 2 != 0 ? new ReadOutcome.Malformed(CaRefusals.CsvOpenQuote)
            : Parse(text, kind);
    }

    private static ReadOutcome Parse(string text, string kind)
    {
        using var reader = new StringReader(text);
        using var parser = new CsvParser(reader, Rfc4180);
        try
        {
            if (!parser.Read())
            {
                return new ReadOutcome.Malformed(CaRefusals.CsvEmpty);
            }

            var columns = parser.Record!;
            if (HeaderFault(columns, RowReader.MembersOf(kind)) is { } fault)
            {
                return new ReadOutcome.Malformed(fault);
            }

            var rows = new List<ReadRow>();
            while (parser.Read())
            {
                var fields = parser.Record!;
                rows.Add(fields.Length == columns.Length
                    ? RowReader.Bind(kind, rows.Count, new Fields(columns, fields))
                    : new ReadRow(kind, rows.Count, null, new RowFault("field-count")));
            }

            return new ReadOutcome.Rows(rows);
        }
        catch (BadDataException)
        {
            return new ReadOutcome.Malformed(CaRefusals.CsvQuotes.With("line", parser.RawRow));
        }
        catch (MaxFieldSizeException)
        {
            return new ReadOutcome.Malformed(CaRefusals.CsvFieldTooLong.With("line", parser.RawRow));
        }
    }

    private static Refusal? HeaderFault(string[] columns, IReadOnlyDictionary<string, bool> members)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < columns.Length; i++)
        {
            if (!members.ContainsKey(columns[i]) || !seen.Add(columns[i]))
            {
                return CaRefusals.CsvColumn.With("column", i + 1).With("columns", string.Join(", ", members.Keys));
            }
        }

        return members.FirstOrDefault(m => m.Value && !seen.Contains(m.Key)).Key is { } missing ? CaRefusals.CsvColumnMissing.With("member", missing) : null;
    }

    private sealed class Fields(string[] columns, string[] values) : IRowFields
    {
        public string? Text(string member) => Array.IndexOf(columns, member) is >= 0 and var at && values[at].Length > 0 ? values[at] : null;

        public IReadOnlyList<string> List(string member) =>
            Text(member)?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
    }
}

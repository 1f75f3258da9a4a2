using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Trust.Kernel.Hosting;

namespace Trust.CA.Registry;

/// <summary>
/// Reads one kind of row from CSV (RFC 4180, UTF-8, header line with the JSON member names). Lists inside a field are
/// separated by semicolons.
/// </summary>
public static class CsvRows
{
    private const int MaxField = 4096;

    /// <summary>Reads a file of one kind.</summary>
    /// <param name="utf8">The file, with or without byte order mark.</param>
    /// <param name="kind"><c>institutions</c>, <c>practitioners</c>, <c>affiliations</c> or <c>filings</c>.</param>
    /// <param name="rows">The rows when the form is right.</param>
    /// <param name="why">What is wrong otherwise, with its line.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> utf8, string? kind, [NotNullWhen(true)] out ImportRequest? rows, [NotNullWhen(false)] out Refusal? why)
    {
        (rows, why) = (null, null);
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(utf8.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8);
            var lines = Parse(text);
            if (lines.Count == 0)
            {
                why = CaRefusals.CsvEmpty;
                return false;
            }

            var records = lines.Skip(1).Select((fields, i) => new Record(lines[0], fields, i + 2)).ToList();
            rows = kind switch
            {
                "institutions" => new ImportRequest(Institutions: [.. records.Select(Institution)]),
                "practitioners" => new ImportRequest(Practitioners: [.. records.Select(Practitioner)]),
                "affiliations" => new ImportRequest(Affiliations: [.. records.Select(Affiliation)]),
                "filings" => new ImportRequest(Filings: [.. records.Select(Filing)]),
                _ => null,
            };
            why = rows is null ? CaRefusals.CsvKind : null;
            return why is null;
        }
        catch (MalformedCsvException e)
        {
            why = e.Refusal;
            return false;
        }
        catch (DecoderFallbackException)
        {
            why = CaRefusals.CsvNotUtf8;
            return false;
        }
    }

    private static InstitutionRow Institution(Record r) => new(
        r["creditCode"], r["name"], r["kind"], r["region"], r.Optional("registrationNumber"), r.OptionalTime("effectiveFrom"));

    private static PractitionerRow Practitioner(Record r) => new(
        r["name"], r["identityType"], r["identityNumber"], r["role"], r["licenceNumber"], r["category"],
        r["scope"].Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), r["region"],
        r.Optional("qualificationNumber"), r.Optional("state"), r.OptionalTime("effectiveFrom"));

    private static AffiliationRow Affiliation(Record r) => new(r["practitioner"], r["institution"], r["kind"], r.Time("from"), r.OptionalTime("to"));

    private static FilingRow Filing(Record r) => new(r["practitioner"], r["institution"], r["number"], r.Time("from"), r.OptionalTime("to"));

    private static List<List<string>> Parse(string text)
    {
        var lines = new List<List<string>>();
        var fields = new List<string>();
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted)
            {
                if (c != '"')
                {
                    field.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == '"' && field.Length == 0)
            {
                quoted = true;
            }
            else if (c is ',' or '\n')
            {
                EndField(fields, field);
                if (c == '\n')
                {
                    EndLine(lines, ref fields);
                }
            }
            else if (c != '\r')
            {
                field.Append(c);
            }

            if (field.Length > MaxField)
            {
                throw new MalformedCsvException(CaRefusals.CsvFieldTooLong.With("line", lines.Count + 1));
            }
        }

        if (quoted)
        {
            throw new MalformedCsvException(CaRefusals.CsvOpenQuote);
        }

        if (field.Length > 0 || fields.Count > 0)
        {
            EndField(fields, field);
            EndLine(lines, ref fields);
        }

        return lines;
    }

    private static void EndField(List<string> fields, StringBuilder field)
    {
        fields.Add(field.ToString());
        field.Clear();
    }

    private static void EndLine(List<List<string>> lines, ref List<string> fields)
    {
        if (fields.Count > 1 || fields[0].Length > 0)
        {
            lines.Add(fields);
        }

        fields = [];
    }

    private sealed class Record(List<string> names, List<string> values, int line)
    {
        public string this[string name] => Optional(name) ?? throw Missing(name);

        public string? Optional(string name)
        {
            if (values.Count != names.Count)
            {
                throw new MalformedCsvException(CaRefusals.CsvFieldCount.With("line", line).With("fields", values.Count).With("columns", names.Count));
            }

            var at = names.IndexOf(name);
            return at < 0 || values[at].Length == 0 ? null : values[at];
        }

        public DateTimeOffset Time(string name) => OptionalTime(name) ?? throw Missing(name);

        public DateTimeOffset? OptionalTime(string name) =>
            Optional(name) is not { } text ? null
            : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time
            : throw new MalformedCsvException(CaRefusals.CsvNoDate.With("line", line).With("member", name));

        private MalformedCsvException Missing(string name) => new(CaRefusals.CsvFieldMissing.With("line", line).With("member", name));
    }

    // Ends the reading of a line; caught in this file.
    private sealed class MalformedCsvException(Refusal refusal) : Exception
    {
        public Refusal Refusal => refusal;
    }
}

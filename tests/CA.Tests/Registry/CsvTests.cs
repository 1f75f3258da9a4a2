using System.Text;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;

namespace Trust.CA.Tests.Registry;

/// <summary>CSV (RFC 4180) says the same as JSON, or is refused.</summary>
public sealed class CsvTests(CaFixture ca)
{
    [Fact]
    public async Task A_file_with_CR_alone_is_refused() =>
        Assert.Equal("malformed-import", (await ca.ImportBytes(Input("csv-cr-only.csv"), "text/csv", "institutions")).Problem);

    [Theory]
    [InlineData("practitioner,institution,kind,from,To")]
    [InlineData("practitioner,institution,kind,from,to,to")]
    [InlineData("practitioner,institution,kind,from, to")]
    [InlineData("practitioner,institution,kind")]
    public async Task A_misspelt_doubled_or_missing_column_refuses_the_file(string header)
    {
        Assert.Equal("malformed-import", (await ca.ImportBytes(Encoding.UTF8.GetBytes(header + "\n"), "text/csv", "affiliations")).Problem);
        Assert.Equal("malformed-import", (await ca.ImportBytes(Input("csv-affiliation-end-misspelt.csv"), "text/csv", "affiliations")).Problem);
    }

    [Fact]
    public async Task One_bad_row_refuses_itself_alone()
    {
        var rows = Enumerable.Range(0, 4).Select(_ => Samples.Institution()).ToList();
        var csv = "creditCode,name,kind,region,effectiveFrom\n"
            + $"{rows[0].CreditCode},{rows[0].Name},hospital,510100,2020-01-01\n"
            + $"{rows[1].CreditCode},{rows[1].Name},hospital,510100,soon\n"
            + $"{rows[2].CreditCode},{rows[2].Name},hospital,510100\n"
            + $"{rows[3].CreditCode},,hospital,510100,\n";
        var (problem, results) = await ca.ImportBytes(Encoding.UTF8.GetBytes(csv), "text/csv", "institutions");
        Assert.Equal("", problem);
        Assert.Equal(["proposed", "date", "field-count", "missing"], results.Select(r => r.Rule ?? r.Result));
    }

    [Theory]
    [InlineData("Text/CSV")]
    [InlineData("text/csv; charset=UTF-8")]
    [InlineData("TEXT/CSV; charset=\"utf-8\"")]
    public async Task The_media_type_is_read_without_regard_to_case(string type)
    {
        var row = Samples.Institution();
        var (problem, results) = await ca.ImportBytes(Encoding.UTF8.GetBytes($"creditCode,name,kind,region\n{row.CreditCode},{row.Name},hospital,510100\n"), type, "institutions");
        Assert.Equal("", problem);
        Assert.Equal("proposed", results.Single().Result);
    }

    [Theory]
    [InlineData("text/csv; charset=gbk", "unsupported-media-type")]
    [InlineData("text/plain", "unsupported-media-type")]
    public async Task Another_media_type_or_charset_is_refused(string type, string rule) =>
        Assert.Equal(rule, (await ca.ImportBytes("creditCode,name,kind,region\n"u8.ToArray(), type, "institutions")).Problem);

    [Theory]
    [InlineData("X,\"甲\"乙,hospital,510100")]
    [InlineData("X,甲\"乙\",hospital,510100")]
    [InlineData("X,\"甲,hospital,510100")]
    [InlineData("X,\"甲\" ,hospital,510100")]
    public async Task Quotation_marks_that_RFC_4180_does_not_allow_refuse_the_file(string line) =>
        Assert.Equal("malformed-import", (await ca.ImportBytes(Encoding.UTF8.GetBytes("creditCode,name,kind,region\n" + line + "\n"), "text/csv", "institutions")).Problem);

    [Fact]
    public void Quoting_byte_order_mark_and_line_ends_are_read_as_written()
    {
        var read = Assert.IsType<ReadOutcome.Rows>(CsvRows.Read(
            "\uFEFFcreditCode,name,kind,region\r\nX,\"甲,\"\"乙\"\"\",hospital,510100\r\n\r\nY,丙,clinic,510100"u8, "institutions"));
        Assert.Equal(["甲,\"乙\"", "丙"], read.All.Select(r => ((InstitutionRow)r.Row!).Name));
    }

    [Fact]
    public void A_date_begins_in_Shanghai_and_an_instant_where_its_offset_says()
    {
        var read = Assert.IsType<ReadOutcome.Rows>(CsvRows.Read(
            "creditCode,name,kind,region,effectiveFrom\nX,甲,hospital,510100,2020-11-30\nX,甲,hospital,510100,2020-11-30T00:00:00Z\n"u8, "institutions"));
        Assert.Equal(
            [new DateTimeOffset(2020, 11, 29, 16, 0, 0, TimeSpan.Zero), new DateTimeOffset(2020, 11, 30, 0, 0, 0, TimeSpan.Zero)],
            read.All.Select(r => ((InstitutionRow)r.Row!).EffectiveFrom!.Value));
    }

    private static byte[] Input(string file) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Registry", "Inputs", file));
}

using System.Globalization;
using System.Text;
using Trust.LogFormat.Index;

namespace Trust.LogFormat.Tests;

/// <summary>The reader's own parsers against the platform's, or against the rule written down the long way.</summary>
public sealed class EventBodyReaderTests
{
    private const string Time = "2026-11-21T08:30:00.000000Z";

    private static readonly string Good = Encoding.UTF8.GetString(EventBody.TryBuild(
        new AuditEvent { Action = "AUTH.login", Actor = new Actor("urn:mdid:p:1"), Subjects = [], Outcome = EventOutcome.Success },
        new EventPlace("510000", "sign-1"), new DateTimeOffset(2026, 11, 21, 8, 30, 0, TimeSpan.Zero), out _)!.Bytes);

    [Fact]
    public void A_time_is_taken_exactly_when_the_platform_takes_it()
    {
        var random = new Random(11);
        var taken = 0;
        foreach (var text in Edges().Concat(Enumerable.Range(0, 30_000).Select(_ => Bent(random, Time, "0123456789-:.TZ 9"))))
        {
            var expected = DateTime.TryParseExact(text, "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);
            Assert.Equal(expected ? null : "time", Check(Good.Replace(Time, text, StringComparison.Ordinal)));
            taken += expected ? 1 : 0;
        }

        Assert.True(taken > 100);

        static IEnumerable<string> Edges() =>
            from date in new[] { "0000-01-01", "0001-01-01", "9999-12-31", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2026-04-31", "2026-00-10", "2026-13-10", "2026-10-00" }
            from time in new[] { "00:00:00.000000", "23:59:59.999999", "24:00:00.000000", "23:60:00.000000", "23:59:60.000000" }
            select $"{date}T{time}Z";
    }

    [Fact]
    public void An_identifier_is_taken_exactly_when_it_is_a_lower_case_uuid_of_version_7()
    {
        var random = new Random(12);
        var id = Good[(Good.IndexOf("\"id\":\"", StringComparison.Ordinal) + 6)..][..36];
        for (var i = 0; i < 30_000; i++)
        {
            var text = Bent(random, id, "0123456789abcdef-gF78");
            var expected = Guid.TryParseExact(text, "D", out var parsed) && parsed.Version == 7 && parsed.Variant is >= 8 and <= 0xB && string.Equals(text, parsed.ToString(), StringComparison.Ordinal);
            Assert.Equal(expected ? null : "id", Check(Good.Replace(id, text, StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData('\u007f')]
    [InlineData('\u0080')]
    [InlineData('\u009b')] // CSI: a terminal takes it as ESC [
    [InlineData('\u009f')]
    [InlineData('\u001b')]
    public void A_control_character_of_either_set_is_refused_in_every_text(char control) =>
        Assert.Equal("subject", Check(Good.Replace("urn:mdid:p:1", "a" + control + "b", StringComparison.Ordinal)));

    [Theory]
    [InlineData("\u00a0")]
    [InlineData("Â·Ã")]
    [InlineData("\u2028阿卜杜·卡迪尔")]
    public void What_only_looks_like_a_control_character_in_bytes_is_taken(string text) =>
        Assert.Null(Check(Good.Replace("urn:mdid:p:1", text, StringComparison.Ordinal)));

    [Theory]
    [InlineData("51000")]
    [InlineData("5100001")]
    [InlineData("51000a")]
    [InlineData("sichuan")]
    public void A_region_has_six_digits(string region) =>
        Assert.Equal("region", Check(Good.Replace("\"510000\"", $"\"{region}\"", StringComparison.Ordinal)));

    [Fact]
    public void An_action_is_taken_exactly_when_the_catalogue_has_it()
    {
        var random = new Random(13);
        var names = EventCatalogue.Names.Concat(["RX.issue", "GRANT.give", "RX.", "RX.Issue", "GRANT." + new string('a', 26), "GRANT." + new string('a', 27), "é", new string('A', 33)]).ToArray();
        foreach (var name in names.Concat(Enumerable.Range(0, 5_000).Select(_ => Bent(random, names[random.Next(names.Length - 2)], "abzAZ.R"))))
        {
            Assert.Equal(EventCatalogue.TryGetMode(name, out _) ? null : "unknown-action", Check(Good.Replace("AUTH.login", name, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void A_citizen_identity_number_is_found_wherever_it_stands()
    {
        var random = new Random(14);
        var found = 0;
        for (var i = 0; i < 60_000; i++)
        {
            var text = new StringBuilder();
            for (var part = random.Next(1, 6); part > 0; part--)
            {
                text.Append(random.Next(6) switch
                {
                    0 => Number(random),
                    1 => Number(random)[random.Next(3)..],
                    2 => new string('4', random.Next(1, 40)),
                    3 => "x",
                    4 => "12ab",
                    _ => ":-. 号"[random.Next(5)].ToString(),
                });
            }

            var bytes = Encoding.UTF8.GetBytes(text.ToString());
            Assert.True(Occurs(bytes) == IdentityNumber.Occurs(bytes), text.ToString());
            found += Occurs(bytes) ? 1 : 0;
        }

        Assert.True(found > 1_000);
    }

    [Fact]
    public void Distinct_keys_are_the_sorted_set()
    {
        var random = new Random(15);
        for (var count = 0; count <= EventBody.MaxSubjects; count++)
        {
            var keys = Enumerable.Range(0, count).Select(_ => Enumerable.Repeat((byte)random.Next(count + 1), SubjectKey.Size).ToArray()).ToArray();
            var expected = keys.Select(Convert.ToHexString).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
            Assert.Equal(string.Concat(expected), Convert.ToHexString(SubjectKeys.Distinct([.. keys.SelectMany(k => k)])));
        }
    }

    private static string? Check(string body) => EventBodyReader.Check(Encoding.UTF8.GetBytes(body));

    private static string Bent(Random random, string text, string with)
    {
        var characters = text.ToCharArray();
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            characters[random.Next(characters.Length)] = with[random.Next(with.Length)];
        }

        return new string(characters);
    }

    private static string Number(Random random)
    {
        var digits = "51010519491231" + random.Next(1000).ToString("D3", CultureInfo.InvariantCulture);
        int[] weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        return digits + "10X98765432"[digits.Select((d, i) => (d - '0') * weights[i]).Sum() % 11];
    }

    // Every run of letters and digits by itself.
    private static bool Occurs(byte[] text)
    {
        int[] weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        var runs = new string([.. text.Select(b => char.IsAsciiLetterOrDigit((char)b) ? (char)b : ' ')]).Split(' ');
        return runs.Any(run => run.Length == 18 && run[..17].All(char.IsAsciiDigit)
            && "10X98765432"[run[..17].Select((d, i) => (d - '0') * weights[i]).Sum() % 11] == (run[17] == 'x' ? 'X' : run[17])
            && int.Parse(run[10..12], CultureInfo.InvariantCulture) is >= 1 and <= 12 && int.Parse(run[12..14], CultureInfo.InvariantCulture) is >= 1 and <= 31);
    }
}

using CsCheck;
using Trust.Idp.Authorize;

namespace Trust.Idp.Tests.Authorize;

/// <summary>Authorization details (RFC 9396) are read strictly.</summary>
public sealed class AuthorizationDetailsTests : IDisposable
{
    private const string Institution = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1";
    private const string Digest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private const string Sign = $$"""{"type":"prescription_sign","digests":[{"alg":"sha-256","value":"{{Digest}}"}],"count":1,"institution":"{{Institution}}"}""";
    private const string Access = """{"type":"record_access","patient":"urn:mdid:pat:01J9ZZZZZZZZZZZZZZZZZZZZP1","classes":["diagnosis"],"purpose":"treatment","expires_at":"2026-11-30T16:00:00Z"}""";
    private readonly Asking _asking = new();

    [Fact]
    public void Documents_to_sign_and_access_to_a_record_are_read()
    {
        Assert.Null(Broken($"[{Sign},{Access}]", out var details));
        var signing = Assert.IsType<AuthorizationDetail.Signing>(details[0]);
        Assert.Equal((Digest, Institution), (Assert.Single(signing.Digests), signing.Institution.Value));
        Assert.Equal(new DateTimeOffset(2026, 11, 30, 16, 0, 0, TimeSpan.Zero), Assert.IsType<AuthorizationDetail.RecordAccess>(details[1]).ExpiresAt);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("[null]")]
    [InlineData("[{}]")]
    [InlineData("[{\"type\":7}]")]
    [InlineData("[{\"type\":\"payment\"}]")]
    [InlineData("[{\"type\":\"prescription_sign\"}]")]
    [InlineData("not json")]
    public void What_is_no_list_of_known_details_is_refused(string json) => Assert.NotNull(Broken(json, out _));

    [Theory]
    [InlineData("\"count\":1", "\"count\":2")]
    [InlineData("\"count\":1", "\"count\":\"1\"")]
    [InlineData("\"count\":1", "\"count\":1.5")]
    [InlineData("\"count\":1", "\"count\":1,\"count\":1")]
    [InlineData("\"count\":1", "\"count\":1,\"more\":1")]
    [InlineData("\"count\":1,", "")]
    [InlineData("sha-256", "md5")]
    [InlineData("\"value\"", "\"Value\"")]
    [InlineData("00112233445566778899aabbccddeeff0011", "00112233445566778899AABBCCDDEEFF0011")]
    [InlineData("00112233445566778899aabbccddeeff0011", "0011")]
    [InlineData("urn:mdid:o:", "urn:mdid:p:")]
    [InlineData("\"digests\":[", "\"digests\":[7,")]
    public void A_detail_of_another_form_is_refused(string part, string other) => Assert.NotNull(Broken("[" + Sign.Replace(part, other, StringComparison.Ordinal) + "]", out _));

    [Theory]
    [InlineData("2026-11-30T16:00:00Z", "2026-11-30T16:00:01Z")]
    [InlineData("2026-11-30T16:00:00Z", "2026-11-30T08:00:00Z")]
    [InlineData("2026-11-30T16:00:00Z", "2026-12-01")]
    [InlineData("2026-11-30T16:00:00Z", "2026-11-30T16:00:00")]
    [InlineData("\"treatment\"", "\"\"")]
    [InlineData("\"treatment\"", "\"<b>\"")]
    [InlineData("[\"diagnosis\"]", "[]")]
    [InlineData("[\"diagnosis\"]", "[\"diagnosis\",1]")]
    [InlineData("[\"diagnosis\"]", "\"diagnosis\"")]
    [InlineData("urn:mdid:pat:", "urn:mdid:p:")]
    public void Access_without_bounds_is_refused(string part, string other) => Assert.NotNull(Broken("[" + Access.Replace(part, other, StringComparison.Ordinal) + "]", out _));

    [Fact]
    public void One_document_twice_too_many_and_two_institutions_are_refused()
    {
        Assert.NotNull(Broken($$"""[{"type":"prescription_sign","digests":[{"alg":"sha-256","value":"{{Digest}}"},{"alg":"sha-256","value":"{{Digest}}"}],"count":2,"institution":"{{Institution}}"}]""", out _));
        string Many(int count) => "[{\"type\":\"record_sign\",\"digests\":["
            + string.Join(',', Enumerable.Range(0, count).Select(i => $$"""{"alg":"sha-256","value":"{{i:x64}}"}""")) + $"],\"count\":{count},\"institution\":\"{Institution}\"}}]";
        Assert.Null(Broken(Many(64), out _));
        Assert.NotNull(Broken(Many(65), out _));
        Assert.NotNull(Broken($"[{Sign},{Sign.Replace("ZH1", "ZH2", StringComparison.Ordinal)}]", out _));
    }

    [Fact]
    public void A_type_that_the_client_did_not_register_is_refused() =>
        Assert.NotNull(AuthorizationDetails.Broken($"[{Sign}]", _asking.Client(types: "record_access"), Asking.Now, out _));

    [Fact]
    public void Whatever_is_sent_is_read_or_refused_and_never_a_fault()
    {
        var client = _asking.Client(types: [.. AuthorizationDetails.Types]);
        var good = $"[{Sign},{Access}]";
        Gen.OneOf(Gen.String, Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 6], Gen.String, (at, length, with) => good[..at] + with + good[Math.Min(good.Length, at + length)..]))
            .Sample(text => { _ = AuthorizationDetails.Broken(text, client, Asking.Now, out var details); Assert.DoesNotContain(null, details); }, iter: 20_000, threads: 1);
    }

    public void Dispose() => _asking.Dispose();

    private string? Broken(string json, out IReadOnlyList<AuthorizationDetail> details) => AuthorizationDetails.Broken(json, _asking.Client(types: [.. AuthorizationDetails.Types]), Asking.Now, out details);
}

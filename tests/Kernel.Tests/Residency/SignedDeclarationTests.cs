using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

/// <summary>Whose signatures make a declaration, and what makes a document one.</summary>
public sealed class SignedDeclarationTests
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();
    private static readonly Declaration Sample = TestDeclaration.Of(3, new Place("db", PlaceKind.Database, "127.0.0.1:5432/trust", "510000", PlaceTls.None, "test", new string('0', 64), Now.AddDays(1)));

    [Fact]
    public void Two_officers_and_ca_make_a_declaration()
    {
        var signed = SignedDeclaration.TryRead(TestDeclaration.Sign(Sample), TestDeclaration.Trust, out var fault);
        Assert.Equal("", fault);
        Assert.True(signed!.Accepted);
        Assert.Null(signed.Fault(TestDeclaration.Trust, Sample.IssuedAt, CancellationToken.None));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(0)]
    [InlineData]
    public void One_officer_twice_is_one_voice(params int[] officers)
    {
        var signed = SignedDeclaration.TryRead(TestDeclaration.Sign(Sample, officers), TestDeclaration.Trust, out _)!;
        Assert.Contains("2 officers must sign", signed.Fault(TestDeclaration.Trust, Sample.IssuedAt, CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public void Certificates_that_had_ended_when_the_document_was_written_do_not_count()
    {
        var late = Sample with { IssuedAt = Now.AddYears(3) };
        var signed = SignedDeclaration.TryRead(TestDeclaration.Sign(late), TestDeclaration.Trust, out _)!;
        Assert.Contains("Expired", signed.Fault(TestDeclaration.Trust, late.IssuedAt, CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public void No_changed_byte_of_a_signed_declaration_is_taken_for_the_declaration()
    {
        var bytes = TestDeclaration.Sign(Sample);
        var document = ResidencyTerms.Encode(Sample);
        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Byte[1, 255]).Sample((at, with) =>
        {
            var changed = bytes.ToArray();
            changed[at] ^= with;
            var read = SignedDeclaration.TryRead(changed, TestDeclaration.Trust, out _);
            Assert.True(read is null || read.Document.AsSpan().SequenceEqual(document));
        });
    }

    [Theory]
    [InlineData("region", "\"199999\"", "is not inside the mainland")]
    [InlineData("region", "\"810000\"", "is not inside the mainland")]
    [InlineData("version", "0", "needs format 1 and a version")]
    [InlineData("format", "2", "needs format 1 and a version")]
    [InlineData("more", "1", "unknown or of the wrong kind")]
    [InlineData("networks", "[{\"cidr\":\"10.0.0.0/33\",\"region\":\"510000\",\"attester\":\"a\",\"evidenceSha256\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"expires\":\"2030-01-01T00:00:00Z\"}]", "needs a network in CIDR form")]
    [InlineData("networks", "[{\"cidr\":\"10.0.0.0/8\",\"region\":\"199999\",\"attester\":\"a\",\"evidenceSha256\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"expires\":\"2030-01-01T00:00:00Z\"}]", "Region 199999 of 10.0.0.0/8 is not listed")]
    [InlineData("networks", "[{\"cidr\":\"10.0.0.0/8\",\"region\":\"510000\",\"attester\":\"\",\"evidenceSha256\":\"0\",\"expires\":\"2030-01-01T00:00:00Z\"}]", "an attester and the hash")]
    [InlineData("regions", "[{\"code\":\"510190\",\"parent\":\"510190\",\"name\":\"x\",\"from\":\"2026-01-01\"}]", "needs six digits, another parent")]
    [InlineData("rules", "[]", "No national rule holds")]
    public void A_document_that_does_not_hold_together_is_refused_by_what_is_wrong(string member, string value, string sentence)
    {
        var document = JsonNode.Parse(ResidencyTerms.Encode(Sample))!;
        document[member] = JsonNode.Parse(value);
        Assert.Null(ResidencyTerms.TryRead(Encoding.UTF8.GetBytes(document.ToJsonString()), Now, out var fault));
        Assert.Contains(sentence, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_place_is_declared_once_and_with_its_evidence()
    {
        var place = Sample.Places[0];
        foreach (var (places, sentence) in new (Place[], string)[]
        {
            ([place, place with { Address = "127.0.0.1:5433/trust" }], "declared twice"), ([place, place with { Name = "other" }], "declared twice"),
            ([place with { EvidenceSha256 = "00" }], "the hash of the evidence"), ([place with { Attester = "" }], "an attester"), ([place with { Region = "199999" }], "Region 199999 of db is not listed"),
        })
        {
            Assert.Null(ResidencyTerms.TryRead(ResidencyTerms.Encode(Sample with { Places = places }), Now, out var fault));
            Assert.Contains(sentence, fault, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_code_that_officers_added_is_a_region_of_places_and_networks()
    {
        var added = Sample with
        {
            Regions = [new AddedRegion("510190", "510100", "新区", new DateOnly(2026, 1, 1))], Places = [Sample.Places[0] with { Region = "510190" }],
        };
        var terms = ResidencyTerms.TryRead(ResidencyTerms.Encode(added), Now, out var fault);
        Assert.Equal("", fault);
        Assert.Equal("residency-3/gbt2260-202112+1", terms!.Version);
        Assert.Null(terms.Refuse(PlaceKind.Database, "127.0.0.1:5432/trust", ResidencyAction.Store, DataClass.Clinical, Now));
    }

    [Theory]
    [InlineData("10.1.2.3", "510000")]
    [InlineData("10.2.2.3", "500000")]
    [InlineData("::ffff:10.2.2.3", "500000")]
    [InlineData("11.0.0.1", null)]
    [InlineData("2001:db8::1", null)]
    public void A_caller_is_where_the_narrowest_declared_network_of_its_address_is(string address, string? region)
    {
        var declared = Sample with { Networks = [TestDeclaration.Network("10.0.0.0/8", "510000"), TestDeclaration.Network("10.2.0.0/16", "500000")] };
        var terms = ResidencyTerms.TryRead(ResidencyTerms.Encode(declared), Now, out _)!;
        Assert.Equal(region, terms.RegionOf(System.Net.IPAddress.Parse(address), Now));
        Assert.Null(terms.RegionOf(System.Net.IPAddress.Parse(address), Now.AddYears(2)));
    }

    // Chinese law counts days in Asia/Shanghai: eight hours before UTC's year, the new one has begun.
    [Fact]
    public void The_year_turns_where_the_law_is()
    {
        Assert.Equal(new DateOnly(2027, 1, 1), ResidencyTerms.DayOf(new DateTimeOffset(2026, 12, 31, 16, 0, 0, TimeSpan.Zero)));
        Assert.Equal(new DateOnly(2026, 12, 31), ResidencyTerms.DayOf(new DateTimeOffset(2026, 12, 31, 15, 59, 59, TimeSpan.Zero)));
    }
}

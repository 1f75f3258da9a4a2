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
    [InlineData("places", "[null]", "an element that is null")]
    [InlineData("rules", "[null]", "an element that is null")]
    [InlineData("networks", "[null]", "an element that is null")]
    [InlineData("regions", "[null]", "an element that is null")]
    [InlineData("neighbours", "[null]", "an element that is null")]
    [InlineData("neighbours", "[{\"region\":\"500000\",\"services\":{\"ca\":null},ATTESTED}]", "an element that is null")]
    [InlineData("networks", "[{\"cidr\":\"10.0.0.0/8\",\"region\":\"510000\",ATTESTED},{\"cidr\":\"::a00:0/104\",\"region\":\"510000\",ATTESTED},{\"cidr\":\"0:0:0:0:0:0:a00:0/104\",\"region\":\"500000\",ATTESTED}]", "A network is declared twice")]
    [InlineData("places", "[{\"name\":\"db\",\"kind\":\"database\",\"address\":\"127.0.0.1:5432/trust\",\"region\":\"510000\",\"tls\":-1,ATTESTED}]", "of the wrong kind at $.places[0].tls")]
    [InlineData("places", "[{\"name\":\"db\",\"kind\":0,\"address\":\"127.0.0.1:5432/trust\",\"region\":\"510000\",\"tls\":\"none\",ATTESTED}]", "of the wrong kind at $.places[0].kind")]
    public void A_document_that_does_not_hold_together_is_refused_by_what_is_wrong(string member, string value, string sentence)
    {
        var document = JsonNode.Parse(ResidencyTerms.Encode(Sample))!;
        document[member] = JsonNode.Parse(value.Replace("ATTESTED", $"\"attester\":\"a\",\"evidenceSha256\":\"{new string('0', 64)}\",\"expires\":\"2030-01-01T00:00:00Z\"", StringComparison.Ordinal));
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

    public static TheoryData<AddedRegion[], string> Lifts => new()
    {
        { [new AddedRegion("810000", "000000", "x", new DateOnly(2020, 1, 1))], "71, 81, 82" },
        { [new AddedRegion("710199", "000000", "x", new DateOnly(2020, 1, 1))], "71, 81, 82" },
        { [new AddedRegion("820001", "510000", "x", new DateOnly(2020, 1, 1))], "71, 81, 82" },
        { [new AddedRegion("510100", "810000", "x", new DateOnly(2020, 1, 1))], "in or out of the mainland" },
        // By a step between, and by one that changes later.
        { [new AddedRegion("990000", "810000", "x", new DateOnly(2020, 1, 1)), new AddedRegion("510000", "990000", "x", new DateOnly(2020, 1, 1))], "in or out of the mainland" },
        {
            [
                new AddedRegion("990000", "000000", "x", new DateOnly(2020, 1, 1), new DateOnly(2090, 1, 1)), new AddedRegion("990000", "810000", "x", new DateOnly(2090, 1, 1)),
                new AddedRegion("510000", "990000", "x", new DateOnly(2020, 1, 1)),
            ], "in or out of the mainland"
        },
    };

    [Theory]
    [MemberData(nameof(Lifts))]
    public void No_code_of_the_table_is_taken_in_or_out_of_the_mainland_by_adding_it(AddedRegion[] added, string sentence)
    {
        Assert.Null(ResidencyTerms.TryRead(ResidencyTerms.Encode(Sample with { Regions = added }), Now, out var fault));
        Assert.Contains(sentence, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_code_of_the_table_may_move_within_the_mainland()
    {
        var moved = Sample with { Regions = [new AddedRegion("510131", "510700", "x", new DateOnly(2026, 1, 1)), new AddedRegion("451021", "451000", "田阳县", new DateOnly(2026, 1, 1))] };
        Assert.NotNull(ResidencyTerms.TryRead(ResidencyTerms.Encode(moved), Now, out var fault));
        Assert.Equal("", fault);
    }

    [Theory]
    [InlineData(PlaceKind.Database, "10.9.9.9:5432/trust", false)]
    [InlineData(PlaceKind.Database, "db.example:5432/trust", false)]
    [InlineData(PlaceKind.Database, "fd00::1/trust", false)]
    [InlineData(PlaceKind.Database, "/run/postgresql/trust", true)]
    [InlineData(PlaceKind.Database, "127.0.0.3:5432/trust", true)]
    [InlineData(PlaceKind.Database, "::1/trust", true)]
    [InlineData(PlaceKind.Database, "localhost:5432/trust", true)]
    [InlineData(PlaceKind.Database, "localhost.example:5432/trust", false)]
    [InlineData(PlaceKind.Peer, "10.9.9.9:80", false)]
    [InlineData(PlaceKind.Peer, "[::1]:80", true)]
    [InlineData(PlaceKind.Peer, "[fd00::1]:80", false)]
    [InlineData(PlaceKind.Telemetry, "collector.example:4317", false)]
    [InlineData(PlaceKind.Webhook, "10.9.9.9:80", false)]
    [InlineData(PlaceKind.Resolver, "10.9.9.9:53", true)]
    public void A_place_over_a_network_is_not_declared_without_tls(PlaceKind kind, string address, bool taken)
    {
        var open = Sample with { Places = [Sample.Places[0] with { Kind = kind, Address = address }] };
        Assert.Equal(taken, ResidencyTerms.TryRead(ResidencyTerms.Encode(open), Now, out var fault) is not null);
        Assert.Equal(!taken, fault.Contains("place-without-tls", StringComparison.Ordinal));
        Assert.NotNull(ResidencyTerms.TryRead(ResidencyTerms.Encode(open with { Places = [open.Places[0] with { Tls = PlaceTls.Server }] }), Now, out _));
    }

    // What is in force was listed when it was issued; that a code ended since refuses what stands in it, and nothing else.
    [Fact]
    public void A_code_that_ended_since_refuses_its_places_and_leaves_the_declaration_in_force()
    {
        var added = Sample with
        {
            Regions = [new AddedRegion("510190", "510100", "新区", new DateOnly(2026, 1, 1), ResidencyTerms.DayOf(Now.AddDays(2)))],
            Places = [Sample.Places[0] with { Region = "510190", Expires = Now.AddYears(1) }, Sample.Places[0] with { Name = "other", Address = "/run/postgresql/trust", Expires = Now.AddYears(1) }],
        };
        var document = ResidencyTerms.Encode(added);
        Assert.Null(ResidencyTerms.TryRead(document, Now.AddDays(3), out var fault));
        Assert.Contains("Region 510190 of db is not listed", fault, StringComparison.Ordinal);
        var terms = ResidencyTerms.TryReadInForce(document, Now.AddDays(3), out _)!;
        Assert.Equal("CN-1", terms.Refuse(PlaceKind.Database, "127.0.0.1:5432/trust", ResidencyAction.Store, DataClass.Clinical, Now.AddDays(3))!.Rule);
        Assert.Null(terms.Refuse(PlaceKind.Database, "/run/postgresql/trust", ResidencyAction.Store, DataClass.Clinical, Now.AddDays(3)));
    }

    [Fact]
    public void The_end_of_a_narrow_network_does_not_hand_its_callers_to_a_wider_one()
    {
        var narrow = TestDeclaration.Network("10.2.0.0/16", "810000") with { Expires = Now.AddDays(1) };
        var terms = ResidencyTerms.TryRead(ResidencyTerms.Encode(Sample with { Networks = [TestDeclaration.Network("10.0.0.0/8", "510000"), narrow] }), Now, out _)!;
        Assert.Equal("810000", terms.RegionOf(System.Net.IPAddress.Parse("10.2.0.1"), Now));
        Assert.Null(terms.RegionOf(System.Net.IPAddress.Parse("10.2.0.1"), Now.AddDays(2)));
        Assert.Equal("510000", terms.RegionOf(System.Net.IPAddress.Parse("10.1.0.1"), Now.AddDays(2)));
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

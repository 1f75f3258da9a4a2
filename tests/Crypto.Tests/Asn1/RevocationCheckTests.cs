using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using static Trust.Crypto.Tests.Asn1.SampleList;
using GeneralName = Trust.Crypto.Asn1.GeneralName;
using CertificateList = Trust.Crypto.Asn1.CertificateList;

namespace Trust.Crypto.Tests.Asn1;

public sealed class RevocationCheckTests
{
    private const string Here = "http://127.0.0.3:7080/crl/issuing-1.crl";
    private const string Elsewhere = "http://127.0.0.3:7080/crl/issuing-2.crl";
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 8, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_complete_list_clears_and_revokes_with_reason_and_date()
    {
        var (path, issuing, root) = await Path();
        var other = await Leaf(issuing, Here);
        var ofRoot = await new SampleList(root, Now).Read();
        Assert.IsType<RevocationOutcome.Good>(OfAll(path, ofRoot, await new SampleList(issuing, Now).Revoke(other).Read()));
        var revoked = Assert.IsType<RevocationOutcome.Revoked>(OfAll(path, ofRoot, await new SampleList(issuing, Now).Revoke(other).Revoke(path[0], 4).Read()));
        Assert.Equal((RevocationReason.Superseded, Now), (revoked.Reason, revoked.At));
        // The list of the root revokes the issuing authority, and with it whatever the authority's own list says.
        var above = await new SampleList(root, Now).Revoke(issuing.Certificate).Read();
        Assert.Equal(RevocationReason.KeyCompromise, Assert.IsType<RevocationOutcome.Revoked>(OfAll(path, above, await new SampleList(issuing, Now).Read())).Reason);
    }

    [Fact]
    public async Task A_list_of_another_issuer_or_none_leaves_the_status_unknown()
    {
        var (path, _, root) = await Path();
        Assert.Equal(RevocationDoubt.NoList, Doubt(Of(path)));
        Assert.Equal(RevocationDoubt.NoList, Doubt(Of(path, await new SampleList(root, Now).Read())));
    }

    [Fact]
    public async Task Ages_are_kept()
    {
        var (path, issuing, _) = await Path();
        Assert.Equal(RevocationDoubt.FromTheFuture, Doubt(Of(path, await new SampleList(issuing, Now.AddMinutes(1)).Read())));
        Assert.Equal(RevocationDoubt.Stale, Doubt(Of(path, await new SampleList(issuing, Now.AddHours(-2)).Read())));
        Assert.Equal(RevocationDoubt.Stale, Doubt(Of(path, await new SampleList(issuing, Now) { NextUpdate = Now.AddHours(-1) }.Read())));
        Assert.IsType<RevocationOutcome.Good>(Of(path, await new SampleList(issuing, Now.AddDays(-7)) { NextUpdate = null }.Read()));
        Assert.Equal(RevocationDoubt.Stale, Doubt(Of(path, await new SampleList(issuing, Now.AddDays(-7).AddSeconds(-1)) { NextUpdate = null }.Read())));
    }

    [Fact]
    public async Task A_list_counts_only_under_a_key_that_may_sign_lists()
    {
        var (path, issuing, root) = await Path();
        var stranger = await SampleAuthority.Root(PublicKeyKind.P256, Now, "Sample Issuing");
        Assert.Equal(RevocationDoubt.NotSigned, Doubt(Of(path, [stranger.Certificate], await new SampleList(issuing, Now) { SignedBy = stranger }.Read())));

        // A second key of the same authority, certified by the same root, may.
        var second = await root.Subordinate("Sample Issuing", Now);
        var list = await new SampleList(issuing, Now) { SignedBy = second }.Read();
        Assert.Equal(RevocationDoubt.NotSigned, Doubt(Of(path, list)));
        var ofRoot = await new SampleList(root, Now).Read();
        Assert.IsType<RevocationOutcome.Good>(Of(path, [second.Certificate], list, ofRoot));
        // Not when that second certificate is revoked, or its status unknown.
        Assert.Equal(RevocationDoubt.NotSigned, Doubt(Of(path, [second.Certificate], list)));
        Assert.Equal(RevocationDoubt.NotSigned, Doubt(Of(path, [second.Certificate], list, await new SampleList(root, Now).Revoke(second.Certificate).Read())));
    }

    [Fact]
    public async Task A_partition_speaks_of_its_own_certificates_only()
    {
        var (path, issuing, _) = await Path();
        Assert.IsType<RevocationOutcome.Good>(Of(path, await Partition(issuing, Here).Read()));
        Assert.Equal(RevocationDoubt.NoList, Doubt(Of(path, await Partition(issuing, Elsewhere).Read())));
        Assert.IsType<RevocationOutcome.Revoked>(Of(path, await Partition(issuing, Here).Revoke(path[0]).Read()));
        Assert.IsType<RevocationOutcome.Good>(Of(path, await Partition(issuing, Here).Read(), await Partition(issuing, Elsewhere).Revoke(path[0]).Read()));
    }

    [Theory]
    [InlineData(true, false, false, true)]
    [InlineData(false, true, false, false)]
    [InlineData(false, false, true, false)]
    public async Task A_list_of_one_kind_of_certificate_says_nothing_of_another(bool users, bool authorities, bool attributes, bool speaks)
    {
        var (path, issuing, _) = await Path();
        var list = await new SampleList(issuing, Now) { Scope = new IssuingDistributionPoint(null, users, authorities, null, false, attributes) }.Read();
        Assert.Equal(speaks ? null : RevocationDoubt.NoList, Doubt(Of(path, list)));
    }

    [Fact]
    public async Task Lists_of_some_reasons_clear_only_together()
    {
        var (path, issuing, _) = await Path();
        var some = await Reasons(issuing, ReasonFlags.KeyCompromise | ReasonFlags.CACompromise).Read();
        var rest = await Reasons(issuing, ~(ReasonFlags.KeyCompromise | ReasonFlags.CACompromise) & 0x80FF).Read();
        Assert.Equal(RevocationDoubt.ReasonsMissing, Doubt(Of(path, some)));
        Assert.IsType<RevocationOutcome.Good>(Of(path, some, rest));
    }

    [Fact]
    public async Task A_delta_list_continues_its_complete_list_and_can_lift_a_hold()
    {
        var (path, issuing, _) = await Path();
        var complete = await new SampleList(issuing, Now) { Number = 5 }.Read();
        var held = await new SampleList(issuing, Now) { Number = 5 }.Revoke(path[0], 6).Read();
        var delta = await new SampleList(issuing, Now) { Number = 7, DeltaOf = 5 }.Revoke(path[0]).Read();
        var lifting = await new SampleList(issuing, Now) { Number = 7, DeltaOf = 5 }.Revoke(path[0], 8).Read();
        Assert.Equal(RevocationDoubt.NoList, Doubt(Of(path, delta)));
        Assert.IsType<RevocationOutcome.Revoked>(Of(path, complete, delta));
        Assert.Equal(RevocationReason.CertificateHold, Assert.IsType<RevocationOutcome.Revoked>(Of(path, held)).Reason);
        Assert.IsType<RevocationOutcome.Good>(Of(path, held, lifting));
        // One that builds on a later list than the one at hand does not continue it.
        var later = await new SampleList(issuing, Now) { Number = 9, DeltaOf = 6 }.Revoke(path[0], 8).Read();
        Assert.IsType<RevocationOutcome.Revoked>(Of(path, held, later));
        Assert.Equal(RevocationDoubt.Contradiction, Doubt(Of(path, await new SampleList(issuing, Now).Revoke(path[0], 8).Read())));
    }

    [Fact]
    public async Task An_indirect_list_speaks_of_the_issuers_it_names()
    {
        var (_, issuing, root) = await Path();
        var lists = await root.Subordinate("Lists", Now);
        var by = new GeneralNames(new Org.BouncyCastle.Asn1.X509.GeneralName(Name(lists.Certificate)));
        var point = new CrlDistPoint([new Org.BouncyCastle.Asn1.X509.DistributionPoint(Place(Here), null, by)]);
        var leaf = await Leaf(issuing, new CertificateExtension(Oids.CrlDistributionPoints, false, point.GetEncoded()));
        IReadOnlyList<Certificate> path = [leaf, issuing.Certificate, root.Certificate];
        var ofRoot = await new SampleList(root, Now).Read();
        Assert.IsType<RevocationOutcome.Good>(Of(path, [lists.Certificate], ofRoot, await Indirect(lists).Read()));
        Assert.IsType<RevocationOutcome.Revoked>(Of(path, [lists.Certificate], ofRoot, await Indirect(lists).Revoke(leaf, 1, Name(issuing.Certificate)).Read()));
        // The same serial number under the list's own name is another certificate.
        Assert.IsType<RevocationOutcome.Good>(Of(path, [lists.Certificate], ofRoot, await Indirect(lists).Revoke(leaf).Read()));
        // A list that is not indirect does not speak for others.
        Assert.Equal(RevocationDoubt.NoList, Doubt(Of(path, [lists.Certificate], ofRoot, await Partition(lists, Here).Read())));
    }

    [Fact]
    public async Task A_list_with_a_critical_extension_not_understood_is_no_list()
    {
        var (_, issuing, _) = await Path();
        Assert.False(CertificateList.TryParse(await new SampleList(issuing, Now).With("1.2.3.4", true, DerNull.Instance).Sign(), out _, out _));
        Assert.True(CertificateList.TryParse(await new SampleList(issuing, Now).With("1.2.3.4", false, DerNull.Instance).Sign(), out _, out _));
    }

    [Fact]
    public async Task A_serial_number_is_found_among_many_and_its_neighbours_are_not()
    {
        var (_, issuing, _) = await Path();
        var serials = Enumerable.Range(0, 5000).Select(_ => CertificateContent.NewSerialNumber()).ToList();
        var content = new CertificateListContent
        {
            Suite = issuing.Key.Suite, Issuer = new(issuing.Certificate.Subject.Span), AuthorityKeyIdentifier = issuing.Certificate.SubjectKeyIdentifier,
            Number = 1, ThisUpdate = Now, NextUpdate = Now.AddHours(1),
            Entries = [.. serials.Select((s, i) => new RevokedEntry(s, Now.AddMinutes(-i), RevocationReason.Superseded))],
        };
        var der = await SignedStructure.Sign(content.EncodeTbs(), issuing.Key.Suite, issuing.Key.Spki, issuing.Key.Signer, CancellationToken.None);
        Assert.True(CertificateList.TryParse(der, out var list, out var _));
        Assert.All(serials.Index(), s => Assert.Equal(Now.AddMinutes(-s.Index), list.Find(s.Item)!.RevokedAt));
        foreach (var serial in serials)
        {
            // The last eight bytes, by which the index is sorted, are the same; the number is another.
            serial[1] ^= 1;
            Assert.Null(list.Find(serial));
        }
    }

    [Theory]
    [InlineData("A006A004A4023000", false)] // a directory name without a name
    [InlineData("A00AA008A406300430020500", false)] // of what is no RDN
    [InlineData("A005A003880180", true)] // a registered identifier without an end
    [InlineData("A005A003800101", true)] // an otherName of one byte
    [InlineData("A007A005A303020100", true)] // no x400Address
    [InlineData("A00BA109300706035504030500", true)] // NULL for a common name
    [InlineData("A005A0038601618106000000000080", false)] // reasons beyond the list
    public async Task A_point_of_a_certificate_or_a_list_is_read_when_they_are_and_never_a_fault_later(string point, bool isRead)
    {
        var bytes = Convert.FromHexString(point);
        byte[] value = [0x30, (byte)(bytes.Length + 2), 0x30, (byte)bytes.Length, .. bytes];
        var (_, issuing, root) = await Path();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var content = issuing.Content(
            "leaf", key.Spki, Now, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation), new CertificateExtension(Oids.CrlDistributionPoints, false, value));
        var der = await SignedStructure.Sign(content.EncodeTbs(), issuing.Key.Suite, issuing.Key.Spki, issuing.Key.Signer, CancellationToken.None);
        Assert.Equal(isRead, Certificate.TryParse(der, out var leaf, out _));
        if (leaf is not null)
        {
            _ = Of([leaf, issuing.Certificate, root.Certificate], await new SampleList(issuing, Now).Read());
        }

        var list = await new SampleList(issuing, Now).With(Oids.IssuingDistributionPoint, true, Asn1Object.FromByteArray([0x30, (byte)bytes.Length, .. bytes])).Sign();
        Assert.Equal(isRead, CertificateList.TryParse(list, out var _, out _));
    }

    private static async Task<(IReadOnlyList<Certificate> Path, SampleAuthority Issuing, SampleAuthority Root)> Path()
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var issuing = await root.Subordinate("Sample Issuing", Now);
        return ([await Leaf(issuing, Here), issuing.Certificate, root.Certificate], issuing, root);
    }

    private static Task<Certificate> Leaf(SampleAuthority issuing, string address) => Leaf(issuing, CertificateExtension.CrlDistributionPoints(address));

    private static async Task<Certificate> Leaf(SampleAuthority issuing, CertificateExtension points)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        return await issuing.IssueLeaf("leaf", key.Spki, Now, KeyUsages.NonRepudiation, points);
    }

    private static SampleList Partition(SampleAuthority issuer, string address) =>
        new(issuer, Now) { Scope = new IssuingDistributionPoint(Place(address), false, false, null, false, false) };

    private static SampleList Indirect(SampleAuthority issuer) =>
        new(issuer, Now) { Scope = new IssuingDistributionPoint(Place(Here), false, false, null, true, false) };

    private static SampleList Reasons(SampleAuthority issuer, int flags) =>
        new(issuer, Now) { Scope = new IssuingDistributionPoint(null, false, false, new ReasonFlags(flags), false, false) };

    private static RevocationOutcome Of(IReadOnlyList<Certificate> path, params CertificateList[] lists) => Of(path, [], lists);

    private static RevocationOutcome Of(IReadOnlyList<Certificate> path, Certificate[] signers, params CertificateList[] lists) =>
        RevocationCheck.Of(path, 0, lists, signers, Now);

    private static RevocationOutcome OfAll(IReadOnlyList<Certificate> path, params CertificateList[] lists) => RevocationCheck.OfAll(path, lists, [], Now);

    private static RevocationDoubt? Doubt(RevocationOutcome outcome) => (outcome as RevocationOutcome.Unknown)?.Why;
}

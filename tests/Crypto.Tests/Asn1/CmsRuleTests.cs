using System.Formats.Asn1;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.Ess;
using Org.BouncyCastle.Asn1.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using Certificate = Trust.Crypto.Asn1.Certificate;
using Library = Org.BouncyCastle.Asn1.Cms;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>What a signature is held to beyond its mathematics: each structure here is well signed.</summary>
public sealed class CmsRuleTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;
    private static readonly byte[] Content = "处方"u8.ToArray();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Certificates_are_read_in_any_order(bool signerFirst)
    {
        var sample = await Sample.New();
        Certificate[] carried = signerFirst ? [sample.Signer, sample.Authority] : [sample.Authority, sample.Signer];
        var valid = Assert.IsType<CmsOutcome.Valid>(sample.Verify(certificates: new BerSet(carried.Select(c => Asn1Object.FromByteArray(c.Der.ToArray())).ToArray<Asn1Encodable>())));
        Assert.Equal(carried.Select(c => c.Sha256Hex), valid.Certificates.Select(c => c.Sha256Hex));
    }

    [Fact]
    public async Task One_signature_time_stamp_is_given_back_as_it_was_carried_and_two_are_refused()
    {
        var sample = await Sample.New();
        var token = new DerSequence(DerInteger.One);
        var valid = Assert.IsType<CmsOutcome.Valid>(sample.Verify(unsigned: new DerSet(Attribute(Oids.SignatureTimeStamp, token))));
        Assert.Equal(token.GetEncoded(), valid.SignatureTimeStamp!.Value.ToArray());
        Refused(CmsRefusal.Malformed, sample.Verify(unsigned: new DerSet(Attribute(Oids.SignatureTimeStamp, token), Attribute(Oids.SignatureTimeStamp, DerNull.Instance))));
        Refused(CmsRefusal.Malformed, sample.Verify(unsigned: new DerSet(Attribute(Oids.SignatureTimeStamp, token, DerNull.Instance))));
    }

    [Theory]
    [InlineData(Oids.ContentTypeAttribute)]
    [InlineData(Oids.MessageDigestAttribute)]
    [InlineData(Oids.SigningTimeAttribute)]
    [InlineData(Oids.SigningCertificateV2)]
    public async Task An_attribute_that_must_be_signed_is_refused_among_the_unsigned(string oid)
    {
        var sample = await Sample.New();
        Refused(CmsRefusal.Malformed, sample.Verify(unsigned: new DerSet(Attribute(oid, DerNull.Instance))));
    }

    [Fact]
    public async Task A_countersignature_is_let_through_only_where_nobody_signed_it()
    {
        var sample = await Sample.New();
        var counter = Attribute(Oids.CountersignatureAttribute, new DerSequence());
        Assert.IsType<CmsOutcome.Valid>(sample.Verify(unsigned: new DerSet(counter)));
        Refused(CmsRefusal.Malformed, sample.Verify(more: [counter]));
    }

    [Fact]
    public async Task The_signers_certificate_is_bound_by_any_good_hash_and_by_issuer_and_serial_number_when_they_are_there()
    {
        var sample = await Sample.New();
        var der = sample.Signer.Der.ToArray();
        var right = new IssuerSerial(sample.Signer.Structure.Issuer, sample.Signer.Structure.SerialNumber);
        var wrong = new IssuerSerial(sample.Signer.Structure.Issuer, DerInteger.One);
        Assert.IsType<CmsOutcome.Valid>(sample.Verify(id: new EssCertIDv2(new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha512)), SHA512.HashData(der))));
        Assert.IsType<CmsOutcome.Valid>(sample.Verify(id: new EssCertIDv2(SHA256.HashData(der), right)));
        Refused(CmsRefusal.SigningCertificate, sample.Verify(id: new EssCertIDv2(SHA256.HashData(der), wrong)));
        Refused(CmsRefusal.SigningCertificate, sample.Verify(id: new EssCertIDv2(new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha512)), SHA256.HashData(der))));
#pragma warning disable CA5350 // Shown to be refused.
        Refused(CmsRefusal.SigningCertificate, sample.Verify(id: new EssCertIDv2(new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha1)), SHA1.HashData(der))));
#pragma warning restore CA5350
        // The default hash, written.
        Refused(CmsRefusal.SigningCertificate, sample.Verify(id: new DerSequence(new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha256)), new DerOctetString(SHA256.HashData(der)))));
    }

    [Fact]
    public async Task Signed_attributes_out_of_order_and_BER_are_refused()
    {
        var sample = await Sample.New();
        var der = sample.Encode();
        Assert.IsType<CmsOutcome.Valid>(CmsVerification.Verify(der, Oids.CmsData));
        byte[] ber = [0x30, 0x80, .. der.AsSpan(der[1] == 0x82 ? 4 : 3), 0, 0];
        Refused(CmsRefusal.Malformed, CmsVerification.Verify(ber, Oids.CmsData));
        Refused(CmsRefusal.Malformed, CmsVerification.Verify(sample.Encode(reversed: true), Oids.CmsData));
    }

    [Fact]
    public async Task Four_thousand_damaged_sets_of_attributes_under_good_signatures_are_judged_without_a_fault()
    {
        var sample = await Sample.New();
        var attributes = CmsSignedData.EncodeSignedAttributes(Oids.CmsData, Content, sample.Signer, SignatureSuite.ES256, Now);
        var random = new Random(5035);
        var outcomes = new HashSet<string>();
        for (var i = 0; i < 4_000; i++)
        {
            var damaged = Mutation.Of(attributes, random);
            if (DerGate.Check(damaged, 4096) is null && damaged[0] == 0x31)
            {
                outcomes.Add(CmsVerification.Verify(sample.Encode(Asn1Set.GetInstance(damaged)), Oids.CmsData) is CmsOutcome.Refused refused ? refused.Reason.ToString() : "valid");
            }
        }

        Assert.Superset(new HashSet<string> { "valid", nameof(CmsRefusal.Malformed), nameof(CmsRefusal.MessageDigest), nameof(CmsRefusal.SigningCertificate) }, outcomes);
    }

    private static Library.Attribute Attribute(string oid, params Asn1Encodable[] values) => new(new DerObjectIdentifier(oid), new DerSet(values));

    private static void Refused(CmsRefusal reason, CmsOutcome outcome) => Assert.Equal(reason, Assert.IsType<CmsOutcome.Refused>(outcome).Reason);

    private sealed record Sample(Certificate Authority, Certificate Signer, SoftwareKey Key)
    {
        public static async Task<Sample> New()
        {
            var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
            var key = SoftwareKey.New(PublicKeyKind.P256);
            return new Sample(ca.Certificate, await ca.IssueLeaf("signer", key.Spki, Now, KeyUsages.NonRepudiation), key);
        }

        public CmsOutcome Verify(Asn1Set? certificates = null, Asn1Set? unsigned = null, Asn1Encodable? id = null, Library.Attribute[]? more = null)
        {
            Library.Attribute[] attributes =
            [
                Attribute(Oids.ContentTypeAttribute, new DerObjectIdentifier(Oids.CmsData)),
                Attribute(Oids.MessageDigestAttribute, new DerOctetString(SHA256.HashData(Content))),
                Attribute(Oids.SigningCertificateV2, new DerSequence(new DerSequence(id ?? new EssCertIDv2(SHA256.HashData(Signer.Der.Span))))),
                .. more ?? [],
            ];
            return CmsVerification.Verify(Encode(new DerSet(attributes), certificates, unsigned), Oids.CmsData);
        }

        public byte[] Encode(Asn1Set? attributes = null, Asn1Set? certificates = null, Asn1Set? unsigned = null, bool reversed = false)
        {
            attributes ??= Asn1Set.GetInstance(CmsSignedData.EncodeSignedAttributes(Oids.CmsData, Content, Signer, SignatureSuite.ES256, Now));
            // The signature of a set out of order is over that set, as a lenient verifier would have it.
            var signed = reversed ? new BerSet(attributes.ToArray().Reverse().ToArray()) : attributes;
            var over = signed.GetEncoded(reversed ? Asn1Encodable.DL : Asn1Encodable.Der);
            var info = new DerSequence(
                DerInteger.One,
                new Library.IssuerAndSerialNumber(Signer.Structure.Issuer, Signer.Structure.SerialNumber),
                new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha256)),
                Asn1Object.FromByteArray([0xA0, .. over.AsSpan(1)]),
                AlgorithmIdentifier.GetInstance(SignatureSuite.ES256.AlgorithmIdentifier.ToArray()),
                new DerOctetString(SignatureSuite.ES256.EncodeSignature(Key.Sign(SHA256.HashData(over)))));
            if (unsigned is not null)
            {
                info = new DerSequence(info.ToArray().Append(new DerTaggedObject(false, 1, unsigned)).ToArray());
            }

            certificates ??= new DerSet(Signer.Structure);
            return new BerSequence(new DerObjectIdentifier(Oids.CmsSignedData), new BerTaggedObject(true, 0, new BerSequence(
                DerInteger.One,
                new DerSet(new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha256))),
                new Library.ContentInfo(new DerObjectIdentifier(Oids.CmsData), new DerOctetString(Content)),
                new BerTaggedObject(false, 0, certificates),
                new BerSet(info)))).GetEncoded(Asn1Encodable.DL);
        }
    }
}

using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Org.BouncyCastle.Math;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using Time = Org.BouncyCastle.Asn1.X509.Time;
using CertificateList = Trust.Crypto.Asn1.CertificateList;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>Lists of every kind, also those that our own writer does not write.</summary>
internal sealed class SampleList(SampleAuthority issuer, DateTimeOffset thisUpdate)
{
    private readonly V2TbsCertListGenerator tbs = new();
    private readonly X509ExtensionsGenerator extensions = new();

    public DateTimeOffset? NextUpdate { get; init; } = thisUpdate.AddHours(1);

    public int? Number { get; init; } = 5;

    public int? DeltaOf { get; init; }

    public IssuingDistributionPoint? Scope { get; init; }

    /// <summary>Who signs; the issuer's own key when null.</summary>
    public SampleAuthority? SignedBy { get; init; }

    /// <summary>Adds an entry, of another authority's certificate when one is named.</summary>
    public SampleList Revoke(Certificate certificate, int reason = 1, X509Name? of = null)
    {
        var more = new X509ExtensionsGenerator();
        more.AddExtension(X509Extensions.ReasonCode, false, new CrlReason(reason));
        if (of is not null)
        {
            more.AddExtension(X509Extensions.CertificateIssuer, true, new GeneralNames(new Org.BouncyCastle.Asn1.X509.GeneralName(of)));
        }

        tbs.AddCrlEntry(new DerInteger(new BigInteger(1, certificate.SerialNumber.ToArray())), new Time(Whole(thisUpdate)), more.Generate());
        return this;
    }

    /// <summary>Adds any list extension.</summary>
    public SampleList With(string oid, bool critical, Asn1Encodable value)
    {
        extensions.AddExtension(new DerObjectIdentifier(oid), critical, value);
        return this;
    }

    public async Task<byte[]> Sign()
    {
        var signer = SignedBy ?? issuer;
        tbs.SetSignature(AlgorithmIdentifier.GetInstance(signer.Key.Suite.AlgorithmIdentifier.ToArray()));
        tbs.SetIssuer(Name(issuer.Certificate));
        tbs.SetThisUpdate(new Time(Whole(thisUpdate)));
        if (NextUpdate is { } next)
        {
            tbs.SetNextUpdate(new Time(Whole(next)));
        }

        if (Number is { } number)
        {
            _ = With(Oids.CrlNumber, false, DerInteger.ValueOf(number));
        }

        if (DeltaOf is { } complete)
        {
            _ = With(Oids.DeltaCrlIndicator, true, DerInteger.ValueOf(complete));
        }

        if (Scope is not null)
        {
            _ = With(Oids.IssuingDistributionPoint, true, Scope);
        }

        tbs.SetExtensions(extensions.Generate());
        var bytes = tbs.GenerateTbsCertList().GetEncoded(Asn1Encodable.Der);
        return await SignedStructure.Sign(bytes, signer.Key.Suite, signer.Key.Spki, signer.Key.Signer, CancellationToken.None);
    }

    public async Task<CertificateList> Read() =>
        CertificateList.TryParse(await Sign(), out var list, out var why) ? list : throw new InvalidOperationException(why);

    public static X509Name Name(Certificate certificate) => X509Name.GetInstance(certificate.Subject.ToArray());

    public static DistributionPointName Place(string uri) =>
        new(new GeneralNames(new Org.BouncyCastle.Asn1.X509.GeneralName(Org.BouncyCastle.Asn1.X509.GeneralName.UniformResourceIdentifier, uri)));

    private static DateTime Whole(DateTimeOffset instant) => instant.UtcDateTime.AddTicks(-(instant.UtcTicks % TimeSpan.TicksPerSecond));
}

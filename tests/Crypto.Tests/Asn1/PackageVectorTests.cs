using System.Security.Cryptography;
using System.Text;
using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>Certificates and lists of the distribution's package python3-cryptography-vectors: real ones, and ones made to be odd.</summary>
public sealed class PackageVectorTests
{
    private const string Folder = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/";

    [Theory]
    [InlineData("crl_almost_10k.pem")]
    [InlineData("crl_delta_crl_indicator.pem")]
    [InlineData("crl_empty_no_sequence.der")]
    [InlineData("crl_ian_aia_aki.pem")]
    [InlineData("crl_idp_fullname_indirect_crl.pem")]
    [InlineData("crl_idp_fullname_only.pem")]
    [InlineData("crl_idp_fullname_only_aa.pem")]
    [InlineData("crl_idp_fullname_only_user.pem")]
    [InlineData("crl_idp_only_ca.pem")]
    [InlineData("crl_idp_reasons_only.pem")]
    [InlineData("crl_idp_relative_user_all_reasons.pem")]
    [InlineData("crl_idp_relativename_only.pem")]
    public void A_list_of_the_package_is_read(string file) => Assert.True(CertificateList.TryParse(Read("custom/" + file), out _, out var why), why);

    [Theory]
    [InlineData("crl_all_reasons.pem", "not UTCTime")] // revocation dates before 2050 as GeneralizedTime
    [InlineData("crl_bad_version.pem", "version 2")]
    [InlineData("crl_empty.pem", "algorithm")] // SHA-1
    [InlineData("crl_invalid_time.der", "not valid")]
    [InlineData("crl_md2_unknown_crit_entry_ext.pem", "algorithm")]
    [InlineData("crl_unrecognized_extension.der", "not DER")] // an extension whose value is no structure
    public void A_list_of_the_package_is_refused_and_says_why(string file, string why)
    {
        Assert.False(CertificateList.TryParse(Read("custom/" + file), out _, out var said));
        Assert.Contains(why, said, StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_thousand_entries_of_anothers_list_are_found()
    {
        Assert.True(CertificateList.TryParse(Read("custom/crl_almost_10k.pem"), out var list, out var _));
        Assert.Equal(9999, list.Count);
        for (var serial = 1; serial <= list.Count; serial++)
        {
            Assert.NotNull(list.Find([(byte)(serial >> 8), (byte)serial]));
        }

        Assert.Null(list.Find([0x27, 0x10]));
    }

    [Fact]
    public void Each_certificate_of_the_package_is_read_or_refused_and_the_platform_reads_the_same()
    {
        var read = 0;
        foreach (var file in Directory.GetFiles(Folder, "*", SearchOption.AllDirectories).Where(f => f.EndsWith(".pem", StringComparison.Ordinal) || f.EndsWith(".der", StringComparison.Ordinal)))
        {
            if (Certificate.TryParse(Read(Path.GetRelativePath(Folder, file)), out var certificate, out var _))
            {
                using var platform = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificate(certificate.Der.Span);
                Assert.Equal(platform.SubjectName.RawData, certificate.Subject.ToArray());
                Assert.Equal(platform.NotAfter.ToUniversalTime(), certificate.NotAfter.UtcDateTime);
                read++;
            }
        }

        Assert.InRange(read, 30, 100);
    }

    private static byte[] Read(string file)
    {
        var bytes = File.ReadAllBytes(Folder + file);
        var text = Encoding.Latin1.GetString(bytes);
        return PemEncoding.TryFind(text, out var pem) ? Convert.FromBase64String(text[pem.Base64Data]) : bytes;
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;

namespace Trust.SignService.Keys;

/// <summary>
/// The time-stamping key, born in the service's token, and its certificate. Set-up writes <c>tsa/request.p10</c> into the data folder;
/// the ceremony answers with <c>tsa/certificate.pem</c> beside it (leaf, then issuers).
/// </summary>
public sealed class TimeStampKey(ServiceOptions options, IToken token, TimeProvider clock)
{
    /// <summary>The key's name in the token.</summary>
    public static readonly KeyRef Ref = new("tsa");

    private volatile Kept? kept;

    /// <summary>Leaf first, root excluded.</summary>
    /// <exception cref="FileNotFoundException">The ceremony has not certified the key yet.</exception>
    public IReadOnlyList<Certificate> Certificates
    {
        get
        {
            // A renewed certificate is used without a restart.
            var written = File.GetLastWriteTimeUtc(CertificateFile);
            return kept is { } known && known.Written == written ? known.Certificates : Read(written);
        }
    }

    /// <summary>The certificate in use; null while there is none.</summary>
    public Certificate? Installed => File.Exists(CertificateFile) && Certificates is [var leaf, ..] ? leaf : null;

    /// <summary>Whether the certificate is valid at an instant: a stamp made outside proves nothing to a relying party (RFC 3161 2.1).</summary>
    public bool IsValidAt(DateTimeOffset at) => Certificates is [var leaf, ..] && leaf.NotBefore <= at && at <= leaf.NotAfter;

    /// <summary>Signs with the key, for this service itself or for strangers.</summary>
    public DigestSigner SignerFor(TokenLane lane) => (digest, ct) => token.Sign(Ref, digest, lane, ct);

    private string CertificateFile => Path.Combine(options.DataDirectory, "tsa", "certificate.pem");

    /// <summary>Makes the key and its request; repeatable.</summary>
    public async Task Provision(CancellationToken ct)
    {
        var folder = Directory.CreateDirectory(Path.Combine(options.DataDirectory, "tsa")).FullName;
        var key = await token.FindOrGenerate(Ref, KeyAlgorithm.EcdsaP256, ct);
        var subject = new X500DistinguishedName($"CN=Time-stamping authority {options.Region}, C=CN");
        var request = await CertificationRequest.Create(
            subject, key.SubjectPublicKeyInfo,
            [CertificateExtension.KeyUsage(KeyUsages.DigitalSignature), CertificateExtension.ExtendedKeyUsage(critical: true, Oids.TimeStamping)],
            SignerFor(TokenLane.Service), ct);
        await File.WriteAllBytesAsync(Path.Combine(folder, "request.p10"), request, ct);
    }

    /// <summary>Whether the certificate is there and belongs to the key.</summary>
    public async ValueTask<Readiness> Check(CancellationToken ct)
    {
        if (!File.Exists(CertificateFile))
        {
            return new Readiness(false, "no certificate yet: run the ceremony");
        }

        var key = await token.Find(Ref, ct);
        if (key is null || Certificates is not [var leaf, ..] || !leaf.SubjectPublicKeyInfo.Span.SequenceEqual(key.SubjectPublicKeyInfo.Span))
        {
            return new Readiness(false, "the certificate is for another key");
        }

        return IsValidAt(clock.GetUtcNow())
            ? new Readiness(true, $"certified until {leaf.NotAfter:O}")
            : new Readiness(false, $"the certificate is valid from {leaf.NotBefore:O} to {leaf.NotAfter:O} only: nothing is stamped");
    }

    private IReadOnlyList<Certificate> Read(DateTime written)
    {
        try
        {
            IReadOnlyList<Certificate> read = [.. Certificate.ParsePem(File.ReadAllText(CertificateFile)).Where(c => !c.IsSelfIssued)];
            kept = new Kept(written, read);
            return read;
        }
        // Half written at this moment: the one in use serves until the file is whole.
        catch (Exception e) when (kept is not null && e is IOException or CryptographicException or FormatException)
        {
            return kept!.Certificates;
        }
    }

    private sealed record Kept(DateTime Written, IReadOnlyList<Certificate> Certificates);
}

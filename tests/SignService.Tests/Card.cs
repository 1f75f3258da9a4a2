using System.Buffers.Text;
using System.Security.Cryptography;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>A person's card: two keys, two certificates.</summary>
internal sealed class Card
{
    private readonly SoftwareKey signatureKey;
    private readonly SoftwareKey authenticationKey;

    private Card(SoftwareKey signatureKey, SoftwareKey authenticationKey, Certificate signature, Certificate authentication)
    {
        this.signatureKey = signatureKey;
        this.authenticationKey = authenticationKey;
        Signature = signature;
        Authentication = authentication;
    }

    public Certificate Signature { get; }

    public Certificate Authentication { get; }

    public static async Task<Card> Issue(SampleAuthority authority, string person, DateTimeOffset? at = null)
    {
        var (sign, login) = (SoftwareKey.New(PublicKeyKind.P256), SoftwareKey.New(PublicKeyKind.P256));
        var name = CertificateExtension.SubjectAltName(new GeneralName.Uri(person));
        var now = at ?? DateTimeOffset.UtcNow;
        return new Card(
            sign, login,
            await authority.IssueLeaf("holder", sign.Spki, now, KeyUsages.NonRepudiation, name, CertificateExtension.ExtendedKeyUsage(critical: false, Oids.DocumentSigning)),
            await authority.IssueLeaf("holder", login.Spki, now, KeyUsages.DigitalSignature, name, CertificateExtension.ExtendedKeyUsage(critical: false, Oids.ClientAuth)));
    }

    /// <summary>Hashes and signs as the client does.</summary>
    public string Sign(byte[] toBeSigned) => Value(signatureKey, toBeSigned);

    /// <summary>The same with the wrong key.</summary>
    public string SignByAuthenticationKey(byte[] toBeSigned) => Value(authenticationKey, toBeSigned);

    private static string Value(SoftwareKey key, byte[] toBeSigned)
    {
        return Base64Url.EncodeToString(key.Sign(SHA256.HashData(toBeSigned)));
    }
}

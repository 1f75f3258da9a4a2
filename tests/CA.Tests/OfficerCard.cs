using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.CA.Enrolment;
using Trust.Crypto.Asn1;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.CA.Tests;

/// <summary>An officer's card: a token with an authentication and a signature key.</summary>
public sealed class OfficerCard : IAsyncDisposable
{
    private static readonly KeyRef Authentication = new("authentication");
    private static readonly KeyRef Signature = new("signature");
    private static int _count;

    private readonly Pkcs11Token _card;
    private readonly string _directory;

    private OfficerCard(string name, Pkcs11Token card, string directory) => (Name, _card, _directory) = (name, card, directory);

    public string Name { get; }

    public X509Certificate2 Login { get; private set; } = null!;

    public X509Certificate2 SignatureCertificate { get; private set; } = null!;

    public static async Task<OfficerCard> Make(string name, string parent)
    {
        var directory = System.IO.Path.Combine(parent, $"officer-{Interlocked.Increment(ref _count)}");
        Directory.CreateDirectory(directory);
        var card = await Tokens.NewToken("officer");
        foreach (var key in new[] { Authentication, Signature })
        {
            var made = await card.Generate(key, KeyAlgorithm.EcdsaP256, default);
            var request = await CertificationRequest.Create(
                new X500DistinguishedName("CN=" + name), made.SubjectPublicKeyInfo, [], (digest, ct) => card.Sign(key, digest, ct), default);
            await File.WriteAllBytesAsync(System.IO.Path.Combine(directory, key.Label + ".p10"), request);
        }

        return new OfficerCard(name, card, directory);
    }

    public string Path(string file) => System.IO.Path.Combine(_directory, file);

    public async Task Load()
    {
        using var plain = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path("authentication.pem")));
        Login = await TokenTlsKey.Attach(plain, _card, Authentication, default);
        SignatureCertificate = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path("signature.pem")));
    }

    public async Task<byte[]> Sign(byte[] bytes) => await _card.Sign(Signature, SHA256.HashData(bytes), default);

    public async Task<ApprovalBody> Approval(string approval) => new(
        Convert.ToBase64String(await Sign(Convert.FromBase64String(approval))), Convert.ToBase64String(SignatureCertificate.RawData));

    public async Task<byte[]> AuthenticationSignature(byte[] bytes) => await _card.Sign(Authentication, SHA256.HashData(bytes), default);

    public async ValueTask DisposeAsync()
    {
        Login?.Dispose();
        SignatureCertificate?.Dispose();
        await _card.DisposeAsync();
    }
}

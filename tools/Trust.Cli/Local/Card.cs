using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;
using Trust.Pkcs11;

namespace Trust.Cli.Local;

/// <summary>
/// A person's USB key: a SoftHSM token of its own with two key pairs born in it, one to authenticate, one to sign. Neither
/// is ever used for the other's purpose, and only signatures and public keys come out.
/// </summary>
public sealed class Card : IAsyncDisposable
{
    /// <summary>The key for TLS client authentication.</summary>
    public static KeyRef AuthenticationKey { get; } = new("authentication");

    /// <summary>The key for signatures.</summary>
    public static KeyRef SignatureKey { get; } = new("signature");

    private readonly string _folder;
    private readonly Pkcs11Token _token;
    private X509Certificate2? _login;

    private Card(string label, string folder, Pkcs11Token token)
    {
        Label = label;
        _folder = folder;
        _token = token;
    }

    /// <summary>Token label, for example <c>card-zhang</c>.</summary>
    public string Label { get; }

    /// <summary>The card's authentication certificate, once issued.</summary>
    public Certificate Authentication => Read("authentication.pem");

    /// <summary>The card's signature certificate, once issued.</summary>
    public Certificate Signature => Read("signature.pem");

    /// <summary>Where an issued certificate is kept (the public part of a card).</summary>
    public string CertificateFile(KeyRef key) => Path.Combine(_folder, key.Label + ".pem");

    /// <summary>True when both certificates have been put on the card.</summary>
    public bool IsPersonalised => File.Exists(CertificateFile(AuthenticationKey)) && File.Exists(CertificateFile(SignatureKey));

    /// <summary>Opens a card, making the token and its two keys on first use.</summary>
    /// <param name="hsm">Token directory that holds the cards.</param>
    /// <param name="directory">Folder for the PIN file and certificates, one sub-folder a card.</param>
    /// <param name="label">Token label.</param>
    /// <param name="ct">Cancels between steps.</param>
    public static async Task<Card> Open(SoftHsm hsm, string directory, string label, CancellationToken ct)
    {
        var folder = Path.Combine(directory, label);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var token = await Pkcs11Token.Open(hsm.InitToken(label, Path.Combine(folder, "pin")), ct);
        foreach (var key in new[] { AuthenticationKey, SignatureKey })
        {
            if (await token.Find(key, ct) is null)
            {
                await token.Generate(key, KeyAlgorithm.EcdsaP256, ct);
            }
        }

        return new Card(label, folder, token);
    }

    /// <summary>Opens a card that is there, by any module, with its certificates beside it.</summary>
    /// <param name="options">Module, label and PIN file.</param>
    /// <param name="folder">Holds <c>authentication.pem</c> and <c>signature.pem</c>.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<Card> Open(TokenOptions options, string folder, CancellationToken ct) => new(options.TokenLabel, folder, await Pkcs11Token.Open(options, ct));

    /// <summary>A PKCS#10 request over one of the card's keys, signed by that key.</summary>
    public async Task<byte[]> Request(KeyRef key, string commonName, CancellationToken ct)
    {
        var known = await _token.Find(key, ct) ?? throw new CommandFailedException($"The card {Label} has no key {key.Label}.");
        return await CertificationRequest.Create(
            new X500DistinguishedName($"CN={commonName}, C=CN"), known.SubjectPublicKeyInfo, [], (digest, cancel) => _token.Sign(key, digest, cancel), ct);
    }

    /// <summary>Puts an issued certificate (PEM, leaf first) on the card, beside its key.</summary>
    public async Task Store(KeyRef key, string pem, CancellationToken ct)
    {
        await _token.StoreCertificate(key, Certificate.ParsePem(pem)[0].Der, ct);
        await File.WriteAllTextAsync(CertificateFile(key), pem, ct);
        _login = null;
    }

    /// <summary>Signs bytes with the signature key: the card hashes what it is shown, it never signs a hash made elsewhere.</summary>
    /// <returns>r‖s, 64 bytes.</returns>
    public Task<byte[]> Sign(byte[] bytes, CancellationToken ct) => Sign(SignatureKey, bytes, ct);

    /// <summary>Signs with a named key; with the authentication key only to show that such a signature is refused.</summary>
    public async Task<byte[]> Sign(KeyRef key, byte[] bytes, CancellationToken ct) => await _token.Sign(key, SHA256.HashData(bytes), ct);

    /// <summary>The certificate for TLS, its private key a callback into the token.</summary>
    public async Task<X509Certificate2> ForTls(KeyRef key, CancellationToken ct)
    {
        if (key == AuthenticationKey && _login is not null)
        {
            return _login;
        }

        using var certificate = X509CertificateLoader.LoadCertificateFromFile(CertificateFile(key));
        var attached = await TokenTlsKey.Attach(certificate, _token, key, ct);
        if (key == AuthenticationKey)
        {
            _login = attached;
        }

        return attached;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _login?.Dispose();
        await _token.DisposeAsync();
    }

    private Certificate Read(string file) => Certificate.ParsePem(File.ReadAllText(Path.Combine(_folder, file)))[0];
}

using System.Text;
using Trust.Pkcs11;

namespace Trust.CA.Registry;

/// <summary>Seals national identifiers and finds them again without showing them, by keys that never leave the CA token.</summary>
public sealed class RegistryKeys(IToken token)
{
    private static readonly KeyRef Encryption = new("registry-encryption");
    private static readonly KeyRef Lookup = new("registry-lookup");

    /// <summary>The keys of the token that this rests on.</summary>
    internal static IReadOnlyList<KeyRef> Keys { get; } = [Encryption, Lookup];

    /// <summary>Makes both keys when they are missing.</summary>
    public static async Task Provision(IToken token, CancellationToken ct)
    {
        _ = await token.FindOrGenerate(Encryption, KeyAlgorithm.Aes256, ct);
        _ = await token.FindOrGenerate(Lookup, KeyAlgorithm.HmacSha256, ct);
    }

    /// <summary>Seals a value to its owner: moved to another row it no longer opens.</summary>
    public async Task<byte[]> Seal(string owner, string value, CancellationToken ct) =>
        await token.Encrypt(Encryption, Encoding.UTF8.GetBytes(value), Encoding.UTF8.GetBytes(owner), ct);

    /// <summary>Opens what was sealed to its owner.</summary>
    public async Task<string> Open(string owner, byte[] sealedValue, CancellationToken ct) =>
        Encoding.UTF8.GetString(await token.Decrypt(Encryption, sealedValue, Encoding.UTF8.GetBytes(owner), ct));

    /// <summary>The 32 bytes under which a document of that kind and number is found.</summary>
    public async Task<byte[]> LookupOf(string type, string number, CancellationToken ct) =>
        await token.Mac(Lookup, Encoding.UTF8.GetBytes($"trust.identity.v1\n{type}\n{number}"), ct);
}

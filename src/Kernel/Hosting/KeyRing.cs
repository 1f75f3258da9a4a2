using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.Kernel.Hosting;

/// <summary>
/// The key ring of Data Protection, which protects the forms of pages: rows of the service's schema, so that its instances share it, each key
/// wrapped by a key of the token. Data Protection makes a new key before the last one ends (90 days).
/// </summary>
internal static class KeyRing
{
    /// <summary>The token key that wraps; made by <c>provision</c>, or with the first key of the ring.</summary>
    public static KeyRef Key { get; } = new("data-protection");

    /// <summary>Registers Data Protection over the service's database and token.</summary>
    public static void Add(IServiceCollection services, string service)
    {
        services.AddDataProtection().SetApplicationName("trust-" + service);
        services.AddSingleton(new RegisteredKey(Key));
        services.AddSingleton<KeyRingStore>().AddSingleton<TokenXmlEncryptor>();
        services.AddOptions<KeyManagementOptions>().Configure<KeyRingStore, TokenXmlEncryptor>((options, store, encryptor) => (options.XmlRepository, options.XmlEncryptor) = (store, encryptor));
        services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("key-ring", _ => ValueTask.FromResult(Probe(p.GetRequiredService<IDataProtectionProvider>()))));
    }

    /// <summary>
    /// Takes away what makes a ring at the start: without this, a service that protects nothing would have one in a file of its account,
    /// brought by authentication or pages, and a ring that cannot be read would end the process instead of making it unready.
    /// </summary>
    public static void NotAtStart(IServiceCollection services)
    {
        foreach (var maker in services.Where(s => s.ServiceType == typeof(IHostedService) && s.ImplementationType?.Name == "DataProtectionHostedService").ToList())
        {
            services.Remove(maker);
        }
    }

    // By a round trip: the ring is read when it is not in memory, and then the exception says that it cannot be.
    private static Readiness Probe(IDataProtectionProvider provider)
    {
        var protector = provider.CreateProtector("readiness");
        return new Readiness(protector.Unprotect(protector.Protect([1])) is [1], "protects");
    }
}

/// <summary>
/// The rows of <c>key_ring</c>. A row carries a seal of the token over its name and document: one that was changed, exchanged or written by someone
/// without the token makes the whole ring unreadable, and the service unready.
/// </summary>
internal sealed class KeyRingStore(NpgsqlDataSource db, IToken token, TimeProvider clock) : IXmlRepository
{
    private const string ReadAll = "SELECT name, document, seal FROM key_ring ORDER BY name";
    private const string Store = "INSERT INTO key_ring (name, document, seal, created_at) VALUES ($1, $2, $3, $4)";

    /// <inheritdoc/>
    public IReadOnlyCollection<XElement> GetAllElements() => Wait.For(async () =>
    {
        var rows = await db.Sql(ReadAll).All(r => (Name: r.GetString(0), Document: r.GetString(1), Seal: r.GetFieldValue<byte[]>(2)), CancellationToken.None);
        List<XElement> documents = [];
        foreach (var (name, document, seal) in rows)
        {
            if (!CryptographicOperations.FixedTimeEquals(await token.Decrypt(KeyRing.Key, seal, Encoding.UTF8.GetBytes(name), CancellationToken.None), Hash(document)))
            {
                throw new CryptographicException($"Row {name} of the key ring is not as it was stored.");
            }

            documents.Add(XElement.Parse(document));
        }

        return documents;
    });

    /// <inheritdoc/>
    public void StoreElement(XElement element, string friendlyName) => Wait.For(async () =>
    {
        var document = element.ToString(SaveOptions.DisableFormatting);
        _ = await token.FindOrGenerate(KeyRing.Key, KeyAlgorithm.Aes256, CancellationToken.None);
        var seal = await token.Encrypt(KeyRing.Key, Hash(document), Encoding.UTF8.GetBytes(friendlyName), CancellationToken.None);
        return await db.Sql(Store).With(friendlyName).With(document).With(seal).With(clock.GetUtcNow()).Execute(CancellationToken.None);
    });

    private static byte[] Hash(string document) => SHA256.HashData(Encoding.UTF8.GetBytes(document));
}

/// <summary>Wraps the secret part of a key's document by the token.</summary>
internal sealed class TokenXmlEncryptor(IToken token) : IXmlEncryptor
{
    /// <inheritdoc/>
    public EncryptedXmlInfo Encrypt(XElement plaintextElement) => Wait.For(async () =>
    {
        var plain = Encoding.UTF8.GetBytes(plaintextElement.ToString(SaveOptions.DisableFormatting));
        try
        {
            _ = await token.FindOrGenerate(KeyRing.Key, KeyAlgorithm.Aes256, CancellationToken.None);
            var wrapped = await token.Encrypt(KeyRing.Key, plain, TokenXmlDecryptor.Context, CancellationToken.None);
            return new EncryptedXmlInfo(new XElement("wrapped", new XAttribute("by", KeyRing.Key.Label), Convert.ToBase64String(wrapped)), typeof(TokenXmlDecryptor));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    });
}

/// <summary>Unwraps it; made by Data Protection, which knows it from the document.</summary>
internal sealed class TokenXmlDecryptor(IServiceProvider services) : IXmlDecryptor
{
    /// <summary>What a wrapped key is bound to, so that no other use of the token key opens it.</summary>
    public static byte[] Context { get; } = "trust.key-ring.v1\n"u8.ToArray();

    /// <inheritdoc/>
    public XElement Decrypt(XElement encryptedElement) => Wait.For(async () =>
    {
        var plain = await services.GetRequiredService<IToken>().Decrypt(KeyRing.Key, Convert.FromBase64String(encryptedElement.Value), Context, CancellationToken.None);
        try
        {
            return XElement.Parse(Encoding.UTF8.GetString(plain));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    });
}

/// <summary>Data Protection's interfaces are synchronous; they are called when the ring is read or a key is made, once in hours.</summary>
internal static class Wait
{
#pragma warning disable VSTHRD002 // On a pool thread without a context, so the wait holds one thread and blocks nothing it waits for.
    public static T For<T>(Func<Task<T>> work) => Task.Run(work).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
}

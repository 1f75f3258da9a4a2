using System.Security.Cryptography;

namespace Trust.Pkcs11;

/// <summary>
/// A token behind a PKCS#11 module: one login, a pool of sessions, handles read once. When the token goes it is reopened once
/// per operation; a signature is asked for again only if none was returned.
/// </summary>
public sealed class Pkcs11Token : IToken
{
    private static readonly byte[] Sha256DigestInfo = Convert.FromHexString("3031300D060960864801650304020105000420");
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(2);

    private readonly TokenOptions _options;
    private readonly TokenConnection _connection;
    private readonly SessionPool _pool;

    private Pkcs11Token(TokenOptions options, TokenConnection connection)
    {
        _options = options;
        _connection = connection;
        _pool = new SessionPool(connection, options.Sessions);
    }

    /// <inheritdoc/>
    public string Label => _options.TokenLabel;

    /// <summary>What the token said of itself at the last open, for start-up logs; null while it is away.</summary>
    public TokenDescription? Description => _connection.Current?.Description;

    /// <summary>The keys cached at open and generated since.</summary>
    public IReadOnlyList<TokenKey> Keys => _connection.Current?.Keys.Values.Select(k => k.Key).ToList() ?? [];

    /// <summary>Loads the module, finds the token by label, logs in and reads its keys.</summary>
    /// <exception cref="TokenException">No such module or token, PIN file unfit, PIN refused.</exception>
    public static ValueTask<Pkcs11Token> Open(TokenOptions options, CancellationToken ct) =>
        Open(options, () => Cryptoki.Load(options.ModulePath), ct);

    /// <summary>The same for a function list inside this process (CK_FUNCTION_LIST*), for fakes.</summary>
    public static ValueTask<Pkcs11Token> Open(TokenOptions options, nint functionList, CancellationToken ct) =>
        Open(options, () => Cryptoki.FromFunctionList(functionList), ct);

    /// <inheritdoc/>
    public async ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct) =>
        await _pool.Run((session, live) => Sign(session, live, Entry(live, key), digest.Span), replay: true, ct);

    /// <summary>
    /// The same for OpenSSL's synchronous callback: waits on the worker itself, so that no thread of the pool is needed to go on.
    /// </summary>
    internal byte[] SignBlocking(KeyRef key, ReadOnlyMemory<byte> digest) =>
#pragma warning disable VSTHRD002 // The worker thread completes the task; nothing it needs waits for this thread.
        _pool.Run((session, live) => Sign(session, live, Entry(live, key), digest.Span), replay: true, CancellationToken.None).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002

    /// <inheritdoc/>
    public async ValueTask<byte[]> Mac(KeyRef key, ReadOnlyMemory<byte> data, CancellationToken ct) =>
        await _pool.Run(
            (session, live) => live.Module.Sign(session, Ck.Sha256Hmac, Entry(live, key, KeyAlgorithm.HmacSha256).Handle, data.Span, 32),
            replay: true,
            ct);

    /// <inheritdoc/>
    public async ValueTask<byte[]> Encrypt(KeyRef key, ReadOnlyMemory<byte> plaintext, ReadOnlyMemory<byte> associatedData, CancellationToken ct) =>
        await _pool.Run(
            (session, live) =>
            {
                var nonce = RandomNumberGenerator.GetBytes(12);
                var handle = Entry(live, key, KeyAlgorithm.Aes256).Handle;
                byte[] sealedBytes = [.. nonce, .. live.Module.Gcm(session, true, handle, nonce, plaintext.Span, associatedData.Span)];
                return sealedBytes;
            },
            replay: true,
            ct);

    /// <inheritdoc/>
    public async ValueTask<byte[]> Decrypt(KeyRef key, ReadOnlyMemory<byte> sealedBytes, ReadOnlyMemory<byte> associatedData, CancellationToken ct)
    {
        if (sealedBytes.Length < 28)
        {
            throw new TokenException(0x41, "C_Decrypt");
        }

        return await _pool.Run(
            (session, live) => live.Module.Gcm(
                session,
                false,
                Entry(live, key, KeyAlgorithm.Aes256).Handle,
                sealedBytes.Span[..12],
                sealedBytes.Span[12..],
                associatedData.Span),
            replay: true,
            ct);
    }

    /// <inheritdoc/>
    public async ValueTask<TokenKey> Generate(KeyRef key, KeyAlgorithm algorithm, CancellationToken ct) =>
        await _pool.Run((session, live) => KeyGeneration.Generate(live, session, key, algorithm, _options.Sm2), replay: false, ct);

    /// <inheritdoc/>
    public async ValueTask<TokenKey?> Find(KeyRef key, CancellationToken ct)
    {
        if (_connection.Current is { } live)
        {
            return live.Keys.TryGetValue(key.Label, out var entry) ? entry.Key : null;
        }

        return await _pool.Run((_, l) => l.Keys.TryGetValue(key.Label, out var e) ? e.Key : null, replay: true, ct);
    }

    /// <inheritdoc/>
    public async ValueTask Destroy(KeyRef key, CancellationToken ct) =>
        _ = await _pool.Run(
            (session, live) =>
            {
                _ = Entry(live, key);
                return KeyGeneration.Destroy(live, session, key);
            },
            replay: false,
            ct);

    /// <summary>
    /// Puts a certificate beside its key, under the key's label and id, so that browsers and mail programs find the pair.
    /// Replaces one that is there.
    /// </summary>
    /// <param name="key">A key pair in this token.</param>
    /// <param name="certificate">DER of an X.509 certificate for that key.</param>
    public async ValueTask StoreCertificate(KeyRef key, ReadOnlyMemory<byte> certificate, CancellationToken ct) =>
        _ = await _pool.Run(
            (session, live) => KeyGeneration.StoreCertificate(live, session, Entry(live, key), certificate.Span),
            replay: false,
            ct);

    /// <inheritdoc/>
    public async ValueTask<TokenHealth> Probe(CancellationToken ct)
    {
        try
        {
            return await _pool.Run(
                (session, live) =>
                {
                    live.Module.CheckSession(session);
                    return new TokenHealth(true, string.Empty, live.Keys.Count);
                },
                replay: true,
                ct).WaitAsync(ProbePatience, ct);
        }
        catch (TokenException e)
        {
            return new TokenHealth(false, e.Message, 0);
        }
        catch (TimeoutException)
        {
            return new TokenHealth(false, $"Token {Label} has not answered for {ProbePatience.TotalSeconds} s.", 0);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        _connection.Close();
    }

    private static async ValueTask<Pkcs11Token> Open(TokenOptions options, Func<Cryptoki> load, CancellationToken ct)
    {
        if (options.Sessions is < 1 or > 256)
        {
            throw new TokenException("OPTIONS", "A token needs 1 to 256 sessions.");
        }

        // Loading and logging in block for as long as the token likes: off the caller's thread.
        var connection = await Task.Run(
            () =>
            {
                var opened = new TokenConnection(load(), options);
                _ = opened.Reopen(null);
                return opened;
            },
            ct);
        return new Pkcs11Token(options, connection);
    }

    private static KeyEntry Entry(LiveToken live, KeyRef key) =>
        live.Keys.TryGetValue(key.Label, out var entry)
            ? entry
            : throw new TokenException("NO_SUCH_KEY", $"The token holds no key named {key.Label}.");

    private static KeyEntry Entry(LiveToken live, KeyRef key, KeyAlgorithm algorithm)
    {
        var entry = Entry(live, key);
        return entry.Key.Algorithm == algorithm
            ? entry
            : throw new TokenException("WRONG_KEY", $"Key {key.Label} is {entry.Key.Algorithm}, not {algorithm}.");
    }

    private byte[] Sign(ulong session, LiveToken live, KeyEntry key, ReadOnlySpan<byte> digest)
    {
        var algorithm = key.Key.Algorithm;
        if (algorithm != KeyAlgorithm.Ed25519 && digest.Length != 32)
        {
            throw new TokenException(0x21, "Sign");
        }

        switch (algorithm)
        {
            case KeyAlgorithm.EcdsaP256:
                return live.Module.Sign(session, Ck.Ecdsa, key.Handle, digest, 64);
            case KeyAlgorithm.Rsa3072:
                Span<byte> digestInfo = stackalloc byte[Sha256DigestInfo.Length + 32];
                Sha256DigestInfo.CopyTo(digestInfo);
                digest.CopyTo(digestInfo[Sha256DigestInfo.Length..]);
                return live.Module.Sign(session, Ck.RsaPkcs, key.Handle, digestInfo, 384);
            case KeyAlgorithm.Ed25519:
                return live.Module.Sign(session, Ck.EdDsa, key.Handle, digest, 64);
            case KeyAlgorithm.Sm2:
                return VendorSm2Signing.Sign(live, session, key, _options.Sm2, digest);
            default:
                throw new TokenException("WRONG_KEY", $"Key {key.Key.Ref.Label} is {algorithm} and cannot sign.");
        }
    }
}

using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Trust.Crypto;

namespace Trust.Pkcs11;

/// <summary>
/// A token behind a PKCS#11 module: one login, pools of sessions, keys read once. When the token goes it is reopened once per operation; a
/// signature is asked for again only if none was returned. A call that does not return in time is given up.
/// </summary>
public sealed class Pkcs11Token : IToken
{
    private const int MaxQueued = 10_000;

    // Anonymous callers are refused earlier: beyond this queue they would only wait for a timeout.
    private const int MaxQueuedAnonymous = 1_000;

    private static readonly byte[] Sha256DigestInfo = Convert.FromHexString("3031300D060960864801650304020105000420");
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(2);
    private static readonly JobRules Repeatable = new(MayReplay: true);
    private static readonly JobRules Once = new(MayReplay: false);
    private static readonly JobRules Generation = new(MayReplay: false, IsGeneration: true);
    private static readonly JobRules Probing = new(MayReplay: true, IsProbe: true);

    private readonly TokenOptions _options;
    private readonly TimeProvider _clock;
    private readonly TokenConnection _connection;
    private readonly SessionPool _pool;
    private readonly Lazy<SessionPool> _anonymous;

    private Pkcs11Token(TokenOptions options, TokenConnection connection, TimeProvider clock)
    {
        (_options, _connection, _clock) = (options, connection, clock);
        _pool = new SessionPool(connection, $"token {options.TokenLabel}", options.Sessions, MaxQueued, options.CallTimeout, clock);
        _anonymous = new Lazy<SessionPool>(() => new SessionPool(
            connection, $"token {options.TokenLabel} anonymous", AnonymousSessions(options), MaxQueuedAnonymous, options.CallTimeout, clock));
    }

    /// <inheritdoc/>
    public string Label => _options.TokenLabel;

    /// <summary>What the token said of itself at the last open, for start-up logs; null while it is away.</summary>
    public TokenDescription? Description => _connection.Current?.Description;

    /// <summary>The keys read at open and taken up since.</summary>
    public IReadOnlyList<TokenKey> Keys => _connection.Current?.Keys.All.Select(k => k.Key).ToList() ?? [];

    /// <summary>Loads the module, finds the token by label, logs in and reads its keys.</summary>
    /// <exception cref="TokenException">No such module or token, PIN file unfit, PIN refused, no answer in time.</exception>
    public static ValueTask<Pkcs11Token> Open(TokenOptions options, CancellationToken ct) => Open(options, TimeProvider.System, ct);

    /// <summary>The same with a clock that measures how long calls take.</summary>
    public static async ValueTask<Pkcs11Token> Open(TokenOptions options, TimeProvider clock, CancellationToken ct)
    {
        if (options.Sessions is < 1 or > 256 || AnonymousSessions(options) is < 1 or > 256)
        {
            throw new TokenException("OPTIONS", "A token needs 1 to 256 sessions, and as many for anonymous work.");
        }

        if (options.CallTimeout < TimeSpan.FromMilliseconds(100) || options.CallTimeout > TimeSpan.FromHours(1))
        {
            throw new TokenException("OPTIONS", "A token's CallTimeout is 0.1 s to 1 h.");
        }

        // Loading blocks for as long as the module likes: off the caller's thread.
        var module = await Task.Run(() => Pkcs11Module.Load(options.ModulePath), ct);
        var token = new Pkcs11Token(options, new TokenConnection(module, options, clock), clock);
        try
        {
            _ = await token._pool.Run((_, _) => true, Repeatable, ct);
            return token;
        }
        catch
        {
            await token.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct) => Sign(key, digest, TokenLane.Service, ct);

    /// <inheritdoc/>
    public async ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, TokenLane lane, CancellationToken ct) =>
        await Pool(lane).Run((session, live) => Sign(session, live, Entry(session, live, key), digest.Span), Repeatable, ct);

    /// <summary>
    /// The same for OpenSSL's synchronous callback: waits on the session's thread itself, so that no thread of the pool is needed to go on.
    /// </summary>
    internal byte[] SignBlocking(KeyRef key, ReadOnlyMemory<byte> digest) =>
#pragma warning disable VSTHRD002 // The session's thread completes the task; nothing it needs waits for this thread.
        _pool.Run((session, live) => Sign(session, live, Entry(session, live, key), digest.Span), Repeatable, CancellationToken.None).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002

    /// <inheritdoc/>
    public async ValueTask<byte[]> SignPss(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct) =>
        digest.Length == 32
            ? await _pool.Run((session, live) => session.SignPss(Entry(session, live, key, KeyAlgorithm.Rsa3072).Handle, digest.Span, 384), Repeatable, ct)
            : throw new TokenException(CKR.CKR_DATA_LEN_RANGE, "SignPss");

    /// <inheritdoc/>
    public async ValueTask<byte[]> Mac(KeyRef key, ReadOnlyMemory<byte> data, CancellationToken ct) =>
        await _pool.Run(
            (session, live) => session.Sign((ulong)CKM.CKM_SHA256_HMAC, Entry(session, live, key, KeyAlgorithm.HmacSha256).Handle, data.Span, 32),
            Repeatable,
            ct);

    /// <inheritdoc/>
    public async ValueTask<byte[]> Encrypt(KeyRef key, ReadOnlyMemory<byte> plaintext, ReadOnlyMemory<byte> associatedData, CancellationToken ct) =>
        await _pool.Run(
            (session, live) =>
            {
                var nonce = RandomNumberGenerator.GetBytes(12);
                var handle = Entry(session, live, key, KeyAlgorithm.Aes256).Handle;
                byte[] sealedBytes = [.. nonce, .. session.Gcm(true, handle, nonce, plaintext.Span, associatedData.Span)];
                return sealedBytes;
            },
            Repeatable,
            ct);

    /// <inheritdoc/>
    public async ValueTask<byte[]> Decrypt(KeyRef key, ReadOnlyMemory<byte> sealedBytes, ReadOnlyMemory<byte> associatedData, CancellationToken ct)
    {
        if (sealedBytes.Length < 28)
        {
            throw new TokenException(CKR.CKR_ENCRYPTED_DATA_LEN_RANGE, "C_Decrypt");
        }

        return await _pool.Run(
            (session, live) => session.Gcm(
                false,
                Entry(session, live, key, KeyAlgorithm.Aes256).Handle,
                sealedBytes.Span[..12],
                sealedBytes.Span[12..],
                associatedData.Span),
            Repeatable,
            ct);
    }

    /// <inheritdoc/>
    public async ValueTask<byte[]> Agree(KeyRef key, ReadOnlyMemory<byte> point, CancellationToken ct)
    {
        // The x of a point off the curve would tell of the key itself, a few bits at a time, and not every token looks whether a point is on it.
        if (!P256Point.IsUncompressed(point.Span))
        {
            throw new TokenException(CKR.CKR_DATA_INVALID, "Agree");
        }

        return await _pool.Run(
            (session, live) => session.Agree(Entry(session, live, key, KeyAlgorithm.EcdhP256).Handle, point.Span), Repeatable, ct);
    }

    /// <inheritdoc/>
    public async ValueTask<TokenKey> Generate(KeyRef key, KeyAlgorithm algorithm, CancellationToken ct) =>
        await _pool.Run((session, live) => KeyGeneration.Generate(live, session, key, algorithm, _options.Sm2), Generation, ct);

    /// <inheritdoc/>
    public async ValueTask<TokenKey?> Find(KeyRef key, CancellationToken ct) =>
        _connection.Current is { } live && live.Keys.TryTell(key.Label, out var entry)
            ? entry?.Key
            : await _pool.Run((session, l) => l.Keys.Find(session, key.Label)?.Key, Repeatable, ct);

    /// <inheritdoc/>
    public async ValueTask Destroy(KeyRef key, CancellationToken ct) =>
        _ = await _pool.Run(
            (session, live) =>
            {
                _ = Entry(session, live, key);
                return KeyGeneration.Destroy(live, session, key);
            },
            Once,
            ct);

    /// <summary>
    /// Puts a certificate beside its key, under the key's label and id, so that browsers and mail programs find the pair.
    /// Replaces one that is there.
    /// </summary>
    /// <param name="key">A key pair in this token.</param>
    /// <param name="certificate">DER of an X.509 certificate for that key.</param>
    public async ValueTask StoreCertificate(KeyRef key, ReadOnlyMemory<byte> certificate, CancellationToken ct) =>
        _ = await _pool.Run(
            (session, live) => KeyGeneration.StoreCertificate(session, Entry(session, live, key), certificate.Span),
            Once,
            ct);

    /// <inheritdoc/>
    public async ValueTask<TokenHealth> Probe(CancellationToken ct)
    {
        if (_pool.IsSilent || (_anonymous.IsValueCreated && _anonymous.Value.IsSilent))
        {
            return new TokenHealth(false, $"A call to token {Label} has not returned within {_options.CallTimeout.TotalSeconds} s, and none has been answered since.", 0);
        }

        // One that nobody waits for any more leaves the queue.
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            return await _pool.Run(
                (session, live) =>
                {
                    session.CheckAlive();
                    return new TokenHealth(true, string.Empty, live.Keys.Count);
                },
                Probing,
                waiting.Token).WaitAsync(ProbePatience, _clock, ct);
        }
        catch (TokenException e)
        {
            return new TokenHealth(false, e.Message, 0);
        }
        catch (TimeoutException)
        {
            await waiting.CancelAsync();
            return new TokenHealth(false, $"Token {Label} has not answered for {ProbePatience.TotalSeconds} s.", 0);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_anonymous.IsValueCreated)
        {
            await _anonymous.Value.DisposeAsync();
        }

        await _pool.DisposeAsync();
        _connection.Close();
    }

    private static int AnonymousSessions(TokenOptions options) => options.AnonymousSessions ?? Math.Max(1, options.Sessions / 2);

    private static KeyEntry Entry(TokenSession session, LiveToken live, KeyRef key) =>
        live.Keys.Find(session, key.Label) ?? throw new TokenException("NO_SUCH_KEY", $"The token holds no key named {key.Label}.");

    private static KeyEntry Entry(TokenSession session, LiveToken live, KeyRef key, KeyAlgorithm algorithm)
    {
        var entry = Entry(session, live, key);
        return entry.Key.Algorithm == algorithm
            ? entry
            : throw new TokenException("WRONG_KEY", $"Key {key.Label} is {entry.Key.Algorithm}, not {algorithm}.");
    }

    private SessionPool Pool(TokenLane lane) => lane == TokenLane.Anonymous ? _anonymous.Value : _pool;

    private byte[] Sign(TokenSession session, LiveToken live, KeyEntry key, ReadOnlySpan<byte> digest)
    {
        var algorithm = key.Key.Algorithm;
        if (algorithm != KeyAlgorithm.Ed25519 && digest.Length != 32)
        {
            throw new TokenException(CKR.CKR_DATA_LEN_RANGE, "Sign");
        }

        switch (algorithm)
        {
            case KeyAlgorithm.EcdsaP256:
                return session.Sign((ulong)CKM.CKM_ECDSA, key.Handle, digest, 64);
            case KeyAlgorithm.Rsa3072:
                Span<byte> digestInfo = stackalloc byte[Sha256DigestInfo.Length + 32];
                Sha256DigestInfo.CopyTo(digestInfo);
                digest.CopyTo(digestInfo[Sha256DigestInfo.Length..]);
                return session.Sign((ulong)CKM.CKM_RSA_PKCS, key.Handle, digestInfo, 384);
            case KeyAlgorithm.Ed25519:
                return session.Sign((ulong)Edwards.Signature, key.Handle, digest, 64);
            case KeyAlgorithm.Sm2:
                return VendorSm2Signing.Sign(live, session, key, _options.Sm2, digest);
            default:
                throw new TokenException("WRONG_KEY", $"Key {key.Key.Ref.Label} is {algorithm} and cannot sign.");
        }
    }
}

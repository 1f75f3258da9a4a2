namespace Trust.Pkcs11;

/// <summary>Names a key inside its token: the CKA_LABEL shared by its private, public and certificate objects; unique there.</summary>
/// <param name="Label">UTF-8, at most 64 bytes; kebab case by convention, for example <c>batch</c>.</param>
public readonly record struct KeyRef(string Label)
{
    /// <summary>The label.</summary>
    public override string ToString() => Label;
}

/// <summary>What a token-held key is; decides mechanism, digest and signature form.</summary>
public enum KeyAlgorithm
{
    /// <summary>ECDSA on P-256; signs a 32-byte digest, answers r‖s of 64 bytes.</summary>
    EcdsaP256,

    /// <summary>RSA with a 3072-bit modulus; signs a SHA-256 digest, answers PKCS#1 v1.5 of 384 bytes.</summary>
    Rsa3072,

    /// <summary>Ed25519 (RFC 8032); signs the whole message, answers 64 bytes.</summary>
    Ed25519,

    /// <summary>SM2 (GB/T 32918.2); signs e = SM3(Z‖M) of 32 bytes, answers r‖s of 64 bytes. Needs a vendor mechanism table.</summary>
    Sm2,

    /// <summary>AES-256 for GCM.</summary>
    Aes256,

    /// <summary>A 32-byte generic secret for HMAC-SHA-256.</summary>
    HmacSha256,

    /// <summary>ECDH on P-256 (CKM_ECDH1_DERIVE); multiplies a point and signs nothing.</summary>
    EcdhP256,
}

/// <summary>A key in a token as callers see it: never a handle.</summary>
/// <param name="Ref">Its name.</param>
/// <param name="Algorithm">What it is.</param>
/// <param name="SubjectPublicKeyInfo">DER of its public key; empty for secret keys.</param>
public sealed record TokenKey(KeyRef Ref, KeyAlgorithm Algorithm, ReadOnlyMemory<byte> SubjectPublicKeyInfo);

/// <summary>Who waits for an operation, and so which sessions of the token it takes.</summary>
public enum TokenLane
{
    /// <summary>The service's own work and that of callers it knows.</summary>
    Service,

    /// <summary>Work that anyone who reaches a listener may ask for. It has sessions of its own, so that a flood of it delays only itself.</summary>
    Anonymous,
}

/// <summary>Whether a token can be used now, for <c>/health/ready</c>.</summary>
/// <param name="Ready">True when a session was open and answered.</param>
/// <param name="Detail">What is wrong and what to do; empty when ready. Holds no secret.</param>
/// <param name="Keys">Number of usable keys in the handle cache.</param>
public sealed record TokenHealth(bool Ready, string Detail, int Keys);

/// <summary>
/// One PKCS#11 token, logged in. Asynchronous and without handles, so that a worker process or a second token can stand
/// behind it. Every member throws <see cref="TokenException"/> when the token refuses or is away.
/// </summary>
public interface IToken : IAsyncDisposable
{
    /// <summary>The token's label.</summary>
    string Label { get; }

    /// <summary>
    /// Signs. EcdsaP256: 32-byte digest to r‖s, 64 bytes. Rsa3072: SHA-256 digest to PKCS#1 v1.5. Ed25519: the whole message
    /// to 64 bytes. Sm2: e = SM3(Z‖M), 32 bytes, to r‖s.
    /// </summary>
    ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct);

    /// <summary>The same on the sessions of a lane.</summary>
    ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, TokenLane lane, CancellationToken ct);

    /// <summary>RSASSA-PSS with SHA-256 and a salt of 32 bytes (CKM_RSA_PKCS_PSS) over a SHA-256 digest by an Rsa3072 key: 384 bytes.</summary>
    ValueTask<byte[]> SignPss(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct);

    /// <summary>HMAC-SHA-256 (CKM_SHA256_HMAC), 32 bytes.</summary>
    ValueTask<byte[]> Mac(KeyRef key, ReadOnlyMemory<byte> data, CancellationToken ct);

    /// <summary>AES-256-GCM; answers nonce (12, random) ‖ ciphertext ‖ tag (16).</summary>
    ValueTask<byte[]> Encrypt(KeyRef key, ReadOnlyMemory<byte> plaintext, ReadOnlyMemory<byte> associatedData, CancellationToken ct);

    /// <summary>Opens what <see cref="Encrypt"/> sealed; a changed byte is a <see cref="TokenException"/>.</summary>
    ValueTask<byte[]> Decrypt(KeyRef key, ReadOnlyMemory<byte> sealedBytes, ReadOnlyMemory<byte> associatedData, CancellationToken ct);

    /// <summary>
    /// ECDH on P-256 with the key (CKM_ECDH1_DERIVE, CKD_NULL): the x coordinate of the multiplied point, 32 bytes. Its y is not to be had.
    /// </summary>
    /// <param name="key">An <see cref="KeyAlgorithm.EcdhP256"/> key.</param>
    /// <param name="point">65 bytes, 04 ‖ x ‖ y, of a point on the curve; anything else is CKR_DATA_INVALID and does not reach the token.</param>
    /// <param name="ct">Cancels.</param>
    ValueTask<byte[]> Agree(KeyRef key, ReadOnlyMemory<byte> point, CancellationToken ct);

    /// <summary>
    /// Generates a key inside the token, sensitive and not extractable. Refuses a label in use as KEY_EXISTS, also where another instance made it;
    /// <see cref="TokenKeys.FindOrGenerate"/> answers that key instead.
    /// </summary>
    ValueTask<TokenKey> Generate(KeyRef key, KeyAlgorithm algorithm, CancellationToken ct);

    /// <summary>
    /// The key of that name; null when there is none. Keys are read at open; the token is searched for a name that is not among them, once a second
    /// at most for each.
    /// </summary>
    ValueTask<TokenKey?> Find(KeyRef key, CancellationToken ct);

    /// <summary>Destroys the key and its public and certificate objects.</summary>
    ValueTask Destroy(KeyRef key, CancellationToken ct);

    /// <summary>Asks the token whether it is there; never throws for a token that is away.</summary>
    ValueTask<TokenHealth> Probe(CancellationToken ct);
}

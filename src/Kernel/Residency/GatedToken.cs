using Trust.Pkcs11;

namespace Trust.Kernel.Residency;

/// <summary>
/// A token behind the gate: no key is made, used or looked for while the token's place is undeclared, ended, or outside (docs/RESIDENCY.md).
/// Keys never leave a token here: it offers no wrapping and no export.
/// </summary>
/// <param name="token">The token.</param>
/// <param name="place">Where it stands.</param>
/// <param name="gate">Judges it at each use.</param>
internal sealed class GatedToken(IToken token, UsedPlace place, ResidencyGate gate) : IToken
{
    /// <inheritdoc/>
    public string Label => token.Label;

    /// <inheritdoc/>
    public ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct) => Open().Sign(key, digest, ct);

    /// <inheritdoc/>
    public ValueTask<byte[]> Sign(KeyRef key, ReadOnlyMemory<byte> digest, TokenLane lane, CancellationToken ct) => Open().Sign(key, digest, lane, ct);

    /// <inheritdoc/>
    public ValueTask<byte[]> SignPss(KeyRef key, ReadOnlyMemory<byte> digest, CancellationToken ct) => Open().SignPss(key, digest, ct);

    /// <inheritdoc/>
    public ValueTask<byte[]> Mac(KeyRef key, ReadOnlyMemory<byte> data, CancellationToken ct) => Open().Mac(key, data, ct);

    /// <inheritdoc/>
    public ValueTask<byte[]> Encrypt(KeyRef key, ReadOnlyMemory<byte> plaintext, ReadOnlyMemory<byte> associatedData, CancellationToken ct) => Open().Encrypt(key, plaintext, associatedData, ct);

    /// <inheritdoc/>
    public ValueTask<byte[]> Decrypt(KeyRef key, ReadOnlyMemory<byte> sealedBytes, ReadOnlyMemory<byte> associatedData, CancellationToken ct) => Open().Decrypt(key, sealedBytes, associatedData, ct);

    /// <inheritdoc/>
    public ValueTask<byte[]> Agree(KeyRef key, ReadOnlyMemory<byte> point, CancellationToken ct) => Open().Agree(key, point, ct);

    /// <inheritdoc/>
    public ValueTask<TokenKey> Generate(KeyRef key, KeyAlgorithm algorithm, CancellationToken ct) => Open().Generate(key, algorithm, ct);

    /// <inheritdoc/>
    public ValueTask<TokenKey?> Find(KeyRef key, CancellationToken ct) => Open().Find(key, ct);

    /// <inheritdoc/>
    public ValueTask Destroy(KeyRef key, CancellationToken ct) => token.Destroy(key, ct);

    /// <inheritdoc/>
    public ValueTask<TokenHealth> Probe(CancellationToken ct) => token.Probe(ct);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => token.DisposeAsync();

    private IToken Open() => gate.Judge(place) is { } refusal ? throw new TokenException(TokenException.PlaceRefused, $"Residency rule {refusal.Rule}: {refusal.Sentence}") : token;
}

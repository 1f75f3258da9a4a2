using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;
using Trust.Kernel.Keys;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>
/// Signs checkpoints: an Ed25519 line where the token offers it, a P-256 line, and an SM2 line by the token or, where configuration allows
/// it, by a software key that the token seals.
/// </summary>
internal sealed class CheckpointSigner(IToken token, SoftwareKeys software, StandbyGate standbys, AuditLedgerOptions options)
{
    /// <summary>Key of the Ed25519 line.</summary>
    public static KeyRef Ed25519Key { get; } = new("checkpoint-ed25519");

    /// <summary>Key of the P-256 line.</summary>
    public static KeyRef P256Key { get; } = new("checkpoint-p256");

    /// <summary>Key of the SM2 line.</summary>
    public static KeyRef Sm2Key { get; } = new("checkpoint-sm2");

    private IReadOnlyList<NoteKey>? _keys;

    /// <summary>Name of the log.</summary>
    public string Origin => options.Origin;

    /// <summary>Makes what is missing; repeatable. A token without Ed25519 gets no such line.</summary>
    /// <exception cref="TokenException">The token is away.</exception>
    public async Task Provision(CancellationToken ct)
    {
        _ = await token.FindOrGenerate(P256Key, KeyAlgorithm.EcdsaP256, ct);
        if (options.TokenHasSm2)
        {
            _ = await token.FindOrGenerate(Sm2Key, KeyAlgorithm.Sm2, ct);
        }
        else if (options.AllowSoftwareSm2)
        {
            await software.Ensure(token, Sm2Key.Label, ct);
        }

        try
        {
            _ = await token.FindOrGenerate(Ed25519Key, KeyAlgorithm.Ed25519, ct);
        }
        catch (TokenException e) when (e.CodeName is "UNSUPPORTED" or "CKR_MECHANISM_INVALID")
        {
            // Named in the checkpoint itself: it then carries one line less.
            return;
        }
    }

    /// <summary>Verifiers of the keys at hand.</summary>
    /// <exception cref="TokenException">The token is away.</exception>
    public async ValueTask<IReadOnlyList<NoteVerifier>> Verifiers(CancellationToken ct) => [.. (await Keys(ct)).Select(k => k.Verifier)];

    /// <summary>True when checkpoints carry an SM2 line.</summary>
    /// <exception cref="TokenException">The token is away.</exception>
    public async ValueTask<bool> HasSm2(CancellationToken ct) => (await Keys(ct)).Any(k => k.IsSm2);

    /// <summary>The signed note of a checkpoint of what is committed now.</summary>
    /// <exception cref="TokenException">The token is away.</exception>
    /// <exception cref="StandbyException">Too few standbys hold it.</exception>
    public async ValueTask<string> Sign(Checkpoint checkpoint, CancellationToken ct)
    {
        await standbys.Flushed(ct);
        var text = Encoding.UTF8.GetBytes(checkpoint.Text);
        var keys = await Keys(ct);
        // Side by side: the token's sessions sign while the software key, last in the list, keeps this thread busy.
        var signatures = await Task.WhenAll([.. keys.Select(key => key.Sign(text, ct).AsTask())]);
        return SignedNote.Write(checkpoint.Text, keys.Select((key, i) => (key.Verifier, signatures[i])));
    }

    private async ValueTask<IReadOnlyList<NoteKey>> Keys(CancellationToken ct)
    {
        if (_keys is { } known)
        {
            return known;
        }

        var keys = new List<NoteKey>();
        if (await token.Find(Ed25519Key, ct) is { } ed && Ed25519.TryFromSubjectPublicKeyInfo(ed.SubjectPublicKeyInfo.Span, out var raw))
        {
            keys.Add(new NoteKey(NoteVerifier.Ed25519(options.Origin, raw), (text, cancel) => token.Sign(Ed25519Key, text, cancel)));
        }

        if (await token.Find(P256Key, ct) is { } p256)
        {
            keys.Add(new NoteKey(
                NoteVerifier.P256(options.Origin, p256.SubjectPublicKeyInfo.Span),
                async (text, cancel) => EcdsaForm.ToDer(await token.Sign(P256Key, SHA256.HashData(text), cancel))));
        }

        if (await Sm2(ct) is { } sm2)
        {
            keys.Add(sm2);
        }

        return keys.Count > 0 ? _keys = keys : throw new InvalidOperationException("The token holds no checkpoint key: run 'provision' first.");
    }

    private async ValueTask<NoteKey?> Sm2(CancellationToken ct)
    {
        if (options.TokenHasSm2 && await token.Find(Sm2Key, ct) is { } held)
        {
            var spki = held.SubjectPublicKeyInfo;
            return new NoteKey(
                NoteVerifier.Sm2(options.Origin, spki.Span),
                async (text, cancel) => EcdsaForm.ToDer(await token.Sign(Sm2Key, Crypto.Sm2.DigestToSign(spki, text), cancel)),
                IsSm2: true);
        }

        return options.AllowSoftwareSm2 && await software.Open(token, Sm2Key.Label, ct) is { } key
            ? new NoteKey(
                NoteVerifier.Sm2(options.Origin, key.SubjectPublicKeyInfo.Span), (text, _) => ValueTask.FromResult(EcdsaForm.ToDer(key.Sign(text))), IsSm2: true)
            : null;
    }

    private sealed record NoteKey(NoteVerifier Verifier, Func<byte[], CancellationToken, ValueTask<byte[]>> Sign, bool IsSm2 = false);
}

using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;
using Trust.Kernel.Audit;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>Signs checkpoints with the token's keys: an Ed25519 line where the token offers it, and a P-256 line.</summary>
internal sealed class CheckpointSigner(IToken token, AuditLedgerOptions options)
{
    /// <summary>Key of the Ed25519 line.</summary>
    public static KeyRef Ed25519Key { get; } = new("checkpoint-ed25519");

    /// <summary>Key of the P-256 line.</summary>
    public static KeyRef P256Key { get; } = new("checkpoint-p256");

    private IReadOnlyList<(NoteVerifier Verifier, KeyRef Key, KeyAlgorithm Algorithm)>? _keys;

    /// <summary>Name of the log.</summary>
    public string Origin => options.Origin;

    /// <summary>Makes what is missing; repeatable. A token without Ed25519 gets the P-256 key alone.</summary>
    public static async Task Provision(IToken token, CancellationToken ct)
    {
        if (await token.Find(P256Key, ct) is null)
        {
            await token.Generate(P256Key, KeyAlgorithm.EcdsaP256, ct);
        }

        try
        {
            if (await token.Find(Ed25519Key, ct) is null)
            {
                await token.Generate(Ed25519Key, KeyAlgorithm.Ed25519, ct);
            }
        }
        catch (TokenException e) when (e.CodeName is "UNSUPPORTED" or "CKR_MECHANISM_INVALID")
        {
            // Named in the checkpoint itself: it then carries one line.
            return;
        }
    }

    /// <summary>Verifiers of the keys at hand.</summary>
    public async ValueTask<IReadOnlyList<NoteVerifier>> Verifiers(CancellationToken ct) => [.. (await Keys(ct)).Select(k => k.Verifier)];

    /// <summary>The signed note of a checkpoint.</summary>
    /// <exception cref="TokenException">The token is away.</exception>
    public async ValueTask<string> Sign(Checkpoint checkpoint, CancellationToken ct)
    {
        var text = Encoding.UTF8.GetBytes(checkpoint.Text);
        var lines = new List<(NoteVerifier, byte[])>();
        foreach (var (verifier, key, algorithm) in await Keys(ct))
        {
            lines.Add((verifier, algorithm == KeyAlgorithm.Ed25519
                ? await token.Sign(key, text, ct)
                : EcdsaForm.ToDer(await token.Sign(key, SHA256.HashData(text), ct))));
        }

        return SignedNote.Write(checkpoint.Text, lines);
    }

    private async ValueTask<IReadOnlyList<(NoteVerifier Verifier, KeyRef Key, KeyAlgorithm Algorithm)>> Keys(CancellationToken ct)
    {
        if (_keys is { } known)
        {
            return known;
        }

        var keys = new List<(NoteVerifier, KeyRef, KeyAlgorithm)>();
        if (await token.Find(Ed25519Key, ct) is { } ed && Ed25519.TryFromSubjectPublicKeyInfo(ed.SubjectPublicKeyInfo.Span, out var raw))
        {
            keys.Add((NoteVerifier.Ed25519(options.Origin, raw), Ed25519Key, KeyAlgorithm.Ed25519));
        }

        if (await token.Find(P256Key, ct) is { } p256)
        {
            keys.Add((NoteVerifier.P256(options.Origin, p256.SubjectPublicKeyInfo.Span), P256Key, KeyAlgorithm.EcdsaP256));
        }

        return keys.Count > 0 ? _keys = keys : throw new InvalidOperationException("The token holds no checkpoint key: run 'provision' first.");
    }
}

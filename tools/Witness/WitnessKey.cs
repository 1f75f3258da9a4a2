using System.Text;
using Trust.Crypto;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;

namespace Trust.Witness;

/// <summary>The witness's Ed25519 key, in its own token. A cosignature does not bind the cosigner's name, so one key serves one witness.</summary>
internal sealed class WitnessKey(IToken token, WitnessOptions options)
{
    private static readonly KeyRef Key = new("witness-ed25519");

    private NoteVerifier? _verifier;

    /// <summary>Makes the key unless it is there, and answers its verifier.</summary>
    /// <exception cref="TokenException">The token is away, or has no Ed25519.</exception>
    public async Task<NoteVerifier> Provision(CancellationToken ct)
    {
        _ = await token.FindOrGenerate(Key, KeyAlgorithm.Ed25519, ct);
        return await Verifier(ct);
    }

    /// <summary>The line for a checkpoint's text, as of now.</summary>
    /// <exception cref="TokenException">The token is away.</exception>
    public async Task<NoteLine> Cosign(string text, DateTimeOffset now, CancellationToken ct)
    {
        var verifier = await Verifier(ct);
        var seconds = (ulong)now.ToUnixTimeSeconds();
        var signature = await token.Sign(Key, Cosignature.Message(Encoding.UTF8.GetBytes(text), seconds), ct);
        return new NoteLine(verifier.Name, verifier.KeyId, Cosignature.Write(seconds, signature));
    }

    /// <summary>What verifies its lines.</summary>
    /// <exception cref="InvalidOperationException">There is no key.</exception>
    public async Task<NoteVerifier> Verifier(CancellationToken ct)
    {
        if (_verifier is { } known)
        {
            return known;
        }

        var key = await token.Find(Key, ct) ?? throw new InvalidOperationException("The token holds no witness key: run 'provision' first.");
        return Ed25519.TryFromSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out var raw)
            ? _verifier = NoteVerifier.Cosigner(options.Name, raw)
            : throw new InvalidOperationException("The witness key is no Ed25519 key.");
    }
}

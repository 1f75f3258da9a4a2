using System.Security.Cryptography;
using Trust.Benchmarks.Load;
using Trust.Pkcs11;

namespace Trust.Benchmarks;

/// <summary>The yardstick of signing rows: P-256 signatures by a token of the same kind, and nothing else.</summary>
internal static class RawSignatures
{
    /// <summary>Signs digests with as many callers as a service has under load.</summary>
    public static Task<Slice> Run(Pkcs11Token token, TimeSpan limit, CancellationToken ct)
    {
        var digest = SHA256.HashData("digest"u8);
        return Lane.Run(Enumerable.Range(0, 16).ToList(), limit, async _ => await token.Sign(BenchRun.RawKey, digest, ct), ct);
    }
}

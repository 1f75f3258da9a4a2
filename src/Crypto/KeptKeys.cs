using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Trust.Crypto;

/// <summary>
/// What was once computed of a public key, by its DER. Importing a key or judging an RSA modulus costs more than the signature check
/// that follows, and the same few keys are seen again and again. Whoever sends many keys pushes old ones out and holds no more memory.
/// </summary>
/// <typeparam name="T">What is kept; safe for use by several threads.</typeparam>
internal sealed class KeptKeys<T>
    where T : class
{
    // Two generations: the older one is dropped as a whole when the younger is full, so that nothing has to be ordered by use.
    private const int Generation = 512;
    private readonly Lock turn = new();
    private ConcurrentDictionary<Name, T> young = new();
    private ConcurrentDictionary<Name, T> old = new();

    /// <summary>What is kept of a key; made now when it is new.</summary>
    /// <param name="subjectPublicKeyInfo">The key, DER.</param>
    /// <param name="make">Computes it; may run more than once for one key.</param>
    public T Get(ReadOnlyMemory<byte> subjectPublicKeyInfo, Func<ReadOnlyMemory<byte>, T> make)
    {
        var name = new Name(subjectPublicKeyInfo);
        if (young.TryGetValue(name, out var kept))
        {
            return kept;
        }

        if (!old.TryGetValue(name, out kept))
        {
            kept = make(subjectPublicKeyInfo);
        }

        // The caller's buffer may change or be large: the key is copied out of it.
        _ = young.TryAdd(new Name(subjectPublicKeyInfo.ToArray()), kept);
        if (young.Count > Generation)
        {
            Turn();
        }

        return kept;
    }

    private void Turn()
    {
        lock (turn)
        {
            if (young.Count > Generation)
            {
                old = young;
                young = new ConcurrentDictionary<Name, T>();
            }
        }
    }

    private readonly struct Name(ReadOnlyMemory<byte> der) : IEquatable<Name>
    {
        private readonly ReadOnlyMemory<byte> der = der;

        public bool Equals(Name other) => der.Span.SequenceEqual(other.der.Span);

        public override bool Equals([NotNullWhen(true)] object? obj) => obj is Name other && Equals(other);

        public override int GetHashCode()
        {
            var hash = default(HashCode);
            hash.AddBytes(der.Span);
            return hash.ToHashCode();
        }
    }
}

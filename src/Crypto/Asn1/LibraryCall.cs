using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Utilities;

namespace Trust.Crypto.Asn1;

/// <summary>
/// The one door to BouncyCastle. Adapters call it here, after <see cref="DerGate"/>, and turn a failure into an outcome of their own;
/// nothing outside an adapter sees a type or an exception of the library.
/// </summary>
internal static class LibraryCall
{
    private const string Prefix = "Org.BouncyCastle.";

    static LibraryCall() => ForgetEnvironment();

    /// <summary>Runs one call into the library.</summary>
    /// <param name="call">Must be synchronous and touch nothing but the library: an exception of any kind is read as "refused".</param>
    /// <param name="result">What it returned; null when it threw.</param>
    /// <param name="why">The exception's kind, for the log; holds no input bytes.</param>
    /// <returns>False when the library threw anything.</returns>
    /// <exception cref="OperationCanceledException">Passed through: that is the caller's own.</exception>
    public static bool Try<T>(Func<T> call, [NotNullWhen(true)] out T? result, [NotNullWhen(false)] out string? why)
        where T : notnull
    {
        // From 2.7 on, importing an RSA key proves its modulus composite, 50 ms for 3072 bits. PublicKeyCheck does that once a key and
        // keeps the verdict. The switch belongs to the thread, so it is set here and put back before the thread does other work.
        var before = Properties.GetThreadProperty(Properties.RsaMaxMRTests);
        Properties.SetThreadProperty(Properties.RsaMaxMRTests, "0");
        try
        {
            result = call();
            why = null;
            return true;
        }
#pragma warning disable CA1031 // The library throws a dozen kinds for malformed input, NullReferenceException among them: each means "refused".
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            result = default;
            why = e.GetType().Name;
            return false;
        }
        finally
        {
            Restore(before);
        }
    }

    /// <summary>Reads one structure through the gate.</summary>
    /// <param name="der">The bytes received.</param>
    /// <param name="maxBytes">Largest size that is looked at.</param>
    /// <param name="read">The library's reader of this structure.</param>
    /// <param name="structure">
    /// What it read. Encoded again it is what was received, byte for byte: the library read nothing in a way of its own and skipped nothing,
    /// so a part of it that is encoded again is the part received.
    /// </param>
    /// <returns>False when the bytes are not exactly this structure in DER.</returns>
    public static bool TryRead<T>(ReadOnlyMemory<byte> der, int maxBytes, Func<Asn1Object, T> read, [NotNullWhen(true)] out T? structure)
        where T : Asn1Encodable
    {
        structure = null;
        return DerGate.Check(der.Span, maxBytes) is null
            && Try(() => read(Asn1Object.FromByteArray(der.ToArray())), out structure, out _)
            && Try(structure.Received, out var back, out _)
            && back.AsSpan().SequenceEqual(der.Span);
    }

    /// <summary>Reads a part that the library left unread, and holds it to the same.</summary>
    /// <exception cref="AsnContentException">Encoded again it is something else.</exception>
    public static T Part<T>(Asn1Encodable unread, Func<Asn1Encodable, T> read)
        where T : Asn1Encodable
    {
        var part = read(unread);
        return part.Received().AsSpan().SequenceEqual(unread.Received()) ? part : throw new AsnContentException("A part is not DER.");
    }

    /// <summary>The bytes of a part of what <see cref="TryRead"/> read, as they were received.</summary>
    public static byte[] Received(this Asn1Encodable part) => part.GetEncoded(Asn1Encodable.DL);

    /// <summary>Writes a structure from what this system decided: here a failure is a fault, not a refusal.</summary>
    /// <exception cref="CryptographicException">The library refused to write it.</exception>
    public static byte[] Encode(Func<Asn1Encodable> make) =>
        Try(() => make().GetEncoded(Asn1Encodable.Der), out var der, out var why) ? der : throw new CryptographicException("Cannot be encoded: " + why);

    /// <summary>
    /// Removes the library's switches from this process's environment: some make it accept what it refuses by default, such as
    /// certificates that are not DER and RSA keys that are not safe.
    /// </summary>
    internal static void ForgetEnvironment()
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Key is string name && name.StartsWith(Prefix, StringComparison.Ordinal))
            {
                Environment.SetEnvironmentVariable(name, null);
            }
        }
    }

    private static void Restore(string? value)
    {
        if (value is null)
        {
            _ = Properties.RemoveThreadProperty(Properties.RsaMaxMRTests);
        }
        else
        {
            Properties.SetThreadProperty(Properties.RsaMaxMRTests, value);
        }
    }
}

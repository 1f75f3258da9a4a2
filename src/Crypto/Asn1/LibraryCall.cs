using System.Collections;
using System.Diagnostics.CodeAnalysis;
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

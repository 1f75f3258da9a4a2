using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;

namespace Trust.Kernel.Hosting;

/// <summary>A file of the public folder that a service cannot do its work without: <c>.pem</c> holds certificates, <c>.spki</c> a public key.</summary>
/// <param name="Name">File name.</param>
public sealed record RequiredFile(string Name);

/// <summary>
/// Whether the files are there and hold what they are named for. A service whose trust anchor is gone refuses everyone; it must not look well while it does.
/// </summary>
public sealed class RequiredFiles(ServiceOptions options, IEnumerable<RequiredFile> files) : IReadinessCheck
{
    /// <inheritdoc/>
    public string Name => "public-files";

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct)
    {
        List<string> lost = [.. files.Select(f => f.Name).Distinct(StringComparer.Ordinal).Select(Lost).OfType<string>()];
        return ValueTask.FromResult(lost.Count == 0 ? new Readiness(true, "are there") : new Readiness(false, string.Join("; ", lost)));
    }

    private string? Lost(string name)
    {
        var path = Path.Combine(options.PublicDirectory, name);
        try
        {
            return Holds(path) ? null : $"{path} does not hold what it should";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"{path} is missing";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{path} cannot be read";
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return $"{path} does not hold what it should";
        }
    }

    private static bool Holds(string path)
    {
        if (path.EndsWith(".pem", StringComparison.Ordinal))
        {
            return Certificate.ParsePem(File.ReadAllText(path)).Count > 0;
        }

        var key = File.ReadAllBytes(path);
        _ = PublicKey.CreateFromSubjectPublicKeyInfo(key, out var read);
        return read == key.Length;
    }
}

using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Keys;

/// <summary>The published roots and issuing certificates, read from the public folder once all that must be there is.</summary>
public sealed class TrustAnchors(ServiceOptions options)
{
    private static readonly string[] Needed = ["root.pem", "practitioner-issuing.pem", "institution-issuing.pem", "service-issuing.pem"];

    private volatile Read? read;

    /// <summary>Without these no signature can be judged or made.</summary>
    public static IReadOnlyList<RequiredFile> RequiredFiles { get; } = [.. Needed.Select(n => new RequiredFile(n))];

    /// <summary>Trust anchors.</summary>
    public IReadOnlyList<Certificate> Roots => Now().Roots;

    /// <summary>Issuing certificates that help to build paths; not trusted for being here.</summary>
    public IReadOnlyList<Certificate> Issuers => Now().Issuers;

    private Read Now()
    {
        if (read is { } kept)
        {
            return kept;
        }

        var now = new Read(
            Pem("root.pem", "root-sm2.pem"), Pem("practitioner-issuing.pem", "practitioner-issuing-sm2.pem", "institution-issuing.pem", "service-issuing.pem"));
        if (Needed.All(n => File.Exists(Path.Combine(options.PublicDirectory, n))))
        {
            read = now;
        }

        return now;
    }

    private List<Certificate> Pem(params string[] names) =>
        [.. names.Select(n => Path.Combine(options.PublicDirectory, n)).Where(File.Exists)
            .SelectMany(file => Certificate.ParsePem(File.ReadAllText(file)))];

    private sealed record Read(IReadOnlyList<Certificate> Roots, IReadOnlyList<Certificate> Issuers);
}

using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Keys;

/// <summary>The published roots and issuing certificates, read from the public folder.</summary>
public sealed class TrustAnchors(ServiceOptions options)
{
    private readonly Lazy<IReadOnlyList<Certificate>> roots = new(() => Read(options, "root.pem", "root-sm2.pem"));

    private readonly Lazy<IReadOnlyList<Certificate>> issuers = new(() => Read(
        options, "practitioner-issuing.pem", "practitioner-issuing-sm2.pem", "institution-issuing.pem", "service-issuing.pem"));

    /// <summary>Trust anchors.</summary>
    public IReadOnlyList<Certificate> Roots => roots.Value;

    /// <summary>Issuing certificates that help to build paths; not trusted for being here.</summary>
    public IReadOnlyList<Certificate> Issuers => issuers.Value;

    private static List<Certificate> Read(ServiceOptions options, params string[] names) =>
        [.. names.Select(n => Path.Combine(options.PublicDirectory, n)).Where(File.Exists)
            .SelectMany(file => Certificate.ParsePem(File.ReadAllText(file)))];
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;

namespace Trust.Idp.Clients;

/// <summary>
/// Client authentication by the certificate of the connection (RFC 8705 2): one under an authority that the operator named, with the one name that the client
/// registered; or one that stands in its key set. Certificates that a header brings are not looked at (CVE-2026-40575).
/// </summary>
public sealed class ClientCertificates(ClientKeys keys, IdpOptions options, ServiceOptions service, TimeProvider clock)
{
    private volatile IReadOnlyList<Certificate>? _authorities;

    /// <summary>Whether the connection's certificate is the client's.</summary>
    public async ValueTask<bool> Proves(HttpContext context, Client client, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(client);
        return context.ListenerName is Listener && context.Connection.ClientCertificate is { } shown
            && (client.Metadata.TokenEndpointAuthMethod is "tls_client_auth" ? IsNamed(shown, client.Metadata) : await IsRegistered(shown, client, ct));
    }

    /// <summary>The listener at which clients show certificates.</summary>
    public const string Listener = "Mtls";

    private bool IsNamed(X509Certificate2 shown, ClientMetadata registered)
    {
        if (options.ClientIssuers.Count == 0 || !Certificate.TryParse(shown.RawDataMemory, out var leaf, out _))
        {
            return false;
        }

        var authorities = _authorities ??= [.. options.ClientIssuers.SelectMany(file => Certificate.ParsePem(File.ReadAllText(Path.Combine(service.PublicDirectory, file))))];
        var roots = authorities.Where(a => a.IsSelfIssued).ToList();
        return CertificatePath.Build(leaf, authorities, roots, clock.GetUtcNow(), CertificateUsage.Client) is PathOutcome.Trusted && HasName(shown, registered);
    }

    private static bool HasName(X509Certificate2 shown, ClientMetadata registered)
    {
        if (registered.TlsClientAuthSubjectDn is { } subject)
        {
            return Same(shown.SubjectName, subject);
        }

        var names = shown.Extensions.OfType<X509SubjectAlternativeNameExtension>().ToList();
        return registered.TlsClientAuthSanDns is { } dns
            ? names.Any(n => n.EnumerateDnsNames().Contains(dns, StringComparer.Ordinal))
            : registered.TlsClientAuthSanUri is { } uri && names.Any(n => Uris(n).Contains(uri, StringComparer.Ordinal));
    }

    // RFC 4514 text compared as the bytes that it stands for.
    private static bool Same(X500DistinguishedName shown, string registered)
    {
        try
        {
            return shown.RawData.AsSpan().SequenceEqual(new X500DistinguishedName(registered).RawData) || shown.Name == registered;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static List<string> Uris(X509SubjectAlternativeNameExtension names)
    {
        // GeneralName [6] IA5String.
        var uris = new List<string>();
        var reader = new System.Formats.Asn1.AsnReader(names.RawData, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence();
        while (reader.HasData)
        {
            var tag = reader.PeekTag();
            if (tag is { TagClass: System.Formats.Asn1.TagClass.ContextSpecific, TagValue: 6 })
            {
                uris.Add(reader.ReadCharacterString(System.Formats.Asn1.UniversalTagNumber.IA5String, tag));
            }
            else
            {
                _ = reader.ReadEncodedValue();
            }
        }

        return uris;
    }

    private async Task<bool> IsRegistered(X509Certificate2 shown, Client client, CancellationToken ct)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        if (shown.NotBefore.ToUniversalTime() > now || shown.NotAfter.ToUniversalTime() < now)
        {
            return false;
        }

        var der = Convert.ToBase64String(shown.RawDataMemory.Span);
        // RFC 8705 2.2.2: the certificate itself, as x5c of one of its keys.
        return (await keys.All(client, ct)).Any(k => k.X5c is [{ } first, ..] && string.Equals(first, der, StringComparison.Ordinal));
    }
}

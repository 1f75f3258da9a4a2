using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;

namespace Trust.CA.Enrolment;

/// <summary>Names and addresses of services in certificates and requests.</summary>
internal static class ServiceNames
{
    /// <summary>DNS names and addresses among the extensions; empty when there are none or they cannot be read.</summary>
    public static List<GeneralName> Among(IReadOnlyList<CertificateExtension> extensions)
    {
        var extension = extensions.FirstOrDefault(e => string.Equals(e.Oid, Oids.SubjectAltName, StringComparison.Ordinal));
        if (extension is null)
        {
            return [];
        }

        try
        {
            var names = new X509SubjectAlternativeNameExtension(extension.Value.Span);
            return
            [
                .. names.EnumerateDnsNames().Select(n => new GeneralName.Dns(n)),
                .. names.EnumerateIPAddresses().Select(a => new GeneralName.Ip(a.GetAddressBytes())),
            ];
        }
        catch (CryptographicException)
        {
            return [];
        }
    }

    /// <summary>A name as text, to compare by content.</summary>
    public static string Text(GeneralName name) => name switch
    {
        GeneralName.Dns dns => "dns:" + dns.Value,
        GeneralName.Ip ip => "ip:" + new IPAddress(ip.Value.Span),
        _ => "other",
    };
}

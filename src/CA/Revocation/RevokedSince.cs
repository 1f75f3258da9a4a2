namespace Trust.CA.Revocation;

/// <summary>Since when a certificate is not good: what CRL and OCSP tell as revocationDate and revocationTime.</summary>
internal static class RevokedSince
{
    /// <summary>
    /// SQL over a certificate <c>c</c>: <c>at, reason, invalidity_date</c> of its last state. The instant is the begin of the hold that a revocation
    /// or a further demand for the hold followed: a signature made in between must not pass for one of a good certificate.
    /// </summary>
    public const string OfCertificate = """
        SELECT (SELECT min(f.at) FROM certificate_states f WHERE f.sha256 = c.sha256 AND f.id > coalesce(
                   (SELECT max(g.id) FROM certificate_states g WHERE g.sha256 = c.sha256 AND g.state = 'good'), 0)) AS at, s.reason, s.invalidity_date
        FROM certificate_states s WHERE s.sha256 = c.sha256 ORDER BY s.id DESC LIMIT 1
        """;
}

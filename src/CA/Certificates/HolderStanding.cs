namespace Trust.CA.Certificates;

/// <summary>What the registry and the officers' list make of a certificate: SQL that every change of one asks before it is good.</summary>
internal static class HolderStanding
{
    /// <summary>
    /// One row <c>standing, reason</c> for the holder $1, the institution $2 (NULL for none) and the instant $3: <c>good</c>, <c>hold</c>, or
    /// <c>revoked</c> with the RFC 5280 reason that the registry's own change would have given.
    /// </summary>
    public const string OfCertificate = """
        SELECT CASE
                 WHEN person IN ('revoked', 'deregistered') THEN 'revoked'
                 WHEN institution = 'closed' THEN 'revoked'
                 WHEN person IS NOT NULL AND $2 IS NOT NULL AND NOT affiliated THEN 'revoked'
                 WHEN person <> 'active' OR NOT officer THEN 'hold'
                 ELSE 'good' END AS standing,
               CASE
                 WHEN person IN ('revoked', 'deregistered') THEN 9
                 WHEN institution = 'closed' THEN 5
                 WHEN person IS NOT NULL AND $2 IS NOT NULL AND NOT affiliated THEN 3
                 WHEN person <> 'active' OR NOT officer THEN 6
                 ELSE 0 END AS reason
        FROM (SELECT (SELECT coalesce((SELECT state FROM practitioner_states s WHERE s.practitioner = p.urn AND s.effective_from <= $3
                                       ORDER BY id DESC LIMIT 1), 'pending') FROM practitioners p WHERE p.urn = $1) AS person,
                     (SELECT state FROM institution_states s WHERE s.institution = coalesce($2, $1) AND s.effective_from <= $3
                      ORDER BY id DESC LIMIT 1) AS institution,
                     EXISTS (SELECT 1 FROM affiliations_known('infinity') a WHERE a.practitioner = $1 AND a.institution = $2 AND a.valid_from <= $3
                             AND (a.valid_to IS NULL OR a.valid_to > $3)) AS affiliated,
                     coalesce((SELECT active FROM officers o WHERE o.person = $1), true) AS officer) facts
        """;
}

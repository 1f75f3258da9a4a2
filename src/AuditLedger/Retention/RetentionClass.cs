namespace Trust.AuditLedger.Retention;

/// <summary>
/// What kind of trail each action of the catalogue leaves, and how many months such a trail is kept unless configured otherwise. The name of a class is
/// its key in <c>RetentionMonths</c>; the <c>class</c> of a body is looked up by the same names.
/// </summary>
internal static class RetentionClass
{
    /// <summary>Proves treatment: records are kept 15 years after the last visit and 30 after discharge, and nothing here knows of either day.</summary>
    public const string Treatment = "TREATMENT";

    /// <summary>Says who somebody is and by what right a key signs: kept as long as the records that such signatures stand under.</summary>
    public const string Credential = "CREDENTIAL";

    /// <summary>Who read, asked or handed on: three years (Personal Information Protection Law art. 56).</summary>
    public const string Access = "ACCESS";

    /// <summary>Coming and going: the floor of a network log (Cybersecurity Law art. 21).</summary>
    public const string Session = "SESSION";

    /// <summary>The ledger on itself. It writes some in every range, so what is kept here for long keeps everything.</summary>
    public const string Ledger = "LEDGER";

    /// <summary>Months for what is in no list.</summary>
    public const int Longest = 360;

    /// <summary>Months a class is kept when nothing is configured; the longest for one that is not known here.</summary>
    public static int MonthsOf(string name) => name switch
    {
        Session => 6,
        Ledger => 24,
        Access => 36,
        _ => Longest,
    };

    /// <summary>Class of an action; null for one that has none, which is kept longest.</summary>
    public static string? OfAction(string action) => action switch
    {
        "REC.read" or "REC.export" or "REG.query" => Access,
        _ => OfFamily(action.AsSpan(0, Math.Max(action.IndexOf('.', StringComparison.Ordinal), 0))),
    };

    private static string? OfFamily(ReadOnlySpan<char> family) => family switch
    {
        "RX" or "SIGN" or "REC" or "CONSENT" or "GRANT" => Treatment,
        "ID" or "SUBJECT" or "CERT" or "KEY" or "ADMIN" or "BL" or "REG" => Credential,
        "BG" or "RES" => Access,
        "AUTH" => Session,
        "LEDGER" => Ledger,
        _ => null,
    };
}

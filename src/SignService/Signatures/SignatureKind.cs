namespace Trust.SignService.Signatures;

/// <summary>The signatures of a prescription, in their order.</summary>
public enum SignatureKind
{
    /// <summary>The doctor's, over the prescription.</summary>
    Prescribe,

    /// <summary>The pharmacist's countersignature.</summary>
    Review,

    /// <summary>The institution's seal.</summary>
    Seal,
}

/// <summary>Names of kinds in storage, on the wire and inside signatures.</summary>
public static class SignatureKinds
{
    /// <summary>The wire name.</summary>
    public static string Name(this SignatureKind kind) => kind switch
    {
        SignatureKind.Prescribe => "prescribe",
        SignatureKind.Review => "review",
        SignatureKind.Seal => "seal",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The kind of a wire name; null when there is none.</summary>
    public static SignatureKind? Parse(string? name) => name switch
    {
        "prescribe" => SignatureKind.Prescribe,
        "review" => SignatureKind.Review,
        "seal" => SignatureKind.Seal,
        _ => null,
    };

    /// <summary>The signer's commitment (srCms), a purpose of ASTM E1762-95 as FHIR Signature.type codes it.</summary>
    public static string Commitment(this SignatureKind kind) => kind switch
    {
        SignatureKind.Prescribe => "urn:oid:1.2.840.10065.1.12.1.1",
        SignatureKind.Review => "urn:oid:1.2.840.10065.1.12.1.5",
        _ => "urn:oid:1.2.840.10065.1.12.1.14",
    };
}

using Trust.Crypto.Asn1;

namespace Trust.SignService.Signatures;

/// <summary>One signature as stored.</summary>
/// <param name="Id">Identifier.</param>
/// <param name="Prescription">What it belongs to.</param>
/// <param name="Region">Governing region.</param>
/// <param name="Kind">Which of the prescription's signatures.</param>
/// <param name="Signer">Person or institution URN.</param>
/// <param name="Institution">Institution acted for.</param>
/// <param name="Certificates">DER, leaf first, root excluded.</param>
/// <param name="Protected">base64url header.</param>
/// <param name="Payload">Signed bytes; null for the prescription's own payload.</param>
/// <param name="ExpiresAt">Until when a prepared signature may be completed.</param>
public sealed record SignatureRow(
    Guid Id,
    Guid Prescription,
    string Region,
    SignatureKind Kind,
    string Signer,
    string Institution,
    IReadOnlyList<byte[]> Certificates,
    string Protected,
    byte[]? Payload,
    DateTimeOffset ExpiresAt)
{
    /// <summary><c>prepared</c>, <c>intended</c> or <c>done</c>.</summary>
    public string Status { get; init; } = "prepared";

    /// <summary>base64url r‖s once given.</summary>
    public string? Signature { get; init; }

    /// <summary>Idempotency key of the completion.</summary>
    public string? CompletionKey { get; init; }

    /// <summary>Event that announced the act.</summary>
    public Guid? Intent { get; init; }

    /// <summary>RFC 3161 token over the signature value.</summary>
    public byte[]? TimeStamp { get; init; }

    /// <summary>The leaf certificate.</summary>
    public Certificate Leaf => Certificate.Parse(Certificates[0]);
}

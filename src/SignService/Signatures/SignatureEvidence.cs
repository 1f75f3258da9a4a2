using System.Text.Json.Serialization;

namespace Trust.SignService.Signatures;

/// <summary>One signature with all that verifying it needs.</summary>
/// <param name="Kind">prescribe, review or seal.</param>
/// <param name="Protected">base64url header.</param>
/// <param name="Signature">base64url r‖s over header "." payload.</param>
/// <param name="Certificates">DER, leaf first, root excluded.</param>
/// <param name="Timestamp">RFC 3161 token over the ASCII of <paramref name="Signature"/>.</param>
/// <param name="Payload">base64 of the signed bytes when they are not the prescription's own (review and seal sign a statement over it).</param>
public sealed record SignatureEvidence(
    string Kind,
    string Protected,
    string Signature,
    IReadOnlyList<byte[]> Certificates,
    byte[] Timestamp,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[]? Payload = null);

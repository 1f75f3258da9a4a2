using System.Text.Json.Serialization;

namespace Trust.SignService.Prescriptions;

/// <summary>A prepared signature: the complete bytes to be signed, which the client hashes itself.</summary>
/// <param name="Id">The prescription.</param>
/// <param name="Number">Its number.</param>
/// <param name="Status">Its state.</param>
/// <param name="Payload">base64 of the signed document.</param>
/// <param name="PayloadSha256">Lower-case hex.</param>
/// <param name="ToBeSigned">base64 of header "." payload; SHA-256 of these bytes goes to the card.</param>
/// <param name="ExpiresAt">Until when the signature is accepted.</param>
public sealed record PreparedResponse(
    Guid Id, string Number, string Status, byte[] Payload, string PayloadSha256, byte[] ToBeSigned, DateTimeOffset ExpiresAt);

/// <summary>The card's answer.</summary>
/// <param name="Signature">base64url r‖s.</param>
public sealed record SignatureRequest(string Signature);

/// <summary>A released signature.</summary>
/// <param name="Id">The prescription.</param>
/// <param name="Status">Its state now.</param>
/// <param name="Protected">base64url header.</param>
/// <param name="Signature">base64url r‖s.</param>
/// <param name="Timestamp">RFC 3161 token over the ASCII of <paramref name="Signature"/>.</param>
public sealed record SignedResponse(Guid Id, string Status, string Protected, string Signature, byte[] Timestamp);

/// <summary>A pharmacist's decision.</summary>
/// <param name="Decision">Only <c>approve</c>; anything else is a return with a reason.</param>
/// <param name="Certificate">DER of the pharmacist's signature certificate.</param>
public sealed record ReviewRequest(string Decision, byte[] Certificate);

/// <summary>Why.</summary>
/// <param name="Reason">For the other party, at most 500 characters; stays in this service.</param>
public sealed record ReasonRequest(string Reason);

/// <summary>Who hands the medicine over.</summary>
/// <param name="Dispenser">Practitioner URN, when the caller is a system.</param>
public sealed record DispenseRequest(string? Dispenser = null);

/// <summary>A prescription's state.</summary>
/// <param name="Id">The prescription.</param>
/// <param name="Status">Its state now.</param>
public sealed record StatusResponse(Guid Id, string Status);

/// <summary>A prescription as its institution or pharmacy sees it.</summary>
/// <param name="Id">Identifier.</param>
/// <param name="Number">Number.</param>
/// <param name="Status">State.</param>
/// <param name="ValidUntil">First instant at which it is not valid.</param>
/// <param name="Payload">base64 of the signed document.</param>
/// <param name="ReturnReason">Why it was returned.</param>
/// <param name="Signatures">Released signatures in order.</param>
public sealed record PrescriptionResponse(
    Guid Id, string Number, string Status, DateTimeOffset ValidUntil, byte[] Payload,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? ReturnReason, IReadOnlyList<SignatureEvidence> Signatures);

/// <summary>A prescription's signed material, as it goes into evidence.</summary>
/// <param name="Prescription">Identifier.</param>
/// <param name="Payload">base64 of the signed document.</param>
/// <param name="Signatures">Released signatures in order.</param>
public sealed record PrescriptionEvidence(Guid Prescription, byte[] Payload, IReadOnlyList<SignatureEvidence> Signatures);

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

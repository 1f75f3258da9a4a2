using System.Text.Json;
using Trust.Kernel.Identifiers;

namespace Trust.CA.Enrolment;

/// <summary>How the holder's identity was proved.</summary>
/// <param name="Method">For example <c>in-person</c> or <c>face-to-registry</c>.</param>
/// <param name="EvidenceSha256">Hash of the evidence kept by the registration office, 64 hex digits.</param>
/// <param name="PerformedAt">When; at most 30 days before the request.</param>
/// <param name="PerformedBy">Who.</param>
public sealed record IdentityProof(string Method, string EvidenceSha256, DateTimeOffset PerformedAt, string PerformedBy);

/// <summary>What carries the key.</summary>
/// <param name="Model">Model and firmware, for campaigns.</param>
/// <param name="Serial">Serial number of the device.</param>
public sealed record Carrier(string Model, string Serial);

/// <summary>A request for a certificate.</summary>
/// <param name="Profile">Profile name.</param>
/// <param name="Holder">URN of the holder, or a service's name.</param>
/// <param name="Pkcs10">PKCS#10 DER, base64; its CN must be the registered name.</param>
/// <param name="IdentityProof">How the holder was identified.</param>
/// <param name="Carrier">What carries the key.</param>
/// <param name="Institution">URN of the institution under which the holder acts; absent for none.</param>
public sealed record CertificateRequestBody(
    string Profile, string Holder, string Pkcs10, IdentityProof IdentityProof, Carrier Carrier, InstitutionId? Institution = null);

/// <summary>The recorded request.</summary>
/// <param name="Id">Identifier.</param>
/// <param name="RequestSha256">Hash over profile, holder, PKCS#10, proof and carrier, hex.</param>
/// <param name="ProfileSha256">Hash of the profile, hex.</param>
/// <param name="RegistrySha256">Hash of the registry's facts, hex.</param>
/// <param name="Approval">The bytes each approving officer's signature key signs, base64.</param>
public sealed record CertificateRequestCreated(Guid Id, string RequestSha256, string ProfileSha256, string RegistrySha256, string Approval);

/// <summary>An approval.</summary>
/// <param name="Signature">r‖s over SHA-256 of the approval bytes, base64.</param>
/// <param name="Certificate">The officer's signature certificate, DER, base64.</param>
public sealed record ApprovalBody(string Signature, string Certificate);

/// <summary>Where a request stands.</summary>
/// <param name="State"><c>pending</c>, <c>issuing</c>, <c>issued</c> or <c>refused</c>.</param>
/// <param name="Approvals">Approvals that count.</param>
/// <param name="Refusal">The rule that refused.</param>
/// <param name="Certificates">PEM chain without the root, leaf first, once issued.</param>
/// <param name="Sha256">SHA-256 of the certificate, hex.</param>
/// <param name="Content">What was asked for, when the request itself is shown.</param>
public sealed record RequestState(
    string State, int Approvals, string? Refusal = null, string? Certificates = null, string? Sha256 = null, RequestContent? Content = null);

/// <summary>Everything that an approval covers, so that an officer sees what the card signs.</summary>
/// <param name="Id">Identifier.</param>
/// <param name="Request">The request; <paramref name="RequestSha256"/> is the hash of its canonical JSON (RFC 8785).</param>
/// <param name="Subject">Common name that the PKCS#10 asks for.</param>
/// <param name="Key">Kind of key.</param>
/// <param name="KeySha256">SHA-256 of its SubjectPublicKeyInfo, hex.</param>
/// <param name="Registry">What the registry says of the holder; <paramref name="RegistrySha256"/> is the hash of its canonical JSON. Absent when the
/// registry says something else by now, so that the request cannot be approved.</param>
/// <param name="RequestedBy">The officer who asked.</param>
/// <param name="RequestedAt">When.</param>
/// <param name="ExpiresAt">When it lapses.</param>
/// <param name="ApprovedBy">Who approved.</param>
/// <param name="RequestSha256">Hash of the request, hex.</param>
/// <param name="ProfileSha256">Hash of the profile, hex.</param>
/// <param name="RegistrySha256">Hash of the registry's facts at the request, hex.</param>
/// <param name="Approval">The bytes each approving officer's signature key signs, base64.</param>
public sealed record RequestContent(
    Guid Id, CertificateRequestBody Request, string Subject, string Key, string KeySha256, JsonElement? Registry, string RequestedBy,
    DateTimeOffset RequestedAt, DateTimeOffset ExpiresAt, IReadOnlyList<ApprovalView> ApprovedBy, string RequestSha256, string ProfileSha256,
    string RegistrySha256, string Approval);

/// <summary>A request in a list.</summary>
/// <param name="Id">Identifier.</param>
/// <param name="State"><c>pending</c>, <c>issuing</c>, <c>issued</c> or <c>refused</c>.</param>
/// <param name="Profile">Profile name.</param>
/// <param name="Holder">URN of the holder, or a service's name.</param>
/// <param name="Subject">Common name that the PKCS#10 asks for.</param>
/// <param name="Institution">URN of the institution under which the holder acts.</param>
/// <param name="RequestedBy">The officer who asked.</param>
/// <param name="RequestedAt">When.</param>
/// <param name="ExpiresAt">When it lapses.</param>
/// <param name="Refusal">The rule that refused.</param>
public sealed record RequestSummary(
    Guid Id, string State, string Profile, string Holder, string Subject, string? Institution, string RequestedBy, DateTimeOffset RequestedAt,
    DateTimeOffset ExpiresAt, string? Refusal);

using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.Kernel.Keys;
using Trust.SignService.Prescriptions;
using Trust.SignService.Seals;
using Trust.SignService.Validation;

namespace Trust.SignService;

/// <summary>Bodies of this service's own endpoints: strict.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PreparedResponse))]
[JsonSerializable(typeof(SignatureRequest))]
[JsonSerializable(typeof(SignedResponse))]
[JsonSerializable(typeof(ReviewRequest))]
[JsonSerializable(typeof(ReasonRequest))]
[JsonSerializable(typeof(DispenseRequest))]
[JsonSerializable(typeof(StatusResponse))]
[JsonSerializable(typeof(PrescriptionResponse))]
[JsonSerializable(typeof(PrescriptionEvidence))]
[JsonSerializable(typeof(SealCertificateRequest))]
[JsonSerializable(typeof(SealRequest))]
[JsonSerializable(typeof(SealResponse))]
[JsonSerializable(typeof(ValidationRequest))]
[JsonSerializable(typeof(ValidationResponse))]
[JsonSerializable(typeof(PersonShreddingRequest))]
[JsonSerializable(typeof(PersonShreddingAnswer))]
public sealed partial class SignJson : JsonSerializerContext;

/// <summary>Answers of peers: members that a newer peer adds are skipped.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(PatientConsent))]
[JsonSerializable(typeof(CertificateStatus))]
public sealed partial class SignPeerJson : JsonSerializerContext;

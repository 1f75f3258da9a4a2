using System.Text.Json.Serialization;
using System.Text.Json;
using Trust.CA.Ceremony;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Entitlements;
using Trust.CA.Officers;
using Trust.CA.Persons;
using Trust.CA.Registry;
using Trust.CA.Residency;

namespace Trust.CA;

/// <summary>JSON contracts: generated, strict, camel case, enumerations by name.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ImportRequest))]
[JsonSerializable(typeof(ImportResponse))]
[JsonSerializable(typeof(ImportConfirmation))]
[JsonSerializable(typeof(IReadOnlyList<ProposalSummary>))]
[JsonSerializable(typeof(ProposalView))]
[JsonSerializable(typeof(PractitionerSearch))]
[JsonSerializable(typeof(IReadOnlyList<FoundPractitioner>))]
[JsonSerializable(typeof(StateRequest))]
[JsonSerializable(typeof(StateResponse))]
[JsonSerializable(typeof(CertificateRequestBody))]
[JsonSerializable(typeof(CertificateRequestCreated))]
[JsonSerializable(typeof(ApprovalBody))]
[JsonSerializable(typeof(RequestState))]
[JsonSerializable(typeof(IReadOnlyList<RequestSummary>))]
[JsonSerializable(typeof(CertificateStateRequest))]
[JsonSerializable(typeof(CertificateView))]
[JsonSerializable(typeof(Holder))]
[JsonSerializable(typeof(OfficerCard))]
[JsonSerializable(typeof(CertificateStanding))]
[JsonSerializable(typeof(Profile))]
[JsonSerializable(typeof(EvaluationRequest))]
[JsonSerializable(typeof(EvaluationResponse))]
[JsonSerializable(typeof(IdentifierRequest))]
[JsonSerializable(typeof(IdentifierResponse))]
[JsonSerializable(typeof(DeclarationSummary))]
[JsonSerializable(typeof(IReadOnlyList<DeclarationSummary>))]
[JsonSerializable(typeof(DeclarationJws))]
[JsonSerializable(typeof(DeclarationSignature))]
[JsonSerializable(typeof(DeclarationView))]
[JsonSerializable(typeof(CeremonyFile))]
[JsonSerializable(typeof(Transcript))]
public sealed partial class CaJson : JsonSerializerContext;

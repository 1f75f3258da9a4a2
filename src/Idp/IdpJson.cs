using System.Text.Json.Serialization;
using Trust.Idp.Admin;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Decoupled;
using Trust.Idp.Login;
using Trust.Idp.Patients;
using Trust.Idp.Token;
using Trust.Kernel.Keys;

namespace Trust.Idp;

/// <summary>JSON contracts of the provider.</summary>
[JsonSerializable(typeof(CardHolder))]
[JsonSerializable(typeof(Client))]
[JsonSerializable(typeof(OAuthErrorBody))]
[JsonSerializable(typeof(TokenBody))]
[JsonSerializable(typeof(OfficerCard))]
[JsonSerializable(typeof(ClientChangeRequest))]
[JsonSerializable(typeof(ClientChangeAnswer))]
[JsonSerializable(typeof(IReadOnlyList<ClientChangeAnswer>))]
[JsonSerializable(typeof(ClientChangeApproval))]
[JsonSerializable(typeof(IReadOnlyList<ClientSummary>))]
[JsonSerializable(typeof(IReadOnlyList<SessionSummary>))]
[JsonSerializable(typeof(IReadOnlyList<TokenKeySummary>))]
[JsonSerializable(typeof(PatientRequest))]
[JsonSerializable(typeof(PatientAnswer))]
[JsonSerializable(typeof(ConsentRequest))]
[JsonSerializable(typeof(ConsentAnswer))]
[JsonSerializable(typeof(PersonShreddingRequest))]
[JsonSerializable(typeof(PersonShreddingAnswer))]
[JsonSerializable(typeof(PushedBody))]
[JsonSerializable(typeof(DeviceBody))]
[JsonSerializable(typeof(CibaBody))]
[JsonSerializable(typeof(CibaDecision))]
[JsonSerializable(typeof(List<CibaAsked>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
internal sealed partial class IdpJson : JsonSerializerContext;

using System.Text.Json.Serialization;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
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
[JsonSerializable(typeof(PatientRequest))]
[JsonSerializable(typeof(PatientAnswer))]
[JsonSerializable(typeof(ConsentRequest))]
[JsonSerializable(typeof(ConsentAnswer))]
[JsonSerializable(typeof(PersonShreddingRequest))]
[JsonSerializable(typeof(PersonShreddingAnswer))]
[JsonSerializable(typeof(PushedBody))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
internal sealed partial class IdpJson : JsonSerializerContext;

using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Registry;
using Trust.Crypto.Jose;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.CA.Entitlements;

/// <summary>
/// <c>GET /entitlements</c>: may this person, at this institution, do this act at this instant, by what was known at another? The answer is
/// a JWS by the token's entitlement key, so that it can be kept as proof; the same for services, for regulators and for the one it speaks of.
/// </summary>
internal sealed class AnswerEntitlement(NpgsqlDataSource db, IToken token, RegistryReaders readers, TimeProvider clock)
{
    /// <summary>The key that signs answers.</summary>
    public static KeyRef Key { get; } = new("entitlement");

    private static readonly string[] Acts = ["login", "prescribe", "review", "dispense", "claim", "seal", "system"];
    private static readonly string Header = Jws.Header(EntitlementClient.AnswerType);

    /// <summary>Answers.</summary>
    public async Task<Results<ContentHttpResult, Refusal>> Handle(
        HttpContext context, string act, string? person, string? institution, string? certificate, string? at, string? known, CancellationToken ct)
    {
        context.Response.Headers.CacheControl = "no-store";
        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (Parse(act, person, institution, certificate, at, known, now) is not { } query)
        {
            return CaRefusals.MalformedQuestion;
        }

        var facts = await EntitlementFacts.Read(db, query, ct);
        if (!context.IsPeer() && await Outside(context.Caller(), query, facts, ct) is { } refusal)
        {
            return refusal;
        }

        var payload = Payload(query, facts, EntitlementRules.Decide(query, facts), now);
        var answer = await Jws.Sign(Header, payload, (digest, cancel) => token.Sign(Key, digest, cancel), ct);
        return TypedResults.Text(answer, "application/jwt", Encoding.ASCII);
    }

    // Services ask at every act, and the act is the event. A question from outside is an act by itself.
    private async Task<Refusal?> Outside(Caller caller, EntitlementQuery query, EntitlementFacts facts, CancellationToken ct)
    {
        List<SubjectKey> subjects = [];
        if (query.Person is { } person)
        {
            subjects.Add(SubjectKey.Practitioner(person.Value));
        }

        if (query.Institution is { } institution)
        {
            subjects.Add(SubjectKey.Institution(institution.Value));
        }

        if (query.Certificate is { } certificate)
        {
            subjects.Add(SubjectKey.Certificate(certificate));
        }

        var asked = RegistryReaders.Question(caller, "entitlement-" + query.Act, subjects) with { RuleVersion = EntitlementRules.Version };
        return readers.Judge(caller, query, facts) is { } refused ? await readers.Refuse(asked, refused, ct) : await readers.Confirm(asked, ct);
    }

    private static EntitlementQuery? Parse(
        string act, string? person, string? institution, string? certificate, string? at, string? known, DateTimeOffset now)
    {
        var (instant, knowledge) = (now, now);
        var (who, place) = (default(PersonId), default(InstitutionId));
        return !Acts.Contains(act, StringComparer.Ordinal)
            || (person is not null && !PersonId.TryParse(person, out who))
            || (institution is not null && !InstitutionId.TryParse(institution, out place))
            || (certificate is not null && (certificate.Length != 64 || !certificate.All(char.IsAsciiHexDigitLower)))
            || (at is not null && !WrittenInstant.TryParse(at, out instant))
            || instant > now.AddMinutes(1)
            || (known is not null && (!WrittenInstant.TryParse(known, out knowledge) || knowledge > now))
                ? null
                : new EntitlementQuery(person is null ? null : who, institution is null ? null : place, act, certificate, instant, known is null ? null : knowledge);
    }

    private static byte[] Payload(EntitlementQuery query, EntitlementFacts facts, string reason, DateTimeOffset now)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            var permit = reason is EntitlementRules.Permitted;
            json.WriteStartObject();
            json.WriteString("person"u8, query.Person?.Value);
            json.WriteString("institution"u8, query.Institution?.Value);
            json.WriteString("act"u8, query.Act);
            json.WriteString("certificate"u8, query.Certificate);
            json.WriteString("at"u8, query.At);
            json.WriteString("known"u8, query.Known ?? now);
            json.WriteString("decision"u8, permit ? "permit"u8 : "deny"u8);
            json.WriteString("reason"u8, reason);
            json.WriteString("ruleVersion"u8, EntitlementRules.Version);
            json.WriteString("verified_at"u8, now);
            json.WriteNumber("feed"u8, facts.Feed);
            if (facts.InstitutionRegion is not null)
            {
                json.WriteString("region"u8, facts.InstitutionRegion);
                json.WriteString("institution_name"u8, facts.InstitutionName);
            }

            if (query.Person is not null && facts.Role is not null)
            {
                json.WriteString("role"u8, facts.Role);
                json.WriteString("name"u8, facts.Name);
                json.WriteBoolean("filing"u8, facts.Filed);
                WriteLicence(json, facts);
            }

            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteLicence(Utf8JsonWriter json, EntitlementFacts facts)
    {
        json.WriteStartObject("licence"u8);
        json.WriteString("number_last4"u8, facts.LicenceLast4);
        json.WriteString("number"u8, facts.LicenceNumber);
        json.WriteString("category"u8, facts.Category);
        json.WriteStartArray("scope"u8);
        foreach (var scope in facts.Scope)
        {
            json.WriteStringValue(scope);
        }

        json.WriteEndArray();
        json.WriteString("status"u8, facts.State);
        json.WriteEndObject();
    }
}

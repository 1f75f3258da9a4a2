using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Npgsql;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>What the registry says of a holder now, with the hash that officers sign.</summary>
public abstract record SnapshotOutcome
{
    private SnapshotOutcome()
    {
    }

    /// <summary>The holder may have a certificate.</summary>
    /// <param name="Subject">What it would name.</param>
    /// <param name="Facts">The facts, canonical JSON.</param>
    /// <param name="Sha256">Their hash; changes with any of them.</param>
    public sealed record Fit(CertificateSubject Subject, byte[] Facts, byte[] Sha256) : SnapshotOutcome;

    /// <summary>The holder may not; why.</summary>
    public sealed record Unfit(Refusal Why) : SnapshotOutcome;
}

/// <summary>Says whether a holder may have a certificate, and pins the facts it says so by.</summary>
public sealed class RegistrySnapshot(RegistryStore registry, NpgsqlDataSource db)
{
    private const string SelectOfficer = "SELECT name FROM officers WHERE person = $1 AND active";

    /// <summary>Judges a holder of a profile by the registry as it stands at an instant.</summary>
    public async Task<SnapshotOutcome> JudgeHolder(
        Profile profile, string holder, string? institution, DateTimeOffset at, CancellationToken ct) => profile.Holder switch
    {
        "practitioner" => await OfPractitioner(holder, institution, at, ct),
        "institution" when institution is null || string.Equals(institution, holder, StringComparison.Ordinal) => await OfInstitution(holder, at, ct),
        "officer" when institution is null => await OfOfficer(holder, ct),
        "service" when institution is null => OfService(holder),
        _ => new SnapshotOutcome.Unfit(CaRefusals.HolderDoesNotFitProfile),
    };

    private async Task<SnapshotOutcome> OfPractitioner(string holder, string? institution, DateTimeOffset at, CancellationToken ct)
    {
        if (await registry.StandingOf(holder, institution, at, ct) is not { Person: var person } standing)
        {
            return new SnapshotOutcome.Unfit(CaRefusals.HolderUnknownPerson);
        }

        var state = standing.State ?? "pending";
        if (CaRefusals.OfState(state) is { } why)
        {
            return new SnapshotOutcome.Unfit(why);
        }

        if (institution is not null && (standing.Affiliation is null || standing.InstitutionState is not "active"))
        {
            return new SnapshotOutcome.Unfit(standing.Affiliation is null ? CaRefusals.NoAffiliation : CaRefusals.InstitutionClosed);
        }

        var facts = new JsonObject
        {
            ["holder"] = holder, ["name"] = person.Name, ["role"] = person.Role, ["licence"] = person.LicenceNumber, ["category"] = person.Category,
            ["scope"] = new JsonArray([.. person.Scope.Select(s => JsonValue.Create(s))]), ["state"] = state, ["region"] = person.Region,
            ["institution"] = institution, ["affiliation"] = standing.Affiliation,
        };
        List<GeneralName> names = [new GeneralName.Uri(holder)];
        if (institution is not null)
        {
            names.Add(new GeneralName.Uri(institution));
        }

        return Fit(new CertificateSubject(person.Name, standing.InstitutionName, names), facts);
    }

    private async Task<SnapshotOutcome> OfInstitution(string holder, DateTimeOffset at, CancellationToken ct)
    {
        if (await registry.FindInstitution(holder, at, ct) is not { } institution)
        {
            return new SnapshotOutcome.Unfit(CaRefusals.HolderUnknownInstitution);
        }

        if (await registry.StateOfInstitution(holder, at, ct) is not "active")
        {
            return new SnapshotOutcome.Unfit(CaRefusals.InstitutionClosed);
        }

        var facts = new JsonObject
        {
            ["holder"] = holder, ["name"] = institution.Name, ["creditCode"] = institution.CreditCode, ["kind"] = institution.Kind,
            ["region"] = institution.Region, ["state"] = "active",
        };
        return Fit(new CertificateSubject(institution.Name, institution.Name, [new GeneralName.Uri(holder)]), facts);
    }

    private async Task<SnapshotOutcome> OfOfficer(string holder, CancellationToken ct)
    {
        var name = await db.Sql(SelectOfficer).With(holder).Scalar<string>(ct);
        return name is null
            ? new SnapshotOutcome.Unfit(CaRefusals.HolderUnknownOfficer)
            : Fit(
                new CertificateSubject(name, null, [new GeneralName.Uri(holder)]),
                new JsonObject { ["holder"] = holder, ["name"] = name, ["role"] = "ra-officer" });
    }

    private static SnapshotOutcome OfService(string holder) => holder is "idp" or "ca" or "sign" or "ledger"
        ? Fit(new CertificateSubject(holder, null, []), new JsonObject { ["holder"] = holder, ["role"] = "service" })
        : new SnapshotOutcome.Unfit(CaRefusals.HolderUnknownService);

    // A name that the registry took before it had today's bound would break the certificate after two approvals, and with it the key.
    private static SnapshotOutcome Fit(CertificateSubject subject, JsonObject facts)
    {
        if (IsTooLong(subject.CommonName) || IsTooLong(subject.Organization))
        {
            return new SnapshotOutcome.Unfit(CaRefusals.HolderNameTooLong.With("most", PersonName.MostCharacters));
        }

        var canonical = CanonicalJson.Encode(facts);
        return new SnapshotOutcome.Fit(subject, canonical, SHA256.HashData(canonical));
    }

    private static bool IsTooLong(string? name) => name is not null && name.EnumerateRunes().Count() > PersonName.MostCharacters;
}

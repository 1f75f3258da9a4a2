using System.Security.Cryptography;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Ceremony;

/// <summary>
/// Issues the first certificates: officers, services, time-stamping. After the ceremony is closed only a service's expired TLS
/// certificate can be made anew here, for the key of its request.
/// </summary>
public sealed class EnrolFirstHolders(
    NpgsqlDataSource db, IssuerDirectory issuers, CaKeys keys, Issuance issuance, ProfileSet profiles, RegistryKeys registryKeys, CertificateChains chains,
    CaOptions options, TimeProvider clock, string directory, bool closed)
{
    private const string FindOfficer = "SELECT person FROM officers WHERE identity_lookup = $1";
    private const string InsertOfficer = "INSERT INTO officers (person, name, identity_lookup, region, recorded_at) VALUES ($1, $2, $3, $4, $5)";
    private const string Existing = """
        SELECT der FROM certificates WHERE profile = $1 AND holder = $2 AND spki_sha256 = $3 AND state = 'good' AND not_after > $4
        ORDER BY issued_at DESC LIMIT 1
        """;

    /// <summary>Issues what is missing and writes every chain to its path.</summary>
    public async Task<List<TranscriptCertificate>> Enrol(CeremonyFile file, CancellationToken ct)
    {
        var made = new List<TranscriptCertificate>();
        var people = new HashSet<string>(StringComparer.Ordinal);
        foreach (var officer in file.Officers)
        {
            var person = await PersonOf(officer, ct);
            if (!people.Add(person))
            {
                throw new CeremonyException($"Officer {officer.Name} is in the file twice: one person is one voice.");
            }

            var subject = new CertificateSubject(officer.Name, null, [new GeneralName.Uri(person)]);
            made.Add(await Issue("officer-authentication", person, subject, officer.AuthenticationRequest, officer.AuthenticationCertificate, ct));
            made.Add(await Issue("officer-signature", person, subject, officer.SignatureRequest, officer.SignatureCertificate, ct));
        }

        foreach (var service in file.Services)
        {
            var request = await Read(service.Request, ct);
            var names = ServiceNames.Among(request.RequestedExtensions);
            if (!names.Contains(new GeneralName.Dns(ServiceIdentity.TlsName(service.Name))))
            {
                throw new CeremonyException($"{service.Request} does not ask for the name of service {service.Name}.");
            }

            made.Add(await Issue("service-tls", service.Name, new CertificateSubject(service.Name, null, names), service.Request, service.Certificate, ct));
        }

        if (file.TimeStamping is { } stamp)
        {
            made.Add(await Issue("time-stamping", "sign", new CertificateSubject(stamp.Name, file.Organization, []), stamp.Request, stamp.Certificate, ct));
        }

        return made;
    }

    private async Task<string> PersonOf(CeremonyOfficer officer, CancellationToken ct)
    {
        if (string.Equals(officer.IdentityType, "resident-id", StringComparison.Ordinal) && !ResidentIdentityNumber.TryParse(officer.IdentityNumber, out _))
        {
            throw new CeremonyException($"The identity number of officer {officer.Name} has a wrong check character.");
        }

        var lookup = await registryKeys.LookupOf(officer.IdentityType, officer.IdentityNumber.ToUpperInvariant(), ct);
        if (await db.Sql(FindOfficer).With(lookup).Scalar<string>(ct) is { } known)
        {
            return known;
        }

        var now = Microseconds.Truncate(clock.GetUtcNow());
        var person = PersonId.New(now).Value;
        await db.Sql(InsertOfficer).With(person).With(officer.Name).With(lookup).With(officer.Region).With(now).Execute(ct);
        return person;
    }

    private async Task<TranscriptCertificate> Issue(
        string profileName, string holder, CertificateSubject subject, string requestPath, string certificatePath, CancellationToken ct)
    {
        var profile = profiles[profileName];
        var request = await Read(requestPath, ct);
        var spki = request.Key.SubjectPublicKeyInfo;
        var der = await db.Sql(Existing).With(profileName).With(holder).With(SHA256.HashData(spki.Span)).With(clock.GetUtcNow())
            .One(r => r.GetFieldValue<byte[]>(0), ct);
        if (der is null)
        {
            if (closed && profileName is not "service-tls")
            {
                throw new CeremonyException($"The ceremony is closed: {requestPath} gets no certificate any more.");
            }

            if (!request.Subject.Name.Contains("CN=" + subject.CommonName, StringComparison.Ordinal))
            {
                throw new CeremonyException($"{requestPath} names {request.Subject.Name}, not CN={subject.CommonName}.");
            }

            var issuer = await issuers.Find(profile.Issuer, ct) ?? throw new CeremonyException($"There is no {profile.Issuer}.");
            var plan = CertificatePlan.Make(profile, issuer, issuer.Suite, subject, spki, clock.GetUtcNow(), options.Base);
            der = (await issuance.IssueForSystem(plan, holder, await keys.SignerOf(issuer.KeyLabel, ct), new Actor("ca"), traced: closed)).Der.ToArray();
        }

        var path = Path.Combine(directory, certificatePath);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, await chains.Pem(profile.Issuer, der, ct), ct);
        return new TranscriptCertificate(profileName, holder, Certificate.Parse(der).Sha256Hex);
    }

    private async Task<CertificationRequest> Read(string path, CancellationToken ct)
    {
        var full = Path.Combine(directory, path);
        if (!File.Exists(full))
        {
            throw new CeremonyException($"The request {path} does not exist.");
        }

        return CertificationRequest.Read(await File.ReadAllBytesAsync(full, ct)) switch
        {
            RequestOutcome.Proved proved => proved.Request,
            RequestOutcome.Refused refused => throw new CeremonyException($"The request {path} is refused: {refused.Reason}."),
            _ => throw new CeremonyException($"The request {path} cannot be read."),
        };
    }
}

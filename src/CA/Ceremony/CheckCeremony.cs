using System.Security.Cryptography;
using System.Text;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.CA.Ceremony;

/// <summary>
/// Judges every name, request, path and key of a ceremony's file before the first key is born: what fails afterwards costs the witnesses in the room a
/// day and the roots made so far their use. All faults are told at once.
/// </summary>
internal sealed class CheckCeremony(ProfileSet profiles, TimeProvider clock, string directory)
{
    // RFC 5280 appendix A: ub-common-name, ub-organization-name.
    private const int LongestName = 64;
    private readonly List<string> _faults = [];
    private readonly Dictionary<string, string> _keys = new(StringComparer.Ordinal);
    private readonly HashSet<string> _outputs = new(StringComparer.Ordinal);

    /// <summary>Judges the file.</summary>
    /// <returns>The faults, one sentence each; empty when the ceremony can be held.</returns>
    public async Task<IReadOnlyList<string>> Judge(CeremonyFile file, CancellationToken ct)
    {
        Name("organization", file.Organization);
        await Officers(file, ct);
        await Services(file, ct);
        if (file.TimeStamping is { } stamp)
        {
            Name("timeStamping.name", stamp.Name);
            _ = await Request(stamp.Request, "time-stamping", stamp.Name, ct);
            Output(stamp.Certificate);
        }

        await Keys(file, ct);
        return _faults;
    }

    private async Task Officers(CeremonyFile file, CancellationToken ct)
    {
        Rule(file.Officers.Count >= 3, "At least three officers are needed: one asks and two others approve.");
        var documents = new HashSet<string>(StringComparer.Ordinal);
        foreach (var officer in file.Officers)
        {
            Name($"name of officer {officer.Name}", officer.Name);
            Rule(RegionTree.Gbt2260.IsInside(officer.Region, ResidencyTerms.DayOf(clock.GetUtcNow())), $"The region {officer.Region} of officer {officer.Name} is unknown or not inside the mainland.");
            Rule(officer.IdentityType.Length > 0 && officer.IdentityNumber.Length > 0, $"Officer {officer.Name} has no identity document.");
            Rule(officer.IdentityType is not "resident-id" || ResidentIdentityNumber.TryParse(officer.IdentityNumber, out _),
                $"The identity number of officer {officer.Name} has a wrong check character.");
            Rule(documents.Add(officer.IdentityType + ":" + officer.IdentityNumber.ToUpperInvariant()), $"Officer {officer.Name} is in the file twice: one person is one voice.");
            _ = await Request(officer.AuthenticationRequest, "officer-authentication", officer.Name, ct);
            _ = await Request(officer.SignatureRequest, "officer-signature", officer.Name, ct);
            Output(officer.AuthenticationCertificate);
            Output(officer.SignatureCertificate);
        }
    }

    private async Task Services(CeremonyFile file, CancellationToken ct)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var service in file.Services)
        {
            Rule(names.Add(service.Name), $"Service {service.Name} is in the file twice.");
            Output(service.Certificate);
            if (await Request(service.Request, "service-tls", service.Name, ct) is { } request)
            {
                Rule(ServiceNames.Among(request.RequestedExtensions).Contains(new GeneralName.Dns(ServiceIdentity.TlsName(service.Name))),
                    $"{service.Request} does not ask for the name {ServiceIdentity.TlsName(service.Name)} of service {service.Name}.");
            }
        }
    }

    private async Task Keys(CeremonyFile file, CancellationToken ct)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var source in file.Sources ?? [])
        {
            Rule(names.Add(source.Name), $"Source {source.Name} is in the file twice.");
            if (await Bytes(source.Key, ct) is { } spki)
            {
                Rule(IsPublicKey(spki), $"{source.Key} of source {source.Name} is no public key (SubjectPublicKeyInfo, DER).");
            }
        }

        var witnesses = await Notes(file.WitnessKeys, ct);
        _ = await Notes(file.LedgerKeys, ct);
        Rule(file.WitnessQuorum is null || file.WitnessKeys is not null, "witnessQuorum stands there without witnessKeys.");
        Rule(file.WitnessKeys is null || file.WitnessQuorum is > 0, "witnessQuorum is missing: how many witnesses a verifier shall ask for.");
        Rule(file.WitnessQuorum is not > 0 || witnesses is null || file.WitnessQuorum <= witnesses, $"witnessQuorum is {file.WitnessQuorum}, but {witnesses} witnesses are named.");
    }

    // Number of keys; null when there is no file to count.
    private async Task<int?> Notes(string? path, CancellationToken ct)
    {
        if (path is null || await Bytes(path, ct) is not { } bytes)
        {
            return null;
        }

        var lines = Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Rule(lines.Length > 0, $"{path} names no key.");
        foreach (var line in lines)
        {
            Rule(NoteVerifier.TryParse(line) is not null, $"{path}: '{line}' is no verifier key.");
        }

        return lines.Length;
    }

    private async Task<CertificationRequest?> Request(string path, string profile, string commonName, CancellationToken ct)
    {
        if (await Bytes(path, ct) is not { } bytes)
        {
            return null;
        }

        if (CertificationRequest.Read(bytes) is not RequestOutcome.Proved { Request: var request } outcome)
        {
            _faults.Add($"The request {path} is refused: {(CertificationRequest.Read(bytes) as RequestOutcome.Refused)?.Reason.ToString() ?? "unreadable"}.");
            return null;
        }

        Rule(profiles[profile].Keys.Contains(request.Key.Kind), $"{path} has a key of kind {request.Key.Kind}, which {profile} does not accept.");
        Rule(CommonNameOf(request) == commonName, $"{path} names {request.Subject.Name}, not CN={commonName}.");
        var key = Convert.ToHexStringLower(SHA256.HashData(request.Key.SubjectPublicKeyInfo.Span));
        Rule(_keys.TryAdd(key, path), $"{path} and {_keys[key]} have one key: one key, one purpose.");
        return request;
    }

    private static string? CommonNameOf(CertificationRequest request) =>
        request.Subject.EnumerateRelativeDistinguishedNames().Where(n => !n.HasMultipleElements && n.GetSingleElementType().Value is "2.5.4.3")
            .Select(n => n.GetSingleElementValue()).SingleOrDefault();

    private async Task<byte[]?> Bytes(string path, CancellationToken ct)
    {
        try
        {
            return await File.ReadAllBytesAsync(Path.Combine(directory, path), ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _faults.Add($"{path} cannot be read: {e.Message}");
            return null;
        }
    }

    private void Output(string path)
    {
        var full = Path.GetFullPath(Path.Combine(directory, path));
        Rule(path.Length > 0 && _outputs.Add(full), $"{path} is to hold two certificates.");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            using var probe = new FileStream(full + ".check", new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.DeleteOnClose });
            Rule(!Directory.Exists(full), $"{path} is a folder.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _faults.Add($"{path} cannot be written: {e.Message}");
        }
    }

    private static bool IsPublicKey(byte[] spki)
    {
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(spki, out var read);
            return read == spki.Length && key.KeySize == 256;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private void Name(string what, string name) => Rule(
        name.Trim().Length > 0 && name.EnumerateRunes().Count() <= LongestName && !name.Any(char.IsControl),
        $"The {what} is empty, longer than {LongestName} characters, or has a control character.");

    private void Rule(bool holds, string fault)
    {
        if (!holds && !_faults.Contains(fault, StringComparer.Ordinal))
        {
            _faults.Add(fault);
        }
    }
}

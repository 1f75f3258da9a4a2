using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text.Json;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.CA.Certificates;

/// <summary>What a kind of certificate looks like: data, pinned by its hash in each request and certificate.</summary>
/// <param name="Name">Name of the profile.</param>
/// <param name="Issuer">Name of the issuing CA; <c>self</c> for roots, <c>any</c> for OCSP responders.</param>
/// <param name="Holder"><c>practitioner</c>, <c>institution</c>, <c>officer</c>, <c>service</c> or <c>authority</c>.</param>
/// <param name="Keys">Accepted kinds of key.</param>
/// <param name="Days">Validity in days of 24 hours.</param>
/// <param name="KeyUsage">Exactly these key usages.</param>
/// <param name="ExtendedKeyUsage">Exactly these purposes.</param>
/// <param name="Ca">Whether it is a CA certificate.</param>
/// <param name="PathLength">pathLenConstraint of a CA.</param>
/// <param name="Status">Whether CRL and OCSP addresses are inside.</param>
/// <param name="CriticalPurpose">Whether extKeyUsage is critical (RFC 3161 2.3).</param>
/// <param name="NoCheck">Whether id-pkix-ocsp-nocheck is inside (RFC 6960 4.2.2.2.1).</param>
public sealed record Profile(
    string Name, string Issuer, string Holder, IReadOnlyList<PublicKeyKind> Keys, int Days, IReadOnlyList<KeyUsages> KeyUsage,
    IReadOnlyList<string> ExtendedKeyUsage, bool Ca, int? PathLength = null, bool Status = true, bool CriticalPurpose = false, bool NoCheck = false)
{
    /// <summary>SHA-256 of the profile's RFC 8785 bytes: another hash is another profile.</summary>
    public byte[] Sha256 { get; init; } = [];

    /// <summary>All key usages in one value.</summary>
    public KeyUsages Usages => KeyUsage.Aggregate(KeyUsages.None, (all, one) => all | one);
}

/// <summary>The profiles of this build.</summary>
public sealed class ProfileSet
{
    private readonly FrozenDictionary<string, Profile> _profiles;

    /// <summary>Reads the embedded profiles.</summary>
    public ProfileSet()
    {
        using var stream = typeof(ProfileSet).Assembly.GetManifestResourceStream("Trust.CA.Certificates.profiles.json")
            ?? throw new InvalidOperationException("The profiles are not embedded.");
        using var document = JsonDocument.Parse(stream);
        _profiles = document.RootElement.GetProperty("profiles").EnumerateArray()
            .Select(Read)
            .ToFrozenDictionary(p => p.Name, StringComparer.Ordinal);
    }

    /// <summary>The profile of that name.</summary>
    /// <exception cref="KeyNotFoundException">There is none: a fault of the program.</exception>
    public Profile this[string name] => _profiles[name];

    /// <summary>The profile of that name; null when there is none.</summary>
    public Profile? Find(string name) => _profiles.GetValueOrDefault(name);

    private static Profile Read(JsonElement element)
    {
        var profile = element.Deserialize(CaJson.Default.Profile) ?? throw new InvalidOperationException("A profile is null.");
        return profile with { Sha256 = SHA256.HashData(CanonicalJson.Encode(element)) };
    }
}

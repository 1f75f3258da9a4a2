namespace Trust.CA.Ceremony;

/// <summary>
/// The reviewed file a ceremony is held from: everything it makes follows from these lines and from the requests they name. Paths are
/// relative to the file.
/// </summary>
/// <param name="Version">1.</param>
/// <param name="Organization">O of all authorities.</param>
/// <param name="Officers">At least three, so that a requester and two approvers are different people.</param>
/// <param name="Services">Services that get their first TLS certificate.</param>
/// <param name="TimeStamping">SignService's time-stamp key; absent to leave it for later.</param>
/// <param name="Sources">Batch keys of the event sources, for the trusted list.</param>
/// <param name="LedgerKeys">File with the ledger's verifier keys, one a line.</param>
/// <param name="WitnessKeys">File with the keys of the ledger's witnesses, one a line.</param>
/// <param name="WitnessQuorum">How many of them a verifier shall ask for.</param>
public sealed record CeremonyFile(
    int Version, string Organization, IReadOnlyList<CeremonyOfficer> Officers, IReadOnlyList<CeremonyRequest> Services,
    CeremonyRequest? TimeStamping = null, IReadOnlyList<CeremonySource>? Sources = null, string? LedgerKeys = null,
    string? WitnessKeys = null, int? WitnessQuorum = null);

/// <summary>An officer, with the two requests made on the officer's card.</summary>
/// <param name="Name">As in both requests' CN.</param>
/// <param name="IdentityType">Kind of identity document.</param>
/// <param name="IdentityNumber">Its number: one person is enrolled once, whatever cards there are. Only its keyed hash is kept.</param>
/// <param name="Region">GB/T 2260.</param>
/// <param name="AuthenticationRequest">PKCS#10 file of the authentication key.</param>
/// <param name="SignatureRequest">PKCS#10 file of the signature key.</param>
/// <param name="AuthenticationCertificate">Where its chain is written, PEM.</param>
/// <param name="SignatureCertificate">Where its chain is written, PEM.</param>
public sealed record CeremonyOfficer(
    string Name, string IdentityType, string IdentityNumber, string Region, string AuthenticationRequest, string SignatureRequest,
    string AuthenticationCertificate, string SignatureCertificate);

/// <summary>A request of a service.</summary>
/// <param name="Name">Service name; for time-stamping the CN.</param>
/// <param name="Request">PKCS#10 file.</param>
/// <param name="Certificate">Where its chain is written, PEM.</param>
public sealed record CeremonyRequest(string Name, string Request, string Certificate);

/// <summary>An event source's batch key.</summary>
/// <param name="Name">Source name.</param>
/// <param name="Key">SubjectPublicKeyInfo file, DER.</param>
public sealed record CeremonySource(string Name, string Key);

/// <summary>What a ceremony did; its hash stands in the ledger's first entry.</summary>
/// <param name="Version">1.</param>
/// <param name="FileSha256">Hash of the reviewed file, hex.</param>
/// <param name="HeldAt">When it was closed.</param>
/// <param name="Authorities">The CAs made.</param>
/// <param name="Certificates">The first certificates issued.</param>
public sealed record Transcript(
    int Version, string FileSha256, DateTimeOffset HeldAt, IReadOnlyList<TranscriptAuthority> Authorities, IReadOnlyList<TranscriptCertificate> Certificates);

/// <summary>A CA in a transcript.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sha256">Hash of its certificate, hex.</param>
/// <param name="KeySha256">Hash of its SubjectPublicKeyInfo, hex.</param>
/// <param name="KeyStore"><c>token</c> or <c>software</c>.</param>
public sealed record TranscriptAuthority(string Name, string Sha256, string KeySha256, string KeyStore);

/// <summary>A first certificate in a transcript.</summary>
/// <param name="Profile">Its profile.</param>
/// <param name="Holder">Its holder.</param>
/// <param name="Sha256">Its hash, hex.</param>
public sealed record TranscriptCertificate(string Profile, string Holder, string Sha256);

/// <summary>The ceremony cannot go on; the message says what to correct.</summary>
public sealed class CeremonyException(string message) : Exception(message);

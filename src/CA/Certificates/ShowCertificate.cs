using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.CA.Certificates;

/// <summary>A certificate as officers see it.</summary>
public sealed record CertificateView(
    string Sha256, string Issuer, string SerialNumber, string Profile, string Holder, string? Institution, string State,
    DateTimeOffset NotBefore, DateTimeOffset NotAfter, string Certificate)
{
    internal static CertificateView From(CertificateRow row) => new(
        row.Sha256!, row.Issuer, Convert.ToHexStringLower(row.Serial), row.Profile, row.Holder, row.Institution, row.State,
        row.NotBefore, row.NotAfter, Convert.ToBase64String(row.Der!));
}

/// <summary><c>GET /certificates/{sha256}</c>.</summary>
internal sealed class ShowCertificate(CertificateStore store)
{
    /// <summary>Shows.</summary>
    public async Task<Results<Ok<CertificateView>, Refusal>> Handle(string sha256, CancellationToken ct) =>
        await store.Find(sha256, ct) is { } row ? TypedResults.Ok(CertificateView.From(row)) : CaRefusals.UnknownCertificate;
}

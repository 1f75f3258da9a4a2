using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>Who may give rights, on whose word, for how long.</summary>
public sealed class RightsClaims(CaFixture ca)
{
    // A hospital that opens again is a new registration; today its credit code finds the closed one, for ever.
    [Fact]
    public async Task F30_A_closed_institution_cannot_be_registered_anew()
    {
        var row = Samples.Institution();
        var urn = (await ca.Import(new ImportRequest([row]))).Single().Urn!;
        using var client = ca.Officer(0);
        using var closed = await client.Post($"/institutions/{urn}/state", new StateRequest("closed", "licence-ended"), CaJson.Default.StateRequest);
        Assert.Equal(HttpStatusCode.OK, closed.StatusCode);
        var again = (await ca.Import(new ImportRequest([row]))).Single();
        Assert.Equal(("unchanged", urn), (again.Result, again.Urn));
        Assert.Equal("institution-closed", (await ca.Entitlement($"institution={urn}&act=seal")).GetProperty("reason").GetString());
    }

    // "Only a new registration follows", says the refusal; today none can: the identity finds the ended licence.
    [Fact]
    public async Task F30_A_deregistered_practitioner_cannot_be_registered_anew()
    {
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        await ca.Changed(0, urn, "deregistered");
        var again = (await ca.Import(new ImportRequest(Practitioners: [row with { LicenceNumber = Samples.Practitioner().LicenceNumber }]))).Single();
        Assert.Equal(("updated", urn), (again.Result, again.Urn));
        Assert.Equal("deregistered", (await ca.Entitlement($"person={urn}&act=login")).GetProperty("reason").GetString());
    }
}

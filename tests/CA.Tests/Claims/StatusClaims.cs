using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Certificates;
using Trust.CA.Revocation;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>Certificates, what is told of them, and what keys are made for.</summary>
public sealed class StatusClaims(CaFixture ca)
{
    // A list should be renewed for its own issuer's changes; today any change makes new ones of all issuers.
    [Fact]
    public async Task M6_A_change_at_one_issuer_republishes_every_issuers_list()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        var before = await Numbers("service-issuing");
        using var held = await ca.Change(0, sha, "hold", "lost");
        await Eventually.Holds(async () => await Numbers("service-issuing") > before, "the list of service certificates is made anew though none changed");
    }

    // RFC 5280 3.3: an entry stays on one list issued after the certificate's end; today it is gone with the end.
    [Fact]
    public async Task M6_An_entry_leaves_the_list_with_its_certificates_end()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "revoke", "superseded");
        var serial = await ca.Database.Owner.Sql("SELECT serial FROM certificates WHERE sha256 = $1").With(sha).Scalar<byte[]>(default);
        await Eventually.Holds(async () => await Lists(serial!), "the list names it");
        // It ended between two lists: no list that was made after its end names it.
        await ca.Database.Owner.Sql("UPDATE certificates SET not_after = now() - interval '1 second' WHERE sha256 = $1").With(sha).Execute(default);
        var keys = ca.App.Services.GetRequiredService<CaKeys>();
        var issuer = (await ca.App.Services.GetRequiredService<IssuerDirectory>().Find("practitioner-issuing", default))!;
        await ca.App.Services.GetRequiredService<CrlPublication>().Publish(issuer, await keys.SignerOf(issuer.KeyLabel, default), TimeSpan.FromHours(1), default);
        Assert.False(await Lists(serial!));
    }

    // A list of 24 hours should be cached by whoever fetches it; today it has neither ETag nor Last-Modified and each question reads the database.
    [Fact]
    public async Task M6_A_list_is_served_without_anything_to_cache_it_by()
    {
        using var client = ca.Anyone();
        using var answer = await client.GetAsync("/crl/practitioner-issuing.crl");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Null(answer.Headers.ETag);
        Assert.Null(answer.Content.Headers.LastModified);
    }

    // The generation of a key that others rely on is an event; today the responders' and the entitlement key's are made without one.
    [Fact]
    public async Task M10_The_keys_of_entitlement_and_batches_are_made_without_an_event()
    {
        const string generated = "SELECT count(*) FROM audit_outbox WHERE action = 'KEY.generate'";
        // The one there is is the ceremony's.
        Assert.Equal(1, await ca.Database.Owner.Sql(generated).Scalar<long>(default));
        Assert.True(File.Exists(Path.Combine(ca.Public, "entitlement.spki")));
        Assert.True(File.Exists(Path.Combine(ca.Public, "ca-batch.spki")));
    }

    // RFC 6960 4.1.1 lets a client name a certificate by any hash; SHA-384 is unsupported, but not malformed.
    [Fact]
    public async Task N_A_question_that_names_its_certificate_by_SHA384_is_called_malformed()
    {
        using var client = ca.Anyone();
        using var content = new ByteArrayContent(Convert.FromHexString(
            "30819230818f30818c308189308186300d060960864801650304020205000430db71add46dc9d694528dab1c7896f90375d130055546f8cb503cf36dd9526fa7c7a2cbb9c8805fd245a75079ba14b8290430a4f36c8aa12454f4861782772eb45930b4a8294b80b4b9ec2f0b45ddc08cca1c2cfb9303891ab058099c9e60718aab4b021101060aec99abec31523efc0cb228eef9e4"));
        content.Headers.ContentType = new("application/ocsp-request");
        using var answer = await client.PostAsync("/ocsp", content);
        // OCSPResponse { responseStatus malformedRequest (1) }
        Assert.Equal("30030a0101", Convert.ToHexStringLower(await answer.Content.ReadAsByteArrayAsync()));
    }

    private static byte[] Request(ECDsa key)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("idp.trust.internal");
        var request = new CertificateRequest("CN=idp", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSigningRequest();
    }

    private async Task<bool> Lists(byte[] serial)
    {
        using var client = ca.Anyone();
        var der = await client.GetByteArrayAsync("/crl/practitioner-issuing.crl");
        return der.AsSpan().IndexOf(serial) >= 0;
    }

    private async Task<long> Numbers(string issuer) => await ca.Database.Owner.Sql("SELECT max(number) FROM crls WHERE issuer = $1").With(issuer).Scalar<long>(default);
}

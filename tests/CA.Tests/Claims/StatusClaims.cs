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
}

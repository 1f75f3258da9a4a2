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
}

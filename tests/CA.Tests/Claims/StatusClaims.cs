using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Certificates;
using Trust.CA.Revocation;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>Certificates, what is told of them, and what keys are made for.</summary>
public sealed class StatusClaims(CaFixture ca)
{
    // The generation of a key that others rely on is an event, once each, by the hash of its public key.
    [Fact]
    public async Task The_keys_of_entitlement_batches_and_registry_are_events_once_each()
    {
        await Eventually.Holds(async () => (await Keys("registry-lookup")).Count == 1, "the register has told of them");
        await ca.App.Services.GetRequiredService<KeyRegister>().Round(default);
        foreach (var (label, file) in new[] { ("entitlement", "entitlement.spki"), ("batch", "ca-batch.spki") })
        {
            var sha256 = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(ca.Public, file))));
            Assert.Equal("sha256:" + sha256, Assert.Single(await Keys(label)));
        }

        Assert.Equal("secret-key", Assert.Single(await Keys("registry-encryption")));
    }

    private async Task<List<string?>> Keys(string label) =>
        [.. (await ca.Events("KEY.generate", SubjectKey.Of("key", label))).Select(e => e.GetProperty("basis").GetString())];
}

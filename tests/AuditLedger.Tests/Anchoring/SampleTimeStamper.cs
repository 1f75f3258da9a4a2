using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Anchoring;

/// <summary>An outside RFC 3161 authority, that can also be away or wrong.</summary>
internal sealed class SampleTimeStamper : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly SampleAuthority _root;
    private readonly SoftwareKey _key = SoftwareKey.New(PublicKeyKind.P256);
    private Certificate _certificate = null!;

    private SampleTimeStamper(SampleAuthority root, string name)
    {
        _root = root;
        Name = name;
        Address = new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}");
        RootFile = Path.Combine(Scratch.Directory("tsa"), "root.pem");
        File.WriteAllText(RootFile, root.Certificate.ToPem());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address.ToString());
        _app = builder.Build();
        _app.MapPost("/tsa", Answer);
    }

    public string Name { get; }

    public Uri Address { get; }

    public string RootFile { get; }

    public bool Away { get; set; }

    public bool OtherNonce { get; set; }

    public bool OtherImprint { get; set; }

    /// <summary>Told by its clock on top of the time.</summary>
    public TimeSpan ClockError { get; set; }

    public int Stamped { get; private set; }

    /// <summary>Requests, answered or not.</summary>
    public int Asked { get; private set; }

    /// <summary>Life of the certificate it stamps with from now on.</summary>
    public Task Certify(TimeSpan life) => Certify(TimeProvider.System.GetUtcNow(), life);

    public static async Task<SampleTimeStamper> Start(string name = "tsa-out")
    {
        var now = TimeProvider.System.GetUtcNow();
        var stamper = new SampleTimeStamper(await SampleAuthority.Root(PublicKeyKind.P256, now), name);
        await stamper.Certify(now, TimeSpan.FromDays(300));
        await stamper._app.StartAsync();
        return stamper;
    }

    public object Options() => new { Peer = Name, Path = "/tsa", RootFiles = new[] { RootFile } };

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _key.Dispose();
    }

    private async Task Certify(DateTimeOffset now, TimeSpan life) => _certificate = await _root.Sign(_root.Content(
        "tsa", _key.Spki, now, CertificateExtension.BasicConstraints(ca: false), CertificateExtension.KeyUsage(KeyUsages.DigitalSignature),
        CertificateExtension.SubjectKeyIdentifier(_key.Spki), CertificateExtension.ExtendedKeyUsage(critical: true, Oids.TimeStamping)) with { NotAfter = now + life });

    private async Task<IResult> Answer(HttpRequest request)
    {
        Asked++;
        if (Away)
        {
            return Results.StatusCode(503);
        }

        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        Assert.True(TimeStampRequest.TryParse(body.ToArray(), out var asked, out _));
        Stamped++;
        var info = new TimeStampInfo(
            "1.2.3.4", asked.HashOid, OtherImprint ? RandomNumberGenerator.GetBytes(32) : asked.Imprint, RandomNumberGenerator.GetBytes(8),
            TimeProvider.System.GetUtcNow() + ClockError, TimeSpan.FromSeconds(1), OtherNonce ? new byte[] { 1, 2 } : asked.Nonce);
        return Results.Bytes(TimeStamp.Granted(await TimeStamp.IssueToken(info, _certificate, [_certificate], _key.Signer, default)), "application/timestamp-reply");
    }
}

using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Idp.Login;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat.Index;
using Trust.TestKit;

namespace Trust.Idp.Tests.Login;

/// <summary>What is judged before the registry is asked anything: the parts behind it are absent on purpose.</summary>
public sealed class CardPathTests
{
    private static readonly DateTimeOffset Issued = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(366, "certificate-expired")]
    [InlineData(-2, "certificate-expired")]
    public async Task A_card_outside_its_validity_is_refused_before_anyone_is_asked(int days, string rule)
    {
        var (login, card) = await Make(Issued.AddDays(days), KeyUsages.DigitalSignature);
        Assert.Equal(rule, Assert.IsType<CardOutcome.Refused>(await login.Accept(card, new string('r', 43), (null, null), CancellationToken.None)).Rule);
    }

    [Fact]
    public async Task A_signature_certificate_is_refused_for_its_usage()
    {
        var (login, card) = await Make(Issued, KeyUsages.NonRepudiation);
        Assert.Equal("wrong-key-usage", Assert.IsType<CardOutcome.Refused>(await login.Accept(card, new string('r', 43), (null, null), CancellationToken.None)).Rule);
    }

    [Fact]
    public async Task A_card_of_another_authority_is_foreign_even_under_the_same_names()
    {
        var (login, _) = await Make(Issued, KeyUsages.DigitalSignature);
        var (_, foreign) = await Make(Issued, KeyUsages.DigitalSignature);
        Assert.Equal("certificate-foreign", Assert.IsType<CardOutcome.Refused>(await login.Accept(foreign, new string('r', 43), (null, null), CancellationToken.None)).Rule);
    }

    // A ward's address and a hospital's client have many people behind them: a stranger makes strangers wait, and a good card is not asked.
    [Fact]
    public async Task Strangers_cards_of_one_address_wait_after_ten_and_those_of_another_do_not()
    {
        var (login, _) = await Make(Issued, KeyUsages.DigitalSignature);
        var (_, foreign) = await Make(Issued, KeyUsages.DigitalSignature);
        for (var i = 0; i < CardThrottle.Free; i++)
        {
            Assert.IsType<CardOutcome.Refused>(await login.Accept(foreign, new string('r', 43), ("10.0.0.1", "his"), CancellationToken.None));
        }

        var waits = Assert.IsType<CardOutcome.Waits>(await login.Accept(foreign, new string('r', 43), ("10.0.0.1", "his"), CancellationToken.None));
        Assert.Equal(Issued.AddSeconds(30), waits.Until);
        Assert.IsType<CardOutcome.Refused>(await login.Accept(foreign, new string('r', 43), ("10.0.0.2", "his"), CancellationToken.None));
    }

    private static async Task<(CardLogin Login, X509Certificate2 Card)> Make(DateTimeOffset now, KeyUsages usage)
    {
        var folder = Scratch.Directory("anchors");
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Issued);
        var issuing = await root.Subordinate("Practitioner Issuing", Issued);
        await File.WriteAllTextAsync(Path.Combine(folder, "root.pem"), root.Certificate.ToPem());
        await File.WriteAllTextAsync(Path.Combine(folder, "practitioner-issuing.pem"), issuing.Certificate.ToPem());
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await issuing.IssueLeaf("张示范", key.Spki, Issued, usage, CertificateExtension.ExtendedKeyUsage(critical: false, Oids.ClientAuth));
        var clock = new ManualClock(now);
        var strangers = new RefusalCounter(null!, null!, null!, clock);
        var service = new ServiceOptions { Region = "510000", Node = "idp-1", PublicDirectory = folder, DataDirectory = folder };
        return (new CardLogin(null!, null!, null!, new CardThrottle(null!, clock), null!, strangers, service, clock, NullLogger<CardLogin>.Instance), X509CertificateLoader.LoadCertificate(leaf.Der.Span));
    }
}

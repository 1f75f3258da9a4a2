using System.Globalization;
using Microsoft.Playwright;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Browser;

/// <summary>
/// Real Chromium with one card inserted: a profile and NSS store of its own, the card's token behind pkcs11-spy (whose log
/// shows each call) and the PIN-typing module. The certificate is chosen by a managed policy that only this browser sees,
/// mounted in a mount namespace; the machine's own policies are not touched.
/// </summary>
public sealed class CardBrowser : IAsyncDisposable
{
    private readonly IPlaywright _playwright;

    private CardBrowser(IPlaywright playwright, IBrowserContext context, string callLog)
    {
        _playwright = playwright;
        Context = context;
        CallLog = callLog;
    }

    public IBrowserContext Context { get; }

    /// <summary>Every PKCS#11 call the browser made.</summary>
    public string CallLog { get; }

    public static async Task<CardBrowser> Start(Installation installation, string? cardLabel, CancellationToken ct)
    {
        var home = Scratch.Directory("browser");
        var log = Path.Combine(home, "pkcs11-calls.log");
        var environment = Environment(installation, cardLabel, home, log, await Compile(home, ct));
        var nss = "sql:" + Path.Combine(home, ".pki", "nssdb");
        Directory.CreateDirectory(Path.Combine(home, ".pki", "nssdb"));
        await Command.Run("certutil", ["-d", nss, "-N", "--empty-password"], ct);
        await Command.Run("certutil", ["-d", nss, "-A", "-n", "root", "-t", "CT,C,C", "-i", installation.RootFile], ct);
        if (cardLabel is not null)
        {
            var spy = Directory.GetDirectories("/usr/lib", "*-linux-gnu").Append("/usr/lib64").Select(d => Path.Combine(d, "pkcs11-spy.so")).First(File.Exists);
            await Command.Run("modutil", ["-dbdir", nss, "-add", "card", "-libfile", spy, "-mechanisms", "FRIENDLY", "-force"], ct, environment: environment);
        }

        var launcher = await Launcher(home, installation.Addresses.Card, ct);
        var playwright = await Playwright.CreateAsync();
        var context = await playwright.Chromium.LaunchPersistentContextAsync(Path.Combine(home, "profile"), new BrowserTypeLaunchPersistentContextOptions
        {
            ExecutablePath = launcher, Env = environment, Locale = "zh-CN", ViewportSize = new ViewportSize { Width = 1100, Height = 900 },
            // A browser asks its maker for updates and accounts whatever it is told; the recorder is to see what we ask.
            Args = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.*", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        // A handshake with a token on a busy machine; what never comes still fails.
        context.SetDefaultTimeout(90_000);
        return new CardBrowser(playwright, context, log);
    }

    public async ValueTask DisposeAsync()
    {
        await Context.CloseAsync();
        _playwright.Dispose();
    }

    private static Dictionary<string, string> Environment(Installation installation, string? cardLabel, string home, string log, string shim)
    {
        var environment = System.Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);
        environment["HOME"] = home;
        if (cardLabel is not null)
        {
            environment["SOFTHSM2_CONF"] = OneCardReader(installation, cardLabel, home);
            environment["PKCS11SPY"] = shim;
            environment["PKCS11SPY_OUTPUT"] = log;
            environment["AUTO_LOGIN_MODULE"] = SoftHsm.InstalledModule!;
            environment["AUTO_LOGIN_PIN"] = Path.Combine(installation.CardDirectory, cardLabel, "pin");
        }

        return environment;
    }

    // The reader holds everyone's keys; a person inserts one. The token of this label alone is copied into a reader of the browser's own.
    private static string OneCardReader(Installation installation, string label, string home)
    {
        var tokens = Directory.CreateDirectory(Path.Combine(home, "reader", "tokens")).FullName;
        var card = Directory.GetDirectories(Path.Combine(installation.Directory, "cards", "tokens", "tokens"))
            .Single(d => File.ReadAllText(Path.Combine(d, "token.object"), System.Text.Encoding.Latin1).Contains(label.PadRight(32), StringComparison.Ordinal));
        var copy = Directory.CreateDirectory(Path.Combine(tokens, Path.GetFileName(card))).FullName;
        foreach (var file in Directory.GetFiles(card))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        var conf = Path.Combine(home, "reader", "softhsm2.conf");
        File.WriteAllText(conf, string.Create(CultureInfo.InvariantCulture, $"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"));
        return conf;
    }

    private static async Task<string> Compile(string home, CancellationToken ct)
    {
        var module = Path.Combine(home, "auto-login.so");
        await Command.Run("gcc", ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", module, Path.Combine(AppContext.BaseDirectory, "Browser", "auto-login.c"), "-ldl"], ct);
        return module;
    }

    private static async Task<string> Launcher(string home, string cardUrl, CancellationToken ct)
    {
        var policies = Directory.CreateDirectory(Path.Combine(home, "etc-chromium", "policies", "managed")).FullName;
        await File.WriteAllTextAsync(Path.Combine(policies, "card.json"), "{\"AutoSelectCertificateForUrls\":[\"{\\\"pattern\\\":\\\"" + cardUrl + "\\\",\\\"filter\\\":{}}\"]}", ct);
        var launcher = Path.Combine(home, "chromium-with-policy");
        await File.WriteAllTextAsync(launcher, $"""
            #!/bin/sh
            exec unshare -rm sh -c 'mount --bind "$0" /etc/chromium && exec /usr/bin/chromium "$@"' '{Path.Combine(home, "etc-chromium")}' "$@"

            """, ct);
        File.SetUnixFileMode(launcher, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return launcher;
    }
}

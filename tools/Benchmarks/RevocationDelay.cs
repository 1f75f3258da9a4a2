using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.Benchmarks;

/// <summary><c>revocation</c>: from the officer's first revocation call to the refused login and the refused signature of that physician.</summary>
internal static class RevocationDelay
{
    /// <summary>Name of the row.</summary>
    public const string Name = "revocation";

    /// <summary>What it should reach.</summary>
    public const string Target = "<5 s";

    private static readonly TimeSpan GiveUp = TimeSpan.FromSeconds(20);

    /// <summary>Measures once: a revocation is for good.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var (his, sign) = (world.Client("his-shuan"), world.Installation.Addresses.Sign);
        using var http = Connections.Client(world.Installation.RootFile);
        if (await Login(world, his, ct) is not LoginResult.Granted granted)
        {
            throw new InvalidOperationException("The physician cannot log in before the revocation.");
        }

        var doctor = new Api(http, sign, granted.AccessToken);
        var patient = await Patient(world, his, http, ct);
        (await Prepare(world, doctor, patient, ct)).Expect("prepare before the revocation");

        var watch = Stopwatch.StartNew();
        foreach (var certificate in new[] { world.Physician.Authentication, world.Physician.Signature })
        {
            await world.Officers[1].Api.Post($"/certificates/{certificate.Sha256Hex}/revoke", new JsonObject { ["reason"] = "keyCompromise" }, ct);
        }

        var answered = watch.Elapsed;
        var delays = await Task.WhenAll(
            Until(watch, async () => await Login(world, his, ct) is LoginResult.Refused, ct),
            Until(watch, async () => (await Prepare(world, doctor, patient, ct)).Status is 401 or 403 or 409 or 422, ct));
        var value = delays.Max();
        return new Row(Name, value.TotalSeconds, "s", null, "", Target, value < TimeSpan.FromSeconds(5), string.Create(
            CultureInfo.InvariantCulture, $"answered after {answered.TotalMilliseconds:F0} ms, login refused after {delays[0].TotalMilliseconds:F0} ms, signature after {delays[1].TotalMilliseconds:F0} ms"));
    }

    private static async Task<LoginResult> Login(World world, OAuthClient his, CancellationToken ct) => await his.Login(
        await world.Physician.ForTls(Card.AuthenticationKey, ct), BenchRun.Redirect, "openid rx.sign", world.Institutions[0], world.Installation.Addresses.Sign, ct);

    private static async Task<Answer> Prepare(World world, Api doctor, string patient, CancellationToken ct) => await doctor.Send(HttpMethod.Post, "/prescriptions", new JsonObject
    {
        ["bundle"] = await world.Prescription(patient, "RX-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8)), ct),
        ["certificate"] = Convert.ToBase64String(world.Physician.Signature.Der.Span),
    }, null, ct);

    private static async Task<string> Patient(World world, OAuthClient his, HttpClient http, CancellationToken ct)
    {
        var idp = world.Installation.Addresses.Idp;
        var system = new Api(http, idp, await his.OwnToken("patient.register consent.record", idp, ct));
        var sample = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "patient.json"), ct))!;
        var registered = await system.Post("/patients", sample, ct);
        var patient = registered["pseudonym"]!.GetValue<string>();
        await system.Post("/consents", new JsonObject
        {
            ["patient"] = patient, ["institution"] = world.Institutions[0], ["kind"] = "online-care", ["noticeVersion"] = "2026-11",
            ["noticeSha256"] = Convert.ToHexStringLower(SHA256.HashData("notice"u8)), ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O"), ["method"] = "app",
        }, ct);
        return patient;
    }

    private static async Task<TimeSpan> Until(Stopwatch watch, Func<Task<bool>> refused, CancellationToken ct)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await refused())
        {
            if (watch.Elapsed > GiveUp)
            {
                throw new InvalidOperationException($"Still accepted after {GiveUp.TotalSeconds:F0} s.");
            }

            await tick.WaitForNextTickAsync(ct);
        }

        return watch.Elapsed;
    }
}

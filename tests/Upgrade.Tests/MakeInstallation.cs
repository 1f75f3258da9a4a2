using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.Upgrade.Tests;

/// <summary>Makes an installation by the code of this commit, gives it a history through the public interfaces, and keeps it.</summary>
internal sealed partial class MakeInstallation(World world, KeptInstallation kept, CancellationToken ct)
{
    private const string Redirect = "https://127.0.0.10:9443/callback";
    private static readonly string[] LeftOut = ["logs", "run"];
    private readonly Installation _installation = world.Installation;

    /// <summary>Makes one and writes its files into a folder.</summary>
    public static async Task Make(string folder, CancellationToken ct)
    {
        Directory.CreateDirectory(folder);
        var installation = new Installation(Scratch.Directory("installation"), AddressPlan.FreePorts(), Cli.Program.RepositoryRoot());
        try
        {
            await installation.Start(Console.WriteLine, ct);
            await using var world = await World.Open(installation, Cli.Program.RepositoryRoot(), ct);
            await new MakeInstallation(world, new KeptInstallation(Path.GetFullPath(folder)), ct).Run();
        }
        finally
        {
            await installation.Stop(ct);
        }
    }

    /// <summary>Registers a system that may seal, hold and shred beside those of the samples.</summary>
    public static async Task<OAuthClient> Archive(World world, string id, string role, string scope, string resource, string? institution, CancellationToken ct)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var registration = new JsonObject
        {
            ["client_id"] = id, ["name_zh"] = "档案", ["name_en"] = "Archive", ["profile"] = "standard", ["grant_types"] = new JsonArray("client_credentials"), ["scopes"] = new JsonArray(scope),
            ["resources"] = new JsonArray(resource), ["role"] = role, ["region"] = Installation.SampleRegion, ["jwks"] = OAuthClient.Jwks(key),
        };
        if (institution is not null)
        {
            registration["institution"] = institution;
        }

        var file = Path.Combine(Scratch.Directory("client"), id + ".json");
        await File.WriteAllTextAsync(file, new JsonArray(registration).ToJsonString(), ct);
        await world.Installation.Services["idp"].Verb("import-clients", ["--file", file], ct);
        return new OAuthClient(id, key, world.Installation.Addresses.Idp, world.Installation.RootFile);
    }

    private async Task Run()
    {
        using var http = Connections.Client(_installation.RootFile);
        var (signed, prepared) = await Unfinished(http);
        var evidence = await new DemoRun(world, new Narrator(Console.Out)).Play(ct);
        var dispensed = Path.GetFileNameWithoutExtension(evidence)["evidence-".Length..];
        var ledger = await Archive(world, "archive-regulator", "regulator", "audit.hold", _installation.Addresses.Ledger, null, ct);
        var hold = await new Api(http, _installation.Addresses.Ledger, await ledger.OwnToken("audit.hold", _installation.Addresses.Ledger, ct)).Post(
            "/holds", new JsonObject { ["kind"] = "prescription", ["subject"] = dispensed, ["caseNumber"] = "CASE-2026-0001" }, ct);
        var pharmacy = new Api(http, _installation.Addresses.Sign, await world.Client("pharmacy-jincheng").OwnToken("rx.read", _installation.Addresses.Sign, ct));
        var hospital = new Api(http, _installation.Addresses.Sign, await world.Client("his-shuan").OwnToken("rx.read", _installation.Addresses.Sign, ct));
        var seal = JsonNode.Parse(await File.ReadAllTextAsync(evidence, ct))!["attachments"]!["signatures"]!.AsArray().Single(s => s!["kind"]!.GetValue<string>() == "seal")!;
        var facts = new Facts(
            dispensed, signed, prepared, (await pharmacy.Get("/prescriptions/" + dispensed, ct)).ToJsonString(), (await hospital.Get("/prescriptions/" + signed, ct)).ToJsonString(),
            world.Institutions, world.Practitioners, Certificate.Parse(Convert.FromBase64String(seal["certificates"]![0]!.GetValue<string>())).Sha256Hex, hold["id"]!.GetValue<string>());
        await File.WriteAllTextAsync(kept.Facts, JsonSerializer.Serialize(facts, FactsJson.Default.Facts), ct);
        File.Copy(evidence, kept.Evidence, overwrite: true);
        File.Copy(_installation.TrustedListFile, kept.TrustedList, overwrite: true);
        await StopWhenRecorded(http);
        await Keep();
    }

    // One prescription signed by the doctor alone, one only prepared; and a consent that was taken back.
    private async Task<(string Signed, string Prepared)> Unfinished(HttpClient http)
    {
        await world.ImportRegistry(ct);
        await world.RegisterClients(ct);
        for (var person = 0; person < 3; person++)
        {
            await world.Enrol(person, ct);
        }

        var his = world.Client("his-shuan");
        var system = new Api(http, _installation.Addresses.Idp, await his.OwnToken("patient.register consent.record", _installation.Addresses.Idp, ct));
        var sample = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "patient.json"), ct))!;
        var patient = (await system.Post("/patients", sample, ct))["pseudonym"]!.GetValue<string>();
        await system.Post("/consents", new JsonObject
        {
            ["patient"] = patient, ["institution"] = world.Institutions[0], ["kind"] = "online-care", ["noticeVersion"] = "2026-11",
            ["noticeSha256"] = new string('0', 64), ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), ["method"] = "app",
        }, ct);
        var login = await his.Login(await world.Physician.ForTls(Card.AuthenticationKey, ct), Redirect, "openid rx.sign rx.read", world.Institutions[0], _installation.Addresses.Sign, ct);
        var doctor = new Api(http, _installation.Addresses.Sign, ((LoginResult.Granted)login).AccessToken);
        var signed = await Prepare(doctor, patient);
        var toBeSigned = Convert.FromBase64String(signed["toBeSigned"]!.GetValue<string>());
        await doctor.Post($"/prescriptions/{signed["id"]}/signature", new JsonObject { ["signature"] = Base64Url.EncodeToString(await world.Physician.Sign(toBeSigned, ct)) }, ct);
        var prepared = await Prepare(doctor, patient);
        return (signed["id"]!.GetValue<string>(), prepared["id"]!.GetValue<string>());
    }

    private async Task<JsonNode> Prepare(Api doctor, string patient) => await doctor.Post("/prescriptions", new JsonObject
    {
        ["bundle"] = await world.Prescription(patient, "RX-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8)), ct),
        ["certificate"] = Convert.ToBase64String(world.Physician.Signature.Der.Span),
    }, ct);

    // What idp and sign had left to tell is in the log before it stops; one event of ca is not: the ledger is gone when an officer suspends somebody.
    private async Task StopWhenRecorded(HttpClient http)
    {
        foreach (var name in new[] { "idp", "sign" })
        {
            await Drained(name);
            await _installation.Services[name].Stop(ct);
            while (await Waiting(name) > 0)
            {
                // It told of refused strangers when it was stopped.
                _installation.Services[name].Start();
                await _installation.WaitUntilReady(name, TimeSpan.FromSeconds(60), ct);
                await Drained(name);
                await _installation.Services[name].Stop(ct);
            }
        }

        await Drained("ca");
        await Drained("ledger");
        await File.WriteAllBytesAsync(kept.Checkpoint, await new Api(http, _installation.Addresses.Ledger).Bytes("/checkpoint", ct), ct);
        await _installation.Services["ledger"].Stop(ct);
        await _installation.Services["witness"].Stop(ct);
        await world.Officers[1].Api.Post($"/practitioners/{world.Practitioners[2]}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "regulator-order" }, ct);
        await _installation.Services["ca"].Stop(ct);
        if (await Waiting("ca") == 0)
        {
            throw new DemoException("No event of ca waits, though the ledger was gone.");
        }
    }

    private Task Drained(string name) => Eventually.Holds(async () => await Waiting(name) == 0, $"the events of {name} are recorded");

    private async Task<int> Waiting(string name)
    {
        var (cluster, database) = name == "ledger" ? (_installation.LedgerCluster!, "ledger") : (_installation.Cluster!, "trust");
        return int.Parse(await cluster.Sql(database, $"SELECT count(*) FROM {name}.audit_outbox WHERE idx IS NULL", ct), CultureInfo.InvariantCulture);
    }

    private async Task Keep()
    {
        foreach (var (cluster, name) in new[] { (_installation.Cluster!, "main"), (_installation.LedgerCluster!, "ledger") })
        {
            await KeptInstallation.Write(kept.Dump(name), await Roles(cluster) + await Dump(cluster, "pg_dump", "--create", KeptInstallation.Databases[name]), ct);
        }

        var files = Scratch.Directory("files");
        await Command.Run("cp", ["-a", _installation.Directory + "/.", files], ct);
        foreach (var folder in LeftOut.Select(f => Path.Combine(files, f)).Concat(KeptInstallation.Databases.Keys.SelectMany(c => new[] { "data", "log", "socket" }.Select(f => Path.Combine(files, "postgres", c, f)))))
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        // The superuser is each new cluster's own.
        foreach (var secret in Directory.EnumerateFiles(files, "pgpass", SearchOption.AllDirectories))
        {
            File.Delete(secret);
        }

        // Addresses inside certificates and lists stay what they were.
        var publicBase = $"\"PublicBaseUrl\": \"{_installation.Addresses.Public}\"";
        foreach (var file in KeptInstallation.Placed(files))
        {
            var text = (await File.ReadAllTextAsync(file, ct)).Replace(publicBase, "\"PublicBaseUrl\": \"{kept}\"", StringComparison.Ordinal);
            text = ServerOf().Replace(text, m => m.Groups["database"].Value == "ledger" ? "{ledger-cluster}" : "{main}");
            foreach (var (mark, value) in KeptInstallation.Marks(_installation.Directory, _installation.Addresses, 0, 0))
            {
                text = text.Replace(value, mark, StringComparison.Ordinal);
            }

            await File.WriteAllTextAsync(file, text.Replace("{kept}", _installation.Addresses.Public, StringComparison.Ordinal), ct);
        }

        await kept.Pack(files, ct);
    }

    private async Task<string> Roles(PostgresCluster cluster)
    {
        var globals = await Dump(cluster, "pg_dumpall", "--roles-only");
        // The superuser is the new cluster's own.
        return string.Join('\n', globals.Split('\n').Where(line => !line.Contains("ROLE postgres", StringComparison.Ordinal))) + "\n";
    }

    private Task<string> Dump(PostgresCluster cluster, string program, params string[] arguments) => Command.Run(
        Path.Combine(PostgresCluster.FindBinaries()!, program), ["-h", "127.0.0.1", "-p", cluster.Port.ToString(CultureInfo.InvariantCulture), "-U", "postgres", .. arguments], ct,
        environment: new Dictionary<string, string>(StringComparer.Ordinal) { ["PGPASSFILE"] = cluster.SuperuserPasswordFile });

    [GeneratedRegex("Host=[^;]+;Port=[0-9]+(?=;Database=(?<database>[a-z]+))", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ServerOf();
}

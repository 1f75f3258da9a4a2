using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Prescription;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Residency;

/// <summary>The recorder sees what is planted; what callers name by address or name, no service reaches for.</summary>
public sealed class RecorderTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_planted_connection_a_planted_query_and_a_planted_redirect_are_each_seen()
    {
        using (var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            await Abandoned(socket.ConnectAsync(IPAddress.Parse(Recorder.Planted + "10"), 443));
        }

        await Abandoned(Dns.GetHostAddressesAsync("query." + Recorder.PlantedName));
        using var listener = new HttpListener();
        var port = PostgresCluster.FreePort();
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        var redirect = Task.Run(async () =>
        {
            var context = await listener.GetContextAsync();
            context.Response.Redirect($"http://{Recorder.Planted}11:8080/");
            context.Response.Close();
        });
        using var follows = new HttpClient();
        await Abandoned(follows.GetAsync($"http://127.0.0.1:{port}/"));
        await redirect;
        await Seen($"tcp {Recorder.Planted}10 443");
        await Seen($"dns 198.51.100.53 query.{Recorder.PlantedName}");
        await Seen($"tcp {Recorder.Planted}11 8080");
    }

    // What is not built yet is tried at the door that will be asked: OpenID request objects, sector identifiers, webhooks.
    [Theory]
    [InlineData("request_uri", "https://198.18.0.20/request")]
    [InlineData("jwks_uri", "https://198.18.0.21/jwks")]
    [InlineData("sector_identifier_uri", "http://169.254.169.254/latest/meta-data")]
    [InlineData("redirect_uri", "https://198.18.0.22/callback")]
    public async Task An_address_in_an_authorization_request_is_not_fetched(string parameter, string address)
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        using var answer = await http.GetAsync(
            $"{trust.Installation.Addresses.Idp}/authorize?response_type=code&client_id=his-shuan&scope=openid&redirect_uri={Uri.EscapeDataString(RunningTrust.Redirect)}&{parameter}={Uri.EscapeDataString(address)}", None);
        Assert.NotEqual(HttpStatusCode.InternalServerError, answer.StatusCode);
        await NotSeen(new Uri(address).Host);
    }

    [Fact]
    public async Task A_canonical_url_in_a_prescription_is_not_resolved()
    {
        using var driver = new PrescriptionDriver(trust);
        var (urn, card) = await trust.NewPhysician(None);
        var doctor = driver.Person(await trust.Login(card, "openid rx.sign rx.read", None));
        // Apart from the address it is a good prescription: it comes as far as any.
        var answer = await driver.Prepare(doctor, urn, card, await driver.Patient(), alter: bundle =>
            bundle["meta"] = new JsonObject { ["profile"] = new JsonArray("http://198.18.0.30/StructureDefinition/x") });
        Assert.Equal((422, "profile-absolute-address"), (answer.Status, answer.Problem));
        Assert.Contains("Bundle.meta.profile[0]", answer.Text, StringComparison.Ordinal);
        await NotSeen("198.18.0.30");
    }

    private static async Task Abandoned(Task attempt)
    {
        try
        {
            await attempt.WaitAsync(TimeSpan.FromSeconds(2));
        }
        catch (Exception e) when (e is TimeoutException or SocketException or HttpRequestException or OperationCanceledException)
        {
            return;
        }
    }

    private static Task Seen(string line) =>
        Eventually.Holds(async () => (await Lines()).Contains(line, StringComparer.Ordinal), $"the recorder writes {line}");

    // The recorder writes in order: once a connection planted afterwards is there, what came before it would be too.
    private static async Task NotSeen(string host)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var port = Random.Shared.Next(10_000, 60_000);
        await Abandoned(socket.ConnectAsync(IPAddress.Parse(Recorder.Planted + "99"), port));
        await Seen($"tcp {Recorder.Planted}99 {port}");
        Assert.DoesNotContain(await Lines(), l => l.Contains(host, StringComparison.Ordinal));
    }

    private static async Task<string[]> Lines() => await File.ReadAllLinesAsync(Recorder.Record ?? throw new InvalidOperationException("The suite runs in the recorder's namespace as root only: unshare --net."));
}

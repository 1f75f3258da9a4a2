using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Command = System.CommandLine.Command;

namespace Trust.Cli.Officers;

/// <summary><c>trust idp clients|keys|sessions</c>: the provider as its officers run it; tables for people, <c>--json</c> for programs.</summary>
public static class IdpCommand
{
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON document instead of a table.", Recursive = true };

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var command = OfficerConnection.With(new Command("idp", "Run the OpenID provider by an officer's card.") { Clients(), Keys(), Sessions() });
        command.Options.Add(Json);
        return command;
    }

    private static Command Clients()
    {
        var id = new Argument<string>("client");
        var file = new Argument<FileInfo>("file") { Description = "One client, in the form of samples/clients.json." };
        var list = Listing("list", "Registered clients.", "/admin/clients?limit=1000", "clientId", "profile", "method", "binding", "enabled", "institution", "nameZh");
        var show = new Command("show", "One client, whole.") { id };
        show.SetAction((parsed, ct) => With(parsed, async api => Console.WriteLine((await api.Get("/admin/clients/" + Uri.EscapeDataString(parsed.GetValue(id)!), ct)).ToJsonString()), ct));
        var disable = new Command("disable", "Take a client's rights at once.") { id };
        disable.SetAction((parsed, ct) => With(parsed, async api =>
        {
            (await api.Send(HttpMethod.Post, $"/admin/clients/{Uri.EscapeDataString(parsed.GetValue(id)!)}/disable", null, null, ct)).Expect("disable");
            Console.WriteLine("Disabled. Giving the rights back takes two officers: `trust idp clients propose`.");
        }, ct));
        var propose = new Command("propose", "Propose a client, new or changed; two officers sign it (`trust officer approve CODE`).") { file };
        propose.SetAction((parsed, ct) => With(parsed, async api =>
        {
            var read = JsonNode.Parse(await File.ReadAllTextAsync(parsed.GetValue(file)!.FullName, ct));
            var change = (await api.Send(HttpMethod.Post, "/admin/client-changes", new JsonObject { ["client"] = (read is JsonArray { Count: 1 } one ? one[0] : read)!.DeepClone() }, null, ct)).Expect("propose");
            Console.WriteLine(parsed.GetValue(Json) ? change.ToJsonString() : $"Proposed. Two officers sign it by its code: {change["code"]}");
        }, ct));
        return new Command("clients", "Systems that may ask for tokens.") { list, show, propose, disable };
    }

    private static Command Keys()
    {
        var algorithm = new Argument<string>("algorithm") { Description = "ES256, PS256 or RS256." };
        var rotate = new Command("rotate", "Put the next key to work ahead of its time.") { algorithm };
        rotate.SetAction((parsed, ct) => With(parsed, async api =>
        {
            (await api.Send(HttpMethod.Post, $"/admin/keys/{Uri.EscapeDataString(parsed.GetValue(algorithm)!)}/rotation", null, null, ct)).Expect("rotation");
            Console.WriteLine("Rotated.");
        }, ct));
        return new Command("keys", "Keys that sign tokens.") { Listing("list", "All that verify now.", "/admin/keys", "kid", "algorithm", "state"), rotate };
    }

    private static Command Sessions()
    {
        var person = new Argument<string>("person") { Description = "urn:mdid:p:…" };
        var end = new Command("end", "End every session of a person, and with them all tokens.") { person };
        end.SetAction((parsed, ct) => With(parsed, async api =>
        {
            (await api.Send(HttpMethod.Post, $"/admin/sessions/{Uri.EscapeDataString(parsed.GetValue(person)!)}/end", null, null, ct)).Expect("end");
            Console.WriteLine("Ended.");
        }, ct));
        return new Command("sessions", "Who is logged in.") { Listing("list", "Open sessions.", "/admin/sessions", "person", "authenticatedAt", "expiresAt", "callerRegion", "id"), end };
    }

    private static Command Listing(string name, string description, string path, params string[] columns)
    {
        var command = new Command(name, description);
        command.SetAction((parsed, ct) => With(parsed, async api =>
        {
            var rows = (await api.Get(path, ct)).AsArray();
            Console.WriteLine(parsed.GetValue(Json) ? rows.ToJsonString() : Table(rows, columns));
        }, ct));
        return command;
    }

    private static string Table(JsonArray rows, string[] columns)
    {
        var cells = rows.Select(r => columns.Select(c => r![c]?.ToString() ?? "").ToArray()).Prepend(columns).ToList();
        var widths = columns.Select((_, i) => cells.Max(row => row[i].Length)).ToArray();
        return string.Join('\n', cells.Select(row => string.Join("  ", row.Select((cell, i) => cell.PadRight(widths[i])))).Select(line => line.TrimEnd()))
            + string.Create(CultureInfo.InvariantCulture, $"\n{rows.Count} rows");
    }

    private static async Task<int> With(ParseResult parsed, Func<Api, Task> act, CancellationToken ct)
    {
        await using var officer = await OfficerConnection.Open(parsed, ct);
        await act(officer.Api);
        return 0;
    }
}

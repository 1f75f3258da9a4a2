using System.Buffers.Binary;
using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using Trust.Cli.Local;
using Command = System.CommandLine.Command;

namespace Trust.Cli.Officers;

/// <summary>
/// <c>trust officer approve CODE</c>: fetches the bytes of what another officer proposed, shows them, computes hash and code anew, and has the card sign exactly these bytes.
/// Neither the provider nor whoever sits between can have another thing signed than what stands on the screen.
/// </summary>
public static class OfficerCommand
{
    // As the provider writes codes: Crockford's letters over the first 40 bits of SHA-256.
    private const string Letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.Create(UnicodeRanges.All) };

    /// <summary>The verb.</summary>
    public static Command Create() => OfficerConnection.With(new Command("officer", "Approve by card what another officer proposed.") { Approve(), Waiting() });

    /// <summary>The code of bytes.</summary>
    public static string CodeOf(ReadOnlySpan<byte> document)
    {
        var bits = BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(document));
        return string.Create(8, bits, static (text, value) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = Letters[(int)(value >> (59 - (5 * i))) & 31];
            }
        });
    }

    private static Command Waiting()
    {
        var command = new Command("waiting", "What waits for a second officer.");
        command.SetAction(async (parsed, ct) =>
        {
            await using var officer = await OfficerConnection.Open(parsed, ct);
            foreach (var change in (await officer.Api.Get("/admin/client-changes?state=open", ct)).AsArray())
            {
                Console.WriteLine($"{change!["code"]}  client {change["clientId"]}  proposed by {change["proposedBy"]}, signed by {change["approvedBy"]!.AsArray().Count}, lapses {change["expiresAt"]}");
            }

            return 0;
        });
        return command;
    }

    private static Command Approve()
    {
        var code = new Argument<string>("code") { Description = "The eight letters that the proposing officer was shown." };
        var yes = new Option<bool>("--yes") { Description = "Sign without asking; for scripts that compare the code themselves." };
        var command = new Command("approve", "Show a proposed change and sign its bytes by the card.") { code, yes };
        command.SetAction(async (parsed, ct) =>
        {
            await using var officer = await OfficerConnection.Open(parsed, ct);
            var wanted = parsed.GetValue(code)!.Trim().ToUpperInvariant();
            var change = await Find(officer, wanted, ct) ?? throw new CommandFailedException($"Nothing with the code {wanted} waits. `trust officer waiting` lists what does.");
            var document = Convert.FromBase64String(change["document"]!.GetValue<string>());
            // Computed from the bytes that are shown and signed, not taken from the answer.
            if (CodeOf(document) != wanted)
            {
                throw new CommandFailedException("The provider answered with other bytes than the code names; nothing was signed.");
            }

            Console.WriteLine(JsonNode.Parse(Encoding.UTF8.GetString(document))!.ToJsonString(Readable));
            Console.WriteLine($"SHA-256 {Convert.ToHexStringLower(SHA256.HashData(document))}\ncode    {wanted}");
            if (!parsed.GetValue(yes) && !Confirmed(wanted))
            {
                Console.WriteLine("Not signed.");
                return 1;
            }

            var answer = await officer.Api.Send(HttpMethod.Post, $"/admin/client-changes/{change["id"]}/approvals", new JsonObject
            {
                ["certificate"] = Convert.ToBase64String(officer.Card.Signature.Der.Span), ["signature"] = Convert.ToBase64String(await officer.Card.Sign(document, ct)),
            }, null, ct);
            var done = answer.Expect("approval");
            Console.WriteLine(done["state"]!.GetValue<string>() == "applied" ? "Signed; the change is in force." : "Signed; one more officer is needed.");
            return 0;
        });
        return command;
    }

    private static bool Confirmed(string code)
    {
        Console.Write($"Type the code to sign, anything else to leave: ");
        return Console.ReadLine()?.Trim().ToUpperInvariant() == code;
    }

    private static async Task<JsonNode?> Find(OfficerConnection officer, string code, CancellationToken ct) =>
        (await officer.Api.Get("/admin/client-changes?state=open&limit=1000", ct)).AsArray().FirstOrDefault(c => c!["code"]!.GetValue<string>() == code);
}

using System.Text.Json.Nodes;

namespace Trust.Conformance.Tests.Suite;

/// <summary>One CIBA request: a signed object to the backchannel endpoint, the person's decision elsewhere, the tokens (CIBA Core 1.0, FAPI-CIBA).</summary>
internal sealed class BackchannelRequest
{
    private readonly ConformanceRun _run;

    public BackchannelRequest(ConformanceRun run, RelyingParty client)
    {
        (_run, Client) = (run, client);
        var now = Jwt.Now;
        Claims = new JsonObject
        {
            ["iss"] = client.Id, ["aud"] = client.Provider.Issuer, ["iat"] = now, ["nbf"] = now, ["exp"] = now + 300, ["jti"] = Jwt.Random(), ["scope"] = "openid profile",
            ["login_hint"] = run.World.Practitioners[1], ["binding_message"] = "1234",
        };
        if (IsPing)
        {
            Claims["client_notification_token"] = NotificationToken;
        }
    }

    public RelyingParty Client { get; }

    /// <summary>Claims of the request object.</summary>
    public JsonObject Claims { get; }

    public string NotificationToken { get; } = Jwt.Random(32);

    public bool IsPing => Client.Registration["backchannel_token_delivery_mode"]!.GetValue<string>() == "ping";

    public string NotificationPath => new Uri(Client.Registration["backchannel_client_notification_endpoint"]!.GetValue<string>()).AbsolutePath;

    public SigningKey? Key { get; set; }

    public Func<string, string>? Signed { get; set; }

    public string Object()
    {
        var key = Key ?? Client.Key;
        var jwt = Jwt.Sign(new JsonObject { ["alg"] = key.Alg, ["kid"] = key.Kid }, Claims, key);
        return Signed?.Invoke(jwt) ?? jwt;
    }

    /// <summary>Sends the request.</summary>
    public Task<Answer> Send(Call? call = null, params IEnumerable<KeyValuePair<string, string>> more) =>
        Client.Post("backchannel_authentication_endpoint", [new("request", Object()), .. more], call);

    /// <summary>Sends the request and holds the answer to be right.</summary>
    public async Task<Started> Begin(Call? call = null)
    {
        var answer = (await Send(call)).Succeeded();
        return new Started(this, answer.Text("auth_req_id")!, answer.Json["expires_in"]!.GetValue<int>(), answer.Json["interval"]?.GetValue<int>() ?? 5);
    }

    /// <summary>A request that stands.</summary>
    internal sealed record Started(BackchannelRequest Request, string Id, int ExpiresIn, int Interval)
    {
        public Task<Answer> Ask(Call? call = null, RelyingParty? by = null, string? id = null) =>
            (by ?? Request.Client).Token("urn:openid:params:grant-type:ciba", [new("auth_req_id", id ?? Id)], call);

        /// <summary>The person decides; the client is notified or asks at its interval, and gets the answer.</summary>
        public async Task<Answer> Decided(bool approves = true, bool notified = true, Call? call = null)
        {
            await Request._run.Decide(Request.Client, approves);
            if (Request.IsPing && notified)
            {
                await Notification();
            }

            for (var tries = 0; ; tries++)
            {
                var answer = await Ask(call);
                if (answer.Error is not ("authorization_pending" or "slow_down") || tries > 5)
                {
                    return answer;
                }

                await Task.Delay(TimeSpan.FromSeconds(Interval + 0.5));
            }
        }

        /// <summary>The notification of this request.</summary>
        public async Task<Received> Notification()
        {
            await TestKit.Eventually.Holds(() => Request._run.Receiver.At(Request.NotificationPath).Any(r => r.Body.Contains(Id, StringComparison.Ordinal)), "the client is notified", TimeSpan.FromSeconds(20));
            var received = Request._run.Receiver.At(Request.NotificationPath).First(r => r.Body.Contains(Id, StringComparison.Ordinal));
            Assert.Equal(("POST", "Bearer " + Request.NotificationToken), (received.Method, received.Headers["Authorization"]));
            Assert.StartsWith("application/json", received.Headers["Content-Type"], StringComparison.Ordinal);
            Assert.Equal(Id, JsonNode.Parse(received.Body)!["auth_req_id"]!.GetValue<string>());
            return received;
        }
    }
}

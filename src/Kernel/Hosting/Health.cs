using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Trust.Kernel.Hosting;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: everything it needs holds, or what is stale.</summary>
internal static class Health
{
    public static void Map(RouteTable routes) => routes
        .Get("/health/live", Who.Anyone, Limit.None, () => Results.Text("live\n"), "The process answers.", Always)
        .Get("/health/ready", Who.Anyone, Limit.None, Ready, "Everything the service needs holds, or what is stale.", Always);

    private static Route Always(Route route) => Route.Uncompared(route) with { AnswersClosed = true };

    private static async Task Ready(HttpContext context)
    {
        var answers = await context.RequestServices.GetRequiredService<ReadinessAnswers>().Now().WaitAsync(context.RequestAborted);
        context.Response.StatusCode = answers.All(a => a.Answer.Ready) ? 200 : 503;
        context.Response.ContentType = "application/json";
        await using var json = new System.Text.Json.Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteBoolean("ready", answers.All(a => a.Answer.Ready));
        json.WriteStartObject("checks");
        foreach (var (name, answer) in answers)
        {
            json.WriteStartObject(name);
            json.WriteBoolean("ready", answer.Ready);
            json.WriteString("detail", answer.Detail);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}

/// <summary>
/// What the checks say, asked once a second at most and once at a time: the answer is anyone's to ask for, and must not cost a query of database and token each time.
/// While something is not ready it is asked four times a second: whoever waits for a start waits for it.
/// </summary>
internal sealed class ReadinessAnswers(IServiceProvider services)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FreshWhileNot = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly Lock _gate = new();
    private Task<(string Name, Readiness Answer)[]>? _asked;
    private long _at;

    /// <summary>The answers, at most a second old.</summary>
    public Task<(string Name, Readiness Answer)[]> Now()
    {
        lock (_gate)
        {
            // Real time, whatever clock the service goes by: what is bounded is work.
            if (_asked is null || (_asked.IsCompleted && TimeProvider.System.GetElapsedTime(_at) >= FreshFor(_asked)))
            {
                _at = TimeProvider.System.GetTimestamp();
                _asked = Task.Run(AskAll);
            }

            return _asked;
        }
    }

    private static TimeSpan FreshFor(Task<(string Name, Readiness Answer)[]> answered) =>
        answered.IsCompletedSuccessfully && answered.Result.All(a => a.Answer.Ready) ? Fresh : FreshWhileNot;

    private async Task<(string Name, Readiness Answer)[]> AskAll()
    {
        using var limit = new CancellationTokenSource(Patience);
        return await Task.WhenAll(services.GetServices<IReadinessCheck>().Select(check => Ask(check, limit.Token)));
    }

    private static async Task<(string Name, Readiness Answer)> Ask(IReadinessCheck check, CancellationToken ct)
    {
        try
        {
            return (check.Name, await check.Check(ct));
        }
#pragma warning disable CA1031 // A check that fails in any way is the finding itself; its text stays inside.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return (check.Name, new Readiness(false, e.GetType().Name));
        }
    }
}

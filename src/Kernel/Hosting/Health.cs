using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Trust.Kernel.Hosting;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: everything it needs holds, or what is stale.</summary>
internal static class Health
{
    public static void Map(RouteTable routes) => routes
        .Get("/health/live", Who.Anyone, Limit.None, () => Results.Text("live\n"), "The process answers.")
        .Get("/health/ready", Who.Anyone, Limit.None, Ready, "Everything the service needs holds, or what is stale.");

    private static async Task Ready(HttpContext context)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(TimeSpan.FromSeconds(2));
        var answers = await Task.WhenAll(context.RequestServices.GetServices<IReadinessCheck>().Select(check => Ask(check, limit.Token)));
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

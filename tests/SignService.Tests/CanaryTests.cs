using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>What belongs to a person is planted in every door and in a failing database, and comes out in no log line, no problem, no span and no metric.</summary>
public sealed class CanaryTests
{
    private const string Number = "510105199003078834";
    private const string Name = "金丝雀甲";
    private const string Diagnosis = "罕见病金丝雀";
    private const string Pin = "73109255";

    private static readonly string[] Canaries = [Number, Name, Diagnosis, Pin, Uri.EscapeDataString(Name), "\\u91d1"];

    [Fact]
    public async Task A_canary_comes_out_nowhere()
    {
        using var log = new CapturedLog();
        using var told = new Told();
        await using var rig = await SignRig.Start(withSeal: false, log: log);
        var signed = await rig.Signed();
        var problems = new List<string>();

        foreach (var body in Bodies())
        {
            problems.Add(await Problem(rig.Post("/prescriptions", rig.DoctorToken(), raw: body)));
            problems.Add(await Problem(rig.Post($"/prescriptions/{signed}/return", rig.PharmacistToken(), raw: body)));
            problems.Add(await Problem(rig.Post("/validations", rig.PharmacyToken(), raw: body)));
        }

        problems.Add(await Problem(rig.Get($"/prescriptions/{Number}?name={Name}&pin={Pin}", rig.DoctorToken())));
        problems.Add(await Problem(rig.Get($"/prescriptions/{signed}?diagnosis={Diagnosis}", Pin)));

        // A row that a constraint refuses is quoted by the server, and a text that is none of its type by its message.
        await rig.Database.Owner.Sql("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row of 金丝雀甲 510105199003078834 % refused', NEW.number; END $$").Execute(default);
        await rig.Database.Owner.Sql("CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON prescriptions FOR EACH ROW EXECUTE FUNCTION fail()").Execute(default);
        problems.Add(await Problem(rig.Post($"/prescriptions/{signed}/return", rig.PharmacistToken(), new { reason = Diagnosis })));
        problems.Add(await Problem(rig.Prepare(SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital, number: Name))));

        Assert.All(problems, p => Assert.All(Canaries, canary => Assert.DoesNotContain(canary, p, StringComparison.Ordinal)));
        Assert.All(log.Lines, line => Assert.All(Canaries, canary => Assert.DoesNotContain(canary, line, StringComparison.Ordinal)));
        Assert.All(told.Everything, text => Assert.All(Canaries, canary => Assert.DoesNotContain(canary, text, StringComparison.Ordinal)));
        // That it would have been there: the server's text was in the exception that was logged, and spans and metrics were taken.
        Assert.Contains(log.Open, line => line.Contains(Number, StringComparison.Ordinal));
        Assert.Contains(log.Lines, line => line.Contains("Npgsql.PostgresException: P0001", StringComparison.Ordinal));
        Assert.Contains(told.Kept, text => text.Contains("HttpRequestIn", StringComparison.Ordinal));
        Assert.Contains(told.Before, text => text.Contains(Number, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Bodies()
    {
        yield return $$"""{"{{Number}}":1}""";
        yield return $$$"""{"bundle":{"{{{Number}}}":"{{{Name}}}"},"certificate":"{{{Pin}}}"}""";
        yield return $$$"""{"reason":{"{{{Pin}}}":"{{{Diagnosis}}}"}}""";
        yield return $$"""{"reason":"{{Diagnosis}}","{{Pin}}":"{{Name}}"}""";
        yield return $$"""{"bundle":"{{Number}} {{Name}}""";
        var bundle = SamplePrescription.Bundle(SignRig.Doctor, SignRig.Hospital);
        bundle["entry"]![1]!["resource"]!["birthDate"] = Number;
        bundle["entry"]![1]!["resource"]!["name"] = new JsonArray(new JsonObject { ["text"] = Name });
        yield return new JsonObject { ["bundle"] = bundle, ["certificate"] = "AAAA" }.ToJsonString();
    }

    private static async Task<string> Problem(Task<HttpResponseMessage> call)
    {
        using var answer = await call;
        Assert.False(answer.IsSuccessStatusCode);
        return await answer.Content.ReadAsStringAsync() + answer.Headers;
    }

    /// <summary>Spans as they would be exported, and the tags of metrics.</summary>
    private sealed class Told : IDisposable
    {
        private readonly ConcurrentQueue<string> _kept = new();
        private readonly ConcurrentQueue<string> _metrics = new();
        private readonly ConcurrentQueue<string> _before = new();
        private readonly ClosedSpan _closed = new();
        private readonly ActivityListener _spans;
        private readonly MeterListener _meters = new();

        public Told()
        {
            _spans = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Microsoft.AspNetCore" or "System.Net.Http" or "Npgsql" or "Trust",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = Stopped,
            };
            ActivitySource.AddActivityListener(_spans);
            _meters.InstrumentPublished = (instrument, listener) => listener.EnableMeasurementEvents(instrument);
            _meters.SetMeasurementEventCallback<long>((i, _, tags, _) => Measured(i, tags));
            _meters.SetMeasurementEventCallback<int>((i, _, tags, _) => Measured(i, tags));
            _meters.SetMeasurementEventCallback<double>((i, _, tags, _) => Measured(i, tags));
            _meters.Start();
        }

        public IEnumerable<string> Kept => _kept;

        public IEnumerable<string> Before => _before;

        public IEnumerable<string> Everything => _kept.Concat(_metrics);

        public void Dispose()
        {
            _spans.Dispose();
            _meters.Dispose();
            _closed.Dispose();
        }

        private void Stopped(Activity activity)
        {
            // As the platform's instrumentation tags a request.
            activity.SetTag("url.path", "/prescriptions/" + Number);
            activity.SetTag("url.query", "?name=" + Name);
            _before.Enqueue(Text(activity));
            _closed.OnEnd(activity);
            if (activity.Recorded)
            {
                _kept.Enqueue(Text(activity));
            }
        }

        private static string Text(Activity a) =>
            $"{a.DisplayName} {a.StatusDescription} {string.Join(' ', a.TagObjects.Select(t => $"{t.Key}={t.Value}"))} {string.Join(' ', a.Events.SelectMany(e => e.Tags.Select(t => $"{t.Key}={t.Value}")))}";

        private void Measured(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            _metrics.Enqueue(instrument.Name + string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}")));
    }
}

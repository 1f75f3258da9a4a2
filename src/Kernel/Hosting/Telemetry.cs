using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Traces and metrics: by OTLP to a declared peer, and metrics to Prometheus on the operator's listener; each only when configured.</summary>
internal static class Telemetry
{
    private static readonly string[] Meters = ["Npgsql", "Microsoft.AspNetCore.Server.Kestrel", "Trust", "Trust.*"];

    public static void Add(IServiceCollection services, string service, ServiceOptions options, Outbound outbound)
    {
        if (options.OtlpEndpoint is { } declared && !outbound.Declares(declared))
        {
            throw new ValidationException($"The telemetry endpoint {declared} is not a declared peer.");
        }

        if (options.OtlpEndpoint is null && options.OperatorListener is null)
        {
            return;
        }

        var telemetry = services.AddOpenTelemetry()
            // Nothing of the environment: it could name another service.
            .ConfigureResource(resource => resource.Clear().AddService("trust-" + service, serviceInstanceId: options.Node))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Meters).AddAspNetCoreInstrumentation().AddHttpClientInstrumentation().AddRuntimeInstrumentation();
                if (options.OtlpEndpoint is { } endpoint)
                {
                    metrics.AddOtlpExporter(o => (o.Endpoint, o.HttpClientFactory) = (endpoint, () => outbound.TelemetryClient(endpoint)));
                }

                if (options.OperatorListener is not null)
                {
                    metrics.AddPrometheusExporter();
                }
            });
        if (options.OtlpEndpoint is { } collector)
        {
            telemetry.WithTracing(traces => traces.AddSource("Trust").AddAspNetCoreInstrumentation().AddHttpClientInstrumentation().AddNpgsql().AddProcessor<ClosedSpan>().AddOtlpExporter(o => (o.Endpoint, o.HttpClientFactory) = (collector, () => outbound.TelemetryClient(collector))));
        }
    }

    /// <summary>Serves <c>/metrics</c> on the operator's listener, and there nothing else but health.</summary>
    public static void Use(WebApplication app, ServiceOptions options)
    {
        if (options.OperatorListener is null)
        {
            return;
        }

        app.UseOpenTelemetryPrometheusScrapingEndpoint(context => context.Request.Path == "/metrics" && OperatorConnection.Is(context));
        app.Use((context, next) =>
        {
            if (OperatorConnection.Is(context) && !context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal))
            {
                return CommonRefusals.NoSuchPath.ExecuteAsync(context);
            }

            return next(context);
        });
    }
}

using System.Security.Cryptography.X509Certificates;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Residency;

/// <summary>
/// Sends each request by a handler that shows the service's certificate of now. A handler's certificate is fixed for its life,
/// so a renewal takes a new one; the old one ends by itself when the requests it carries have ended.
/// </summary>
internal sealed class CurrentIdentityHandler(ServiceIdentity identity, Func<ServiceIdentity, X509Certificate2, SocketsHttpHandler> create) : HttpMessageHandler
{
    private readonly Lock _gate = new();
    private X509Certificate2? _certificate;
    private HttpMessageInvoker? _invoker;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        Current().SendAsync(request, cancellationToken);

    // Exporters of telemetry send so.
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) => Current().Send(request, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _invoker?.Dispose();
        }

        base.Dispose(disposing);
    }

    private HttpMessageInvoker Current()
    {
        var certificate = identity.Current;
        lock (_gate)
        {
            if (_invoker is null || !ReferenceEquals(certificate, _certificate))
            {
                _certificate = certificate;
                _invoker = new HttpMessageInvoker(create(identity, certificate));
            }

            return _invoker;
        }
    }
}

using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Trust.Benchmarks.Load;

/// <summary>What came back on the wire.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Headers">Status line and header lines.</param>
/// <param name="Body">Body, chunks joined.</param>
internal readonly record struct WireAnswer(int Status, string Headers, byte[] Body)
{
    /// <summary>Value of the first header of this name, or null.</summary>
    public string? Header(string name)
    {
        var at = Headers.IndexOf("\r\n" + name + ":", StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        var start = at + name.Length + 3;
        var end = Headers.IndexOf("\r\n", start, StringComparison.Ordinal);
        return Headers[start..(end < 0 ? Headers.Length : end)].Trim();
    }
}

/// <summary>
/// One kept-alive HTTP/1.1 connection to this machine that sends bytes made beforehand. A general HTTP client would take a good part of the
/// processors that the measured service needs.
/// </summary>
internal sealed class WireConnection : IAsyncDisposable
{
    private const int MaxAnswer = 256 * 1024;
    private readonly Stream _stream;
    private byte[] _buffer = new byte[8 * 1024];
    private int _length;

    private WireConnection(Stream stream) => _stream = stream;

    /// <summary>Connects, over TLS when the address is https.</summary>
    /// <param name="address">Loopback address; <c>localhost</c> is 127.0.0.1.</param>
    /// <param name="rootFile">PEM of the only root trusted, for https.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="certificate">Shown to a listener that asks for one; null for none.</param>
    public static async Task<WireConnection> Open(Uri address, string? rootFile, CancellationToken ct, X509Certificate2? certificate = null)
    {
#pragma warning disable RS0030 // Load against loopback: the one place of this program that connects.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
#pragma warning restore RS0030
        try
        {
            await socket.ConnectAsync(address.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(address.Host), address.Port, ct);
            var stream = new NetworkStream(socket, ownsSocket: true);
            if (address.Scheme != Uri.UriSchemeHttps)
            {
                return new WireConnection(stream);
            }

            var tls = new SslStream(stream);
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
            policy.CustomTrustStore.Add(X509CertificateLoader.LoadCertificateFromFile(rootFile!));
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = address.Host, CertificateChainPolicy = policy, ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, null, offline: true),
            }, ct);
            return new WireConnection(tls);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A GET's bytes.</summary>
    public static byte[] Get(Uri address, string path, string headers = "") =>
        Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {address.Authority}\r\n{headers}\r\n");

    /// <summary>A POST's bytes.</summary>
    public static byte[] Post(Uri address, string path, string type, string body, string headers = "") =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"POST {path} HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: {type}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{headers}\r\n{body}"));

    /// <summary>Sends one request and waits for its answer.</summary>
    public async Task<WireAnswer> Send(ReadOnlyMemory<byte> request, CancellationToken ct)
    {
        await _stream.WriteAsync(request, ct);
        _length = 0;
        int head;
        while ((head = _buffer.AsSpan(0, _length).IndexOf("\r\n\r\n"u8)) < 0)
        {
            await Fill(ct);
        }

        var headers = Encoding.ASCII.GetString(_buffer, 0, head);
        var answer = new WireAnswer(int.Parse(headers.AsSpan(9, 3), CultureInfo.InvariantCulture), headers, []);
        var body = answer.Header("Content-Length") is { } length
            ? await Sized(head + 4, int.Parse(length, CultureInfo.InvariantCulture), ct)
            : answer.Header("Transfer-Encoding") == "chunked" ? await Chunked(head + 4, ct) : [];
        return answer with { Body = body };
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task<byte[]> Sized(int from, int count, CancellationToken ct)
    {
        while (_length < from + count)
        {
            await Fill(ct);
        }

        return _buffer[from..(from + count)];
    }

    private async Task<byte[]> Chunked(int at, CancellationToken ct)
    {
        var body = new MemoryStream();
        while (true)
        {
            int line;
            while ((line = _buffer.AsSpan(at, _length - at).IndexOf("\r\n"u8)) < 0)
            {
                await Fill(ct);
            }

            var size = int.Parse(Encoding.ASCII.GetString(_buffer, at, line), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            var chunk = await Sized(at + line + 2, size + 2, ct);
            if (size == 0)
            {
                return body.ToArray();
            }

            body.Write(chunk, 0, size);
            at += line + 2 + size + 2;
        }
    }

    private async Task Fill(CancellationToken ct)
    {
        if (_length == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length < MaxAnswer ? _buffer.Length * 2 : throw new IOException("The answer is too long."));
        }

        var read = await _stream.ReadAsync(_buffer.AsMemory(_length), ct);
        _length += read > 0 ? read : throw new IOException("The connection was closed before the answer was whole.");
    }
}

using System.Reflection;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Tests;

/// <summary>A real token whose signatures never come while it hangs, whatever is cancelled: as a call into a module that does not return.</summary>
public class HungToken : DispatchProxy
{
    private volatile bool _hangs = true;

    internal IToken Inner { get; set; } = null!;

    internal bool Hangs { get => _hangs; set => _hangs = value; }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        Hangs && targetMethod!.Name == nameof(IToken.Sign) ? new ValueTask<byte[]>(new TaskCompletionSource<byte[]>().Task) : targetMethod!.Invoke(Inner, args);
}

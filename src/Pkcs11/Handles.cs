using System.Runtime.InteropServices;

namespace Trust.Pkcs11;

/// <summary>A loaded module. Held for the life of the process: modules keep threads and state of their own, and unloading one under them is not survivable.</summary>
internal sealed class ModuleHandle : SafeHandle
{
    public ModuleHandle(nint library)
        : base(invalidHandleValue: 0, ownsHandle: true) => SetHandle(library);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeLibrary.Free(handle);
        return true;
    }
}

/// <summary>An open session of a token, closed once whatever happens to the one who uses it. CK_SESSION_HANDLE is a CK_ULONG, 8 bytes here; 0 is CK_INVALID_HANDLE.</summary>
internal sealed class SessionHandle : SafeHandle
{
    private readonly Cryptoki _module;

    public SessionHandle(Cryptoki module, ulong session)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        _module = module;
        SetHandle((nint)session);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The number to call with.</summary>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public ulong Value
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed || IsInvalid, this);
            return (ulong)handle;
        }
    }

    // A session that went with its token is as good as closed.
    protected override bool ReleaseHandle()
    {
        _module.CloseSession((ulong)handle);
        return true;
    }
}
